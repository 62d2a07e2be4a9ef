// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/export/otlp_response.h"

#include <gmock/gmock.h>

#include "opentelemetry/proto/collector/logs/v1/logs_service.pb.h"
#include "opentelemetry/proto/collector/metrics/v1/metrics_service.pb.h"
#include "opentelemetry/proto/collector/trace/v1/trace_service.pb.h"
#include "server/export/tests/rpc_status.h"

namespace probed::exporter {
namespace {

using std::chrono::milliseconds;
using testing::Optional;
namespace collector = opentelemetry::proto::collector;

TEST(OtlpResponse, PartialSuccessOfEachSignal) {
  collector::trace::v1::ExportTraceServiceResponse traces;
  traces.mutable_partial_success()->set_rejected_spans(3);
  traces.mutable_partial_success()->set_error_message("too old");
  const AttemptResult result = ParseExportResponse(traces.SerializeAsString());
  EXPECT_EQ(result.kind, AttemptResult::Kind::kPartial);
  EXPECT_EQ(result.rejected, 3U);
  EXPECT_EQ(result.message, "too old");

  collector::metrics::v1::ExportMetricsServiceResponse metrics;
  metrics.mutable_partial_success()->set_rejected_data_points(4);
  EXPECT_EQ(ParseExportResponse(metrics.SerializeAsString()).rejected, 4U);
  collector::logs::v1::ExportLogsServiceResponse logs;
  logs.mutable_partial_success()->set_rejected_log_records(5);
  EXPECT_EQ(ParseExportResponse(logs.SerializeAsString()).rejected, 5U);
}

TEST(OtlpResponse, AMessageAloneIsAWarning) {
  collector::trace::v1::ExportTraceServiceResponse response;
  response.mutable_partial_success()->set_error_message("deprecated");
  const AttemptResult result = ParseExportResponse(response.SerializeAsString());
  EXPECT_EQ(result.kind, AttemptResult::Kind::kPartial);
  EXPECT_EQ(result.rejected, 0U);
}

TEST(OtlpResponse, EmptyAndUnreadableAnswersAreSuccess) {
  collector::trace::v1::ExportTraceServiceResponse response;
  response.mutable_partial_success();
  for (const std::string& body :
       {std::string(), response.SerializeAsString(), std::string("<html>"), std::string("\x0a\xff")}) {
    EXPECT_EQ(ParseExportResponse(body).kind, AttemptResult::Kind::kOk);
  }
  response.mutable_partial_success()->set_rejected_spans(-1);
  EXPECT_EQ(ParseExportResponse(response.SerializeAsString()).rejected, 0U);
}

TEST(OtlpResponse, RetryInfo) {
  EXPECT_THAT(ParseRetryInfo(RpcStatus(8, "busy", 2, 500'000'000)), Optional(milliseconds(2500)));
  EXPECT_THAT(ParseRetryInfo(RpcStatus(8, "busy", -5, 0)), Optional(milliseconds(0)));
  EXPECT_THAT(ParseRetryInfo(RpcStatus(8, "busy", 1LL << 60, 0)), Optional(milliseconds(24LL * 3600 * 1000)));
  EXPECT_EQ(ParseRetryInfo(RpcStatus(8, "busy")), std::nullopt);
  EXPECT_EQ(ParseRetryInfo("garbage\xff"), std::nullopt);
  EXPECT_EQ(ParseRpcMessage(RpcStatus(8, "busy", 1, 0)), "busy");
}

TEST(OtlpResponse, RetryAfterInEveryForm) {
  constexpr std::int64_t kNow = 784111777;  // Sun, 06 Nov 1994 08:49:37 GMT
  EXPECT_THAT(ParseRetryAfter("120", kNow), Optional(milliseconds(120'000)));
  EXPECT_THAT(ParseRetryAfter("0", kNow), Optional(milliseconds(0)));
  EXPECT_THAT(ParseRetryAfter("Sun, 06 Nov 1994 08:49:47 GMT", kNow), Optional(milliseconds(10'000)));
  EXPECT_THAT(ParseRetryAfter("Sunday, 06-Nov-94 08:49:47 GMT", kNow), Optional(milliseconds(10'000)));
  EXPECT_THAT(ParseRetryAfter("Sun Nov  6 08:49:47 1994", kNow), Optional(milliseconds(10'000)));
  EXPECT_THAT(ParseRetryAfter("Sun, 06 Nov 1994 08:00:00 GMT", kNow), Optional(milliseconds(0)));
  for (const char* bad : {"", "soon", "12x", "Sun, 06 Nov 1994"})
    EXPECT_EQ(ParseRetryAfter(bad, kNow), std::nullopt) << bad;
}

}  // namespace
}  // namespace probed::exporter
