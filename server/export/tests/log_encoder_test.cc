// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/export/log_encoder.h"

#include <gmock/gmock.h>

#include "opentelemetry/proto/collector/logs/v1/logs_service.pb.h"
#include "server/export/tests/test_span.h"

namespace probed::exporter {
namespace {

opentelemetry::proto::logs::v1::LogRecord Encode(const KeyTable& keys, const LogRecord& record) {
  LogBatchBuilder builder(keys);
  builder.Append(MakeResource(1, {{"service.name", std::string("shop")}}), MakeScope(1, "probed.oom", "1"), record);
  EXPECT_EQ(builder.items(), 1U);
  const BatchPtr batch = builder.Seal();
  EXPECT_EQ(batch->signal, config::Signal::kLogs);
  opentelemetry::proto::collector::logs::v1::ExportLogsServiceRequest request;
  EXPECT_TRUE(request.ParseFromString(std::string(batch->bytes)));
  EXPECT_EQ(request.ByteSizeLong(), batch->bytes.size());
  return request.resource_logs(0).scope_logs(0).log_records(0);
}

TEST(LogEncoder, WritesEveryField) {
  KeyTable keys;
  TestSpan attributes;
  attributes.Int(keys.Intern("process.pid"), 7).Int(12345, 1);
  LogRecord record;
  record.time_utc_ns = 5;
  record.observed_utc_ns = 6;
  record.severity = 17;
  record.trace_id[0] = 1;
  record.span_id[0] = 2;
  record.trace_flags = 0x101;
  record.event_name = "process.killed";
  record.body = "out of memory \xff";
  record.attributes = attributes.record().attributes;
  const auto log = Encode(keys, record);
  EXPECT_EQ(log.time_unix_nano(), 5U);
  EXPECT_EQ(log.observed_time_unix_nano(), 6U);
  EXPECT_EQ(log.severity_number(), 17);
  EXPECT_EQ(log.trace_id().size(), 16U);
  EXPECT_EQ(log.span_id().size(), 8U);
  EXPECT_EQ(log.flags(), 1U);
  EXPECT_EQ(log.event_name(), "process.killed");
  EXPECT_EQ(log.body().string_value(), "out of memory \xEF\xBF\xBD");
  EXPECT_EQ(log.attributes_size(), 1);
  EXPECT_EQ(log.dropped_attributes_count(), 1U);
}

TEST(LogEncoder, LeavesOutIdsThatAreUnset) {
  LogRecord record;
  record.body = "x";
  const auto log = Encode(KeyTable(), record);
  EXPECT_THAT(log.trace_id(), testing::IsEmpty());
  EXPECT_THAT(log.span_id(), testing::IsEmpty());
  EXPECT_FALSE(log.attributes_size() > 0);
}

}  // namespace
}  // namespace probed::exporter
