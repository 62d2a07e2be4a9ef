// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/export/otlp_json.h"

#include <gmock/gmock.h>

#include <cctype>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>

#include "opentelemetry/proto/logs/v1/logs.pb.h"
#include "opentelemetry/proto/metrics/v1/metrics.pb.h"
#include "opentelemetry/proto/trace/v1/trace.pb.h"
#include "server/export/log_encoder.h"
#include "server/export/metric_encoder.h"
#include "server/export/otlp_schema.h"
#include "server/export/tests/test_metrics.h"
#include "server/export/tests/test_span.h"

namespace probed::exporter {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using nlohmann::json;

// --- the tables against the official descriptors ---------------------------------------------------------------------

bool IsId(const FieldDescriptor& field) {
  return field.name() == "trace_id" || field.name() == "span_id" || field.name() == "parent_span_id";
}

JsonType Expected(const FieldDescriptor& field) {
  switch (field.type()) {
    case FieldDescriptor::TYPE_STRING: return JsonType::kText;
    case FieldDescriptor::TYPE_BYTES: return IsId(field) ? JsonType::kHex : JsonType::kBase64;
    case FieldDescriptor::TYPE_BOOL: return JsonType::kBool;
    case FieldDescriptor::TYPE_INT64: return JsonType::kInt64;
    case FieldDescriptor::TYPE_UINT32:
    case FieldDescriptor::TYPE_ENUM: return JsonType::kInt32;
    case FieldDescriptor::TYPE_SINT32: return JsonType::kSint32;
    case FieldDescriptor::TYPE_UINT64: return JsonType::kUint64;
    case FieldDescriptor::TYPE_FIXED64: return JsonType::kFixed64;
    case FieldDescriptor::TYPE_SFIXED64: return JsonType::kSfixed64;
    case FieldDescriptor::TYPE_FIXED32: return JsonType::kFixed32;
    case FieldDescriptor::TYPE_DOUBLE: return JsonType::kDouble;
    case FieldDescriptor::TYPE_MESSAGE: return JsonType::kMessage;
    default: ADD_FAILURE() << field.full_name(); return JsonType::kText;
  }
}

void Compare(const MessageTable& table, const Descriptor& descriptor, std::set<std::string>& seen) {
  if (!seen.insert(descriptor.full_name()).second) return;
  EXPECT_EQ(table.full_name, descriptor.full_name());
  for (const FieldRow& row : table.fields) {
    const FieldDescriptor* field = descriptor.FindFieldByNumber(static_cast<int>(row.number));
    ASSERT_NE(field, nullptr) << table.full_name << " " << row.number;
    EXPECT_EQ(row.json_name, field->json_name());
    EXPECT_EQ(row.type, Expected(*field)) << field->full_name();
    EXPECT_EQ(row.repeated, field->is_repeated()) << field->full_name();
    ASSERT_EQ(row.message != nullptr, field->message_type() != nullptr) << field->full_name();
    if (row.message != nullptr) Compare(*row.message, *field->message_type(), seen);
  }
}

TEST(OtlpSchema, AgreesWithTheDescriptors) {
  namespace otlp = opentelemetry::proto;
  std::set<std::string> seen;
  Compare(DataTable(config::Signal::kTraces), *otlp::trace::v1::TracesData::descriptor(), seen);
  Compare(DataTable(config::Signal::kMetrics), *otlp::metrics::v1::MetricsData::descriptor(), seen);
  Compare(DataTable(config::Signal::kLogs), *otlp::logs::v1::LogsData::descriptor(), seen);
  EXPECT_GT(seen.size(), 25U);
}

TEST(OtlpSchema, LeavesNoFieldOfOurSignalsOut) {
  namespace otlp = opentelemetry::proto;
  EXPECT_EQ(ItemTable(config::Signal::kTraces).fields.size(),
            static_cast<std::size_t>(otlp::trace::v1::Span::descriptor()->field_count()));
  EXPECT_EQ(ItemTable(config::Signal::kLogs).fields.size(),
            static_cast<std::size_t>(otlp::logs::v1::LogRecord::descriptor()->field_count()));
}

// --- whole batches ---------------------------------------------------------------------------------------------------

BatchPtr FullSpan() {
  static KeyTable keys;
  TestSpan span;
  span.Text(keys.Intern("url.path"), "/\"a\"\n\x01").Int(keys.Intern("n"), -5).Double(keys.Intern("d"), 0.5);
  span.Bool(keys.Intern("b"), true).Strings(keys.Intern("s"), {"x", "y"});
  probe_trace_context_t link{};
  link.valid = 1;
  link.trace_id[0] = 0xab;
  link.span_id[0] = 0xcd;
  span.Link(link);
  SpanRecord& record = span.record();
  record.parent_span_id[7] = 0x0f;
  record.trace_state = "a=b";
  record.status = PROBE_STATUS_ERROR;
  record.error_type = "500";
  record.flags = 0x301;
  BatchBuilder builder(keys);
  builder.Append(MakeResource(1, {{"service.name", std::string("shop")}, {"process.pid", std::int64_t{1} << 40}}),
                 MakeScope(1, "probed.http", "0.1.0"), record);
  return builder.Seal();
}

TEST(OtlpJson, SpanExactly) {
  EXPECT_EQ(
      ToOtlpJson(*FullSpan()),
      R"({"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"shop"}},)"
      R"({"key":"process.pid","value":{"intValue":"1099511627776"}}]},)"
      R"("scopeSpans":[{"scope":{"name":"probed.http","version":"0.1.0"},)"
      R"("spans":[{"traceId":"0102030405060708090a0b0c0d0e0f10","spanId":"4142434445464748","traceState":"a=b",)"
      R"("parentSpanId":"000000000000000f","flags":769,"name":"GET /users","kind":2,)"
      R"("startTimeUnixNano":"1700000000000000000","endTimeUnixNano":"1700000000001500000",)"
      R"("attributes":[{"key":"url.path","value":{"stringValue":"/\"a\"\n\u0001"}},{"key":"n","value":{"intValue":"-5"}},)"
      R"({"key":"d","value":{"doubleValue":0.5}},{"key":"b","value":{"boolValue":true}},)"
      R"({"key":"s","value":{"arrayValue":{"values":[{"stringValue":"x"},{"stringValue":"y"}]}}},)"
      R"({"key":"error.type","value":{"stringValue":"500"}}],)"
      R"("links":[{"traceId":"ab000000000000000000000000000000","spanId":"cd00000000000000","flags":768}],)"
      R"("status":{"code":2}}],"schemaUrl":"https://opentelemetry.io/schemas/1.45.0"}],)"
      R"("schemaUrl":"https://opentelemetry.io/schemas/1.45.0"}]})");
}

