// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/control/errors.h"

#include <gmock/gmock.h>
#include <google/rpc/error_details.pb.h>
#include <google/rpc/status.pb.h>
#include <gtest/gtest.h>

#include "server/base/error_details.h"

namespace probed::control {
namespace {

using ::testing::EndsWith;

/// The detail of a type; fails the test when there is none.
template <typename Detail>
Detail DetailOf(const grpc::Status& status) {
  google::rpc::Status whole;
  EXPECT_TRUE(whole.ParseFromString(status.error_details()));
  Detail detail;
  for (const auto& any : whole.details()) {
    if (any.UnpackTo(&detail)) return detail;
  }
  ADD_FAILURE() << "no " << Detail::descriptor()->full_name();
  return detail;
}

TEST(Errors, OkStaysOk) { EXPECT_TRUE(ToGrpc(OkStatus()).ok()); }

TEST(Errors, CarryReasonDomainAndMetadata) {
  const grpc::Status status =
      ToGrpc(MakeError(absl::StatusCode::kNotFound, "nothing",
                       {.reason = "MODULE_NOT_FOUND", .metadata = {{"module", "http"}}, .fields = {}, .log_tail = {}}));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(status.error_message(), "nothing");
  const auto info = DetailOf<google::rpc::ErrorInfo>(status);
  EXPECT_EQ(info.reason(), "MODULE_NOT_FOUND");
  EXPECT_EQ(info.domain(), "probed");
  EXPECT_EQ(info.metadata().at("module"), "http");
}

TEST(Errors, ACodeWithoutReasonIsItsOwnReason) {
  const grpc::Status status = ToGrpc(MakeStatus(absl::StatusCode::kInternal, "broken"));
  EXPECT_EQ(DetailOf<google::rpc::ErrorInfo>(status).reason(), "INTERNAL");
}

TEST(Errors, CarryFields) {
  const auto request = DetailOf<google::rpc::BadRequest>(
      ToGrpc(MakeError(absl::StatusCode::kInvalidArgument, "bad",
                       {.reason = "CONFIG_INVALID", .metadata = {}, .fields = {{"a.b", "wrong"}}, .log_tail = {}})));
  ASSERT_EQ(request.field_violations_size(), 1);
  EXPECT_EQ(request.field_violations(0).field(), "a.b");
}

TEST(Errors, CarryPreconditionsRetriesAndTheLog) {
  const grpc::Status failed = ToGrpc(MakeError(
      absl::StatusCode::kFailedPrecondition, "in use",
      {.reason = "SINK_IN_USE", .metadata = {{"sink", "collector"}}, .fields = {}, .log_tail = "verifier says no"}));
  const auto failure = DetailOf<google::rpc::PreconditionFailure>(failed);
  EXPECT_EQ(failure.violations(0).type(), "SINK_IN_USE");
  EXPECT_EQ(failure.violations(0).subject(), "sinks/collector");
  EXPECT_EQ(DetailOf<google::rpc::DebugInfo>(failed).detail(), "verifier says no");
  EXPECT_GT(DetailOf<google::rpc::RetryInfo>(ToGrpc(ShuttingDown())).retry_delay().seconds(), 0);
}

TEST(Errors, StayBelowWhatClientsTakeInTrailers) {
  ErrorDetails details{"CONFIG_INVALID", {{"k", std::string(5000, 'm')}}, {}, std::string(100'000, 'l') + "the end"};
  for (int i = 0; i < 1000; ++i) details.fields.push_back({"field" + std::to_string(i), std::string(300, 'd')});
  const grpc::Status status = ToGrpc(MakeError(absl::StatusCode::kFailedPrecondition, std::string(5000, 'x'), details));
  EXPECT_LT(status.error_details().size() * 4 / 3 + status.error_message().size(), 7800U);
  EXPECT_THAT(DetailOf<google::rpc::DebugInfo>(status).detail(), EndsWith("the end"));
  const auto request = DetailOf<google::rpc::BadRequest>(status);
  EXPECT_THAT(request.field_violations(request.field_violations_size() - 1).description(), EndsWith("more"));
}

TEST(Errors, TextsBecomeUtf8) {
  EXPECT_EQ(Utf8("gr\u00fcn"), "gr\u00fcn");
  const std::string mended = Utf8(
      "a\xff"
      "b");
  EXPECT_NE(mended,
            "a\xff"
            "b");
  EXPECT_EQ(mended.front(), 'a');
  EXPECT_EQ(mended.back(), 'b');
}

}  // namespace
}  // namespace probed::control
