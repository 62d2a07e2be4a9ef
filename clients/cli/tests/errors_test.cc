// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "clients/cli/lib/errors.h"

#include <gmock/gmock.h>

#include <sstream>

#include "clients/cli/lib/exit_code.h"
#include "clients/cli/tests/fake_daemon.h"
#include "google/rpc/error_details.pb.h"

namespace probed::cli {
namespace {

using grpc::StatusCode;
using testing::HasSubstr;

TEST(ExitCode, FollowsTheCanonicalCode) {
  const std::vector<std::pair<StatusCode, int>> cases{{StatusCode::OK, 0},
                                                      {StatusCode::INTERNAL, 1},
                                                      {StatusCode::INVALID_ARGUMENT, 2},
                                                      {StatusCode::NOT_FOUND, 3},
                                                      {StatusCode::ABORTED, 4},
                                                      {StatusCode::ALREADY_EXISTS, 4},
                                                      {StatusCode::UNAVAILABLE, 6},
                                                      {StatusCode::FAILED_PRECONDITION, 4},
                                                      {StatusCode::PERMISSION_DENIED, 5},
                                                      {StatusCode::UNAUTHENTICATED, 5},
                                                      {StatusCode::DEADLINE_EXCEEDED, 1},
                                                      {StatusCode::OUT_OF_RANGE, 1},
                                                      {StatusCode::UNIMPLEMENTED, 1},
                                                      {StatusCode::CANCELLED, 1},
                                                      {StatusCode::RESOURCE_EXHAUSTED, 1}};
  for (const auto& [code, expected] : cases) EXPECT_EQ(ToInt(ExitCodeOf({code, ""})), expected) << code;
}

TEST(ExitCode, TellsABusyDaemonFromNone) {
  EXPECT_EQ(ExitCodeOf(MakeFailure(StatusCode::UNAVAILABLE, "busy", "STATE_NOT_SAVED")), ExitCode::kFailed);
}

std::string Printed(const grpc::Status& status) {
  std::ostringstream err;
  PrintError(err, "load module http", status);
  return err.str();
}

TEST(PrintError, NamesFieldsAndReason) {
  google::rpc::BadRequest bad;
  auto* violation = bad.add_field_violations();
  violation->set_field("config.capture_byte");
  violation->set_description("unknown key, did you mean capture_bytes?");
  EXPECT_EQ(Printed(MakeFailure(StatusCode::INVALID_ARGUMENT, "the configuration is wrong", "CONFIG_INVALID", {&bad})),
            "probectl: cannot load module http: the configuration is wrong [CONFIG_INVALID]\n"
            "  config.capture_byte: unknown key, did you mean capture_bytes?\n");
}

TEST(PrintError, ShowsPreconditionsLogRetryAndHelp) {
  google::rpc::PreconditionFailure failure;
  failure.add_violations()->set_subject("kernel");
  failure.mutable_violations(0)->set_description("needs 6.1");
  google::rpc::DebugInfo debug;
  debug.set_detail("0: R1=ctx\n1: invalid mem access");
  google::rpc::RetryInfo retry;
  retry.mutable_retry_delay()->set_seconds(5);
  google::rpc::Help help;
  help.add_links()->set_url("docs/errors.md");
  help.mutable_links(0)->set_description("all reasons");
  const std::string text =
      Printed(MakeFailure(StatusCode::FAILED_PRECONDITION, "no", "BPF_REFUSED", {&failure, &debug, &retry, &help}));
  EXPECT_THAT(text, HasSubstr("  kernel: needs 6.1\n"));
  EXPECT_THAT(text, HasSubstr("    1: invalid mem access\n"));
  EXPECT_THAT(text, HasSubstr("  try again in 5s\n"));
  EXPECT_THAT(text, HasSubstr("  see docs/errors.md (all reasons)\n"));
}

TEST(PrintError, SaysWhatToDo) {
  EXPECT_THAT(Printed(MakeFailure(StatusCode::ABORTED, "no", "ETAG_MISMATCH")), HasSubstr("read it again"));
  EXPECT_THAT(Printed(MakeFailure(StatusCode::NOT_FOUND, "no", "MODULE_NOT_FOUND")),
              HasSubstr("probectl modules list"));
  EXPECT_THAT(Printed({StatusCode::UNAVAILABLE, "gone"}), HasSubstr("is the daemon running?"));
  EXPECT_THAT(Printed({StatusCode::PERMISSION_DENIED, "no"}), HasSubstr("root"));
  EXPECT_THAT(Printed(MakeFailure(StatusCode::PERMISSION_DENIED, "no", "BPF_REFUSED")), HasSubstr("probectl doctor"));
}

TEST(PrintError, EscapesWhatTheDaemonSays) {
  EXPECT_THAT(Printed({StatusCode::INTERNAL, "a\x1b[2J"}), HasSubstr("a\\x1b[2J"));
}

TEST(PrintError, SurvivesDetailsThatAreNone) {
  EXPECT_THAT(Printed({StatusCode::INTERNAL, "x", "\xff\xff\xff"}), HasSubstr("load module http: x"));
}

}  // namespace
}  // namespace probed::cli