TEST(OtlpJson, MetricsHavePackedArraysAndBothValueTypes) {
  const auto batch = EncodeMetrics({{TestHistogram(), TestSum(), TestGauge()}}).at(0);
  const json metrics =
      json::parse(ToOtlpJson(*batch)).at("resourceMetrics").at(0).at("scopeMetrics").at(0).at("metrics");
  const json& point = metrics.at(0).at("histogram").at("dataPoints").at(0);
  EXPECT_EQ(point.at("bucketCounts"), json::parse(R"(["1","2","3"])"));
  EXPECT_EQ(point.at("explicitBounds"), json::parse("[0.005,0.01]"));
  EXPECT_EQ(point.at("count"), "6");
  EXPECT_EQ(point.at("sum"), 1.75);
  EXPECT_EQ(metrics.at(0).at("histogram").at("aggregationTemporality"), 2);
  EXPECT_EQ(metrics.at(1).at("sum").at("isMonotonic"), true);
  EXPECT_EQ(metrics.at(1).at("sum").at("dataPoints").at(0).at("asInt"), "7");
  EXPECT_EQ(metrics.at(2).at("gauge").at("dataPoints").at(0).at("asDouble"), 0.5);
}

TEST(OtlpJson, NumbersJsonDoesNotHaveAreStrings) {
  Metric metric = TestGauge();
  metric.points.resize(3, metric.points[0]);
  metric.points[0].value = std::numeric_limits<double>::quiet_NaN();
  metric.points[1].value = std::numeric_limits<double>::infinity();
  metric.points[2].value = -std::numeric_limits<double>::infinity();
  const std::string text = ToOtlpJson(*EncodeMetrics({{metric}}).at(0));
  EXPECT_THAT(text, testing::HasSubstr(R"("asDouble":"NaN")"));
  EXPECT_THAT(text, testing::HasSubstr(R"("asDouble":"Infinity")"));
  EXPECT_THAT(text, testing::HasSubstr(R"("asDouble":"-Infinity")"));
}

