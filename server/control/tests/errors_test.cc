// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/control/errors.h"

#include <gmock/gmock.h>
#include <google/rpc/error_details.pb.h>
#include <google/rpc/status.pb.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>

namespace probed::control {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::SizeIs;

google::rpc::Status Parse(const grpc::Status& status) {
  google::rpc::Status out;
  EXPECT_TRUE(out.ParseFromString(status.error_details()));
  return out;
}

template <typename T>
std::optional<T> Detail(const grpc::Status& status) {
  for (const google::protobuf::Any& any : Parse(status).details()) {
    T detail;
    if (any.UnpackTo(&detail)) return detail;
  }
  return std::nullopt;
}

ErrorDetails Reason(const std::string& reason) {
  return {.reason = reason, .metadata = {}, .fields = {}, .log_tail = {}};
}

/// What the client counts: percent-encoded message, base64 details.
std::size_t TrailerBytes(const grpc::Status& status) {
  return status.error_message().size() * 3 + (status.error_details().size() + 2) / 3 * 4;
}

TEST(ToGrpc, KeepsEveryCanonicalCode) {
  for (int code = 1; code <= 16; ++code) {
    const grpc::Status status = ToGrpc(MakeStatus(static_cast<absl::StatusCode>(code), "why"));
    EXPECT_EQ(static_cast<int>(status.error_code()), code);
    EXPECT_EQ(status.error_message(), "why");
  }
  EXPECT_TRUE(ToGrpc(OkStatus()).ok());
}

TEST(ToGrpc, SendsNoDetailsWhereThereAreNone) {
  EXPECT_EQ(ToGrpc(MakeStatus(absl::StatusCode::kInternal, "why")).error_details(), "");
}

TEST(ToGrpc, RepeatsCodeAndMessageInTheDetails) {
  const auto status = ToGrpc(MakeError(absl::StatusCode::kNotFound, "no module dns", Reason("MODULE_NOT_FOUND")));
  EXPECT_EQ(Parse(status).code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(Parse(status).message(), "no module dns");
}

TEST(ToGrpc, NamesReasonDomainAndMetadata) {
  ErrorDetails details = Reason("MODULE_NOT_FOUND");
  details.metadata = {{"module", "dns"}};
  const auto info =
      Detail<google::rpc::ErrorInfo>(ToGrpc(MakeError(absl::StatusCode::kNotFound, "no module dns", details)));
  ASSERT_TRUE(info);
  EXPECT_EQ(info->reason(), "MODULE_NOT_FOUND");
  EXPECT_EQ(info->domain(), "probed");
  EXPECT_EQ(info->metadata().at("module"), "dns");
}

TEST(ToGrpc, NamesTheFields) {
  ErrorDetails details = Reason("CONFIG_INVALID");
  details.fields = {{"sink.spec.endpoint", "is required"}, {"sink.name", "is no name"}};
  const auto bad =
      Detail<google::rpc::BadRequest>(ToGrpc(MakeError(absl::StatusCode::kInvalidArgument, "sink", details)));
  ASSERT_TRUE(bad);
  ASSERT_EQ(bad->field_violations_size(), 2);
  EXPECT_EQ(bad->field_violations(0).field(), "sink.spec.endpoint");
  EXPECT_EQ(bad->field_violations(0).description(), "is required");
  EXPECT_EQ(bad->field_violations(1).field(), "sink.name");
}

TEST(ToGrpc, SaysWhichPreconditionFailed) {
  ErrorDetails details = Reason("SINK_IN_USE");
  details.metadata = {{"sink", "collector"}};
  const auto failure = Detail<google::rpc::PreconditionFailure>(
      ToGrpc(MakeError(absl::StatusCode::kFailedPrecondition, "route all uses it", details)));
  ASSERT_TRUE(failure);
  EXPECT_EQ(failure->violations(0).type(), "SINK_IN_USE");
  EXPECT_EQ(failure->violations(0).subject(), "collector");
  EXPECT_EQ(failure->violations(0).description(), "route all uses it");
  EXPECT_FALSE(Detail<google::rpc::PreconditionFailure>(
      ToGrpc(MakeError(absl::StatusCode::kAborted, "x", Reason("ETAG_MISMATCH")))));
}

TEST(ToGrpc, TurnsTheDelayIntoRetryInfo) {
  ErrorDetails details = Reason("LEDGER_BUSY");
  details.metadata = {{std::string(kRetryDelayKey), "1500"}};
  const grpc::Status status = ToGrpc(MakeError(absl::StatusCode::kUnavailable, "busy", details));
  const auto retry = Detail<google::rpc::RetryInfo>(status);
  ASSERT_TRUE(retry);
  EXPECT_EQ(retry->retry_delay().seconds(), 1);
  EXPECT_EQ(retry->retry_delay().nanos(), 500'000'000);
  EXPECT_EQ(Detail<google::rpc::ErrorInfo>(status)->metadata_size(), 0);
  details.metadata[std::string(kRetryDelayKey)] = "soon";
  EXPECT_FALSE(Detail<google::rpc::RetryInfo>(ToGrpc(MakeError(absl::StatusCode::kUnavailable, "busy", details))));
}

TEST(ToGrpc, CarriesTheLog) {
  ErrorDetails details = Reason("VERIFIER_REJECTED");
  details.log_tail = "R1 invalid mem access\n";
  const auto debug =
      Detail<google::rpc::DebugInfo>(ToGrpc(MakeError(absl::StatusCode::kFailedPrecondition, "no", details)));
  ASSERT_TRUE(debug);
  EXPECT_EQ(debug->detail(), "R1 invalid mem access\n");
}

TEST(ToGrpc, KeepsTheEndOfALongLogFromALineOn) {
  ErrorDetails details = Reason("VERIFIER_REJECTED");
  for (int i = 0; i < 2000; ++i) details.log_tail += "line " + std::to_string(i) + "\n";
  const grpc::Status status = ToGrpc(MakeError(absl::StatusCode::kFailedPrecondition, "no", details));
  const auto debug = Detail<google::rpc::DebugInfo>(status);
  ASSERT_TRUE(debug);
  EXPECT_THAT(debug->detail(), EndsWith("line 1999\n"));
  EXPECT_EQ(debug->detail().rfind("line ", 0), 0U);
  EXPECT_GT(debug->detail().size(), 3000U);
  EXPECT_LT(TrailerBytes(status), 8000U);
}

TEST(ToGrpc, CountsTheFieldsItLeavesOut) {
  ErrorDetails details = Reason("CONFIG_INVALID");
  for (int i = 0; i < 1000; ++i)
    details.fields.push_back({"table.targets[" + std::to_string(i) + "].name", "is required"});
  const grpc::Status status = ToGrpc(MakeError(absl::StatusCode::kInvalidArgument, "targets", details));
  const auto bad = Detail<google::rpc::BadRequest>(status);
  ASSERT_TRUE(bad);
  EXPECT_EQ(bad->field_violations(0).field(), "table.targets[0].name");
  EXPECT_GT(bad->field_violations_size(), 20);
  EXPECT_EQ(Detail<google::rpc::ErrorInfo>(status)->metadata().at("fields_omitted"),
            std::to_string(1000 - bad->field_violations_size()));
  EXPECT_LT(TrailerBytes(status), 8000U);
}

TEST(ToGrpc, BoundsTheMessage) {
  const grpc::Status status =
      ToGrpc(MakeError(absl::StatusCode::kInternal, std::string(100'000, '\n'), Reason("INTERNAL")));
  EXPECT_THAT(status.error_message(), SizeIs(1000));
  EXPECT_LT(TrailerBytes(status), 8000U);
}

TEST(ToGrpc, MakesTextOfAnyBytes) {
  ErrorDetails details = Reason("X");
  details.metadata = {{"path", "/tmp/\xFF"}};
  const grpc::Status status = ToGrpc(MakeError(absl::StatusCode::kFailedPrecondition, "bad \xFE byte", details));
  EXPECT_THAT(Parse(status).message(), HasSubstr("bad \xEF\xBF\xBD byte"));
  EXPECT_EQ(Detail<google::rpc::PreconditionFailure>(status)->violations(0).subject(), "/tmp/\xEF\xBF\xBD");
}

}  // namespace
}  // namespace probed::control