TEST(OtlpJson, Logs) {
  const KeyTable keys;
  LogBatchBuilder builder(keys);
  LogRecord record;
  record.time_utc_ns = 12;
  record.severity = 9;
  record.body = "hello";
  record.event_name = "e";
  record.trace_id[0] = 0xff;
  builder.Append(MakeResource(1, {}), MakeScope(1, "s", ""), record);
  const json data = json::parse(ToOtlpJson(*builder.Seal()));
  const json& log = data.at("resourceLogs").at(0).at("scopeLogs").at(0).at("logRecords").at(0);
  EXPECT_EQ(log, json::parse(R"({"timeUnixNano":"12","severityNumber":9,"eventName":"e","body":{"stringValue":"hello"},
                                 "traceId":"ff000000000000000000000000000000"})"));
}

TEST(OtlpJson, ForEachSpanGivesEachWithItsContext) {
  std::vector<std::string> found;
  ForEachSpanJson(*FullSpan(),
                  [&](std::string_view service, std::string_view scope, std::uint32_t kind, const std::string& text) {
                    EXPECT_EQ(service, "shop");
                    EXPECT_EQ(scope, "probed.http");
                    EXPECT_EQ(kind, 2U);
                    found.push_back(text);
                  });
  ASSERT_EQ(found.size(), 1U);
  const json item = json::parse(found[0]);
  EXPECT_EQ(item.at("resource").at("attributes").at(0).at("key"), "service.name");
  EXPECT_EQ(item.at("scope").at("name"), "probed.http");
  EXPECT_EQ(item.at("span").at("spanId"), "4142434445464748");
}

TEST(OtlpJson, ItemsOfMetricsCountTheirPoints) {
  Metric metric = TestSum();
  metric.points.resize(3, metric.points[0]);
  std::uint32_t points = 0;
  ForEachItemJson(*EncodeMetrics({{metric}}).at(0), [&](const ItemJson& item) {
    points += item.items;
    EXPECT_EQ(json::parse(item.json).at("metric").at("name"), "dns.client.requests");
  });
  EXPECT_EQ(points, 3U);
}

TEST(OtlpJson, CutBatchesNeverBreakTheOutput) {
  const BatchPtr whole = FullSpan();
  for (std::size_t size = 0; size < whole->bytes.size(); ++size) {
    Batch cut;
    cut.bytes = whole->bytes.substr(0, size);
    EXPECT_TRUE(json::accept(ToOtlpJson(cut))) << size;
    ForEachItemJson(cut, [&](const ItemJson& item) { EXPECT_TRUE(json::accept(item.json)) << size; });
  }
}

TEST(OtlpJson, TextThatIsNotUtf8IsReplaced) {
  std::string out;
  AppendJsonString(out, "a\xff\x7f");
  EXPECT_EQ(out, "\"a\xEF\xBF\xBD\\u007f\"");
}

}  // namespace
}  // namespace probed::exporter
