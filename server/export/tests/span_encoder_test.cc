// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// The hand-written encoder against the generated classes.
#include "server/export/span_encoder.h"

#include <gmock/gmock.h>
#include <google/protobuf/util/message_differencer.h>

#include <random>

#include "opentelemetry/proto/trace/v1/trace.pb.h"
#include "server/export/tests/test_span.h"
#include "server/export/utf8.h"

namespace probed::exporter {
namespace {

namespace otlp = opentelemetry::proto;
using google::protobuf::util::MessageDifferencer;

otlp::trace::v1::Span Encode(const KeyTable& keys, const SpanRecord& record) {
  WireWriter out;
  EncodeSpan(out, keys, record);
  otlp::trace::v1::ScopeSpans spans;
  EXPECT_TRUE(spans.ParseFromArray(out.view().data(), static_cast<int>(out.size())));
  EXPECT_EQ(spans.spans_size(), 1);
  // Canonical, too: serialising what was read gives the same number of bytes.
  EXPECT_EQ(spans.ByteSizeLong(), out.size());
  EXPECT_TRUE(spans.GetReflection()->GetUnknownFields(spans).empty());
  return spans.spans(0);
}

std::string Bytes(const std::uint8_t* id, std::size_t size) { return {reinterpret_cast<const char*>(id), size}; }

void SetValue(const probe_attribute_t& from, otlp::common::v1::AnyValue* to) {
  const auto text = [](const probe_str_t& str) { return ToValidUtf8({str.ptr, str.len}); };
  switch (from.type) {
    case PROBE_ATTR_STRING: to->set_string_value(text(from.value.string)); break;
    case PROBE_ATTR_INT: to->set_int_value(from.value.integer); break;
    case PROBE_ATTR_DOUBLE: to->set_double_value(from.value.number); break;
    case PROBE_ATTR_BOOL: to->set_bool_value(from.value.boolean != 0); break;
    case PROBE_ATTR_STRINGS: {
      auto* array = to->mutable_array_value();
      for (std::size_t i = 0; i < from.value.strings.count; ++i) {
        array->add_values()->set_string_value(text(from.value.strings.items[i]));
      }
      break;
    }
    default: FAIL() << from.type;
  }
}

/// The same span by way of the generated classes.
otlp::trace::v1::Span Expected(const KeyTable& keys, const SpanRecord& record) {
  otlp::trace::v1::Span span;
  span.set_trace_id(Bytes(record.trace_id, 16));
  span.set_span_id(Bytes(record.span_id, 8));
  if (Bytes(record.parent_span_id, 8) != std::string(8, '\0')) span.set_parent_span_id(Bytes(record.parent_span_id, 8));
  span.set_trace_state(ToValidUtf8(record.trace_state));
  span.set_name(ToValidUtf8(record.name));
  span.set_kind(static_cast<otlp::trace::v1::Span::SpanKind>(record.kind));
  span.set_start_time_unix_nano(record.start_utc_ns);
  span.set_end_time_unix_nano(record.end_utc_ns);
  span.set_flags(record.flags);
  for (const probe_attribute_t& attribute : record.attributes) {
    auto* pair = span.add_attributes();
    pair->set_key(std::string(keys.Text(attribute.key)));
    SetValue(attribute, pair->mutable_value());
  }
  if (!record.error_type.empty()) {
    auto* pair = span.add_attributes();
    pair->set_key("error.type");
    pair->mutable_value()->set_string_value(ToValidUtf8(record.error_type));
  }
  for (const probe_trace_context_t& link : record.links) {
    auto* to = span.add_links();
    to->set_trace_id(Bytes(link.trace_id, 16));
    to->set_span_id(Bytes(link.span_id, 8));
    to->set_trace_state(std::string(link.state.ptr, link.state.len));
    to->set_flags(0x300U | link.flags);
  }
  if (record.status != 0) span.mutable_status()->set_code(otlp::trace::v1::Status::STATUS_CODE_ERROR);
  return span;
}

void ExpectSame(const KeyTable& keys, const SpanRecord& record) {
  const auto actual = Encode(keys, record);
  const auto expected = Expected(keys, record);
  EXPECT_TRUE(MessageDifferencer::Equals(actual, expected)) << actual.DebugString() << "expected\n"
                                                            << expected.DebugString();
}

/// The same message comes out when the first `count` attributes were encoded before.
void ExpectSameWithConstant(const KeyTable& keys, const SpanRecord& record, std::size_t count) {
  WireWriter constant;
  SpanRecord split = record;
  split.constant.dropped = EncodeSpanAttributes(constant, keys, record.attributes.first(count));
  split.constant.bytes = constant.view();
  split.attributes = record.attributes.subspan(count);
  WireWriter whole;
  WireWriter parts;
  EncodeSpan(whole, keys, record);
  EncodeSpan(parts, keys, split);
  EXPECT_EQ(parts.view(), whole.view());
}

TEST(SpanEncoder, MinimalSpan) {
  const KeyTable keys;
  ExpectSame(keys, TestSpan().record());
  EXPECT_FALSE(Encode(keys, TestSpan().record()).has_status());
}

TEST(SpanEncoder, EveryFieldAndEveryType) {
  KeyTable keys;
  const auto key = [&](std::string_view text) { return keys.Intern(text); };
  TestSpan span;
  span.Text(key("url.path"), "/a").Text(key("empty"), "").Int(key("n"), -1).Int(key("big"), INT64_MAX);
  span.Int(key("zero"), 0).Double(key("d"), 0.25).Bool(key("yes"), true).Bool(key("no"), false);
  span.Strings(key("http.request.header.accept"), {"a", "", "b\xff"}).Strings(key("none"), {});
  probe_trace_context_t link{};
  link.trace_id[0] = 7;
  link.span_id[7] = 9;
  link.flags = 1;
  link.valid = 1;
  link.state = Str("v=1");
  span.Link(link);
  SpanRecord& record = span.record();
  record.parent_span_id[3] = 1;
  record.trace_state = "ot=th:8";
  record.status = PROBE_STATUS_ERROR;
  record.error_type = "500";
  record.flags = 0x301;
  ExpectSame(keys, record);
}

TEST(SpanEncoder, LinkThatWasNotFoundIsLeftOut) {
  const KeyTable keys;
  TestSpan span;
  span.Link(probe_trace_context_t{});
  EXPECT_EQ(Encode(keys, span.record()).links_size(), 0);
}

TEST(SpanEncoder, CountsAttributesItCannotWrite) {
  KeyTable keys;
  TestSpan span;
  probe_attribute_t strange{};
  strange.key = keys.Intern("k");
  strange.type = 77;
  span.Int(999, 1).Int(0, 1).Add(strange).Int(strange.key, 5);
  const auto encoded = Encode(keys, span.record());
  EXPECT_EQ(encoded.dropped_attributes_count(), 3U);
  ASSERT_EQ(encoded.attributes_size(), 1);
  EXPECT_EQ(encoded.attributes(0).value().int_value(), 5);
  for (std::size_t count = 0; count <= span.record().attributes.size(); ++count) {
    ExpectSameWithConstant(keys, span.record(), count);
  }
}

TEST(SpanEncoder, EveryLengthOfKeyAndValue) {
  KeyTable keys(2000);
  for (std::size_t length = 1; length <= 300; ++length) {
    TestSpan span;
    span.Text(keys.Intern(std::string(length, 'k')), std::string(300 - length, 'v')).Int(1, 1);
    ExpectSame(keys, span.record());
  }
  TestSpan huge;
  huge.Text(1, std::string(200000, 'v'));
  ExpectSame(keys, huge.record());
}

TEST(SpanEncoder, ReplacesInvalidUtf8Everywhere) {
  KeyTable keys;
  TestSpan span;
  span.Text(keys.Intern("a"), "caf\xc3\xa9").Text(keys.Intern("b"), std::string(126, 'x') + "\xff");
  span.record().name = "GET \x80";
  span.record().trace_state = "\xfe";
  span.record().error_type = "\xed\xa0\x80";
  ExpectSame(keys, span.record());
  EXPECT_EQ(Encode(keys, span.record()).name(), "GET \xEF\xBF\xBD");
}

class Random {
 public:
  std::uint64_t Below(std::uint64_t bound) { return engine_() % bound; }
  std::string Text(std::size_t max) {
    std::string text(Below(max + 1), 'a');
    const bool ascii = Below(4) != 0;
    for (char& c : text) c = static_cast<char>(ascii ? 32 + Below(95) : Below(256));
    return text;
  }
  void Fill(std::uint8_t* bytes, std::size_t size) {
    for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::uint8_t>(Below(256));
  }

 private:
  std::mt19937_64 engine_{20240229};
};

void AddRandomAttribute(Random& random, TestSpan& span, std::uint32_t key) {
  switch (random.Below(5)) {
    case 0: span.Text(key, random.Text(random.Below(20) == 0 ? 20000 : 200)); break;
    case 1: span.Int(key, static_cast<std::int64_t>(random.Below(~0ULL) >> random.Below(64))); break;
    case 2: span.Double(key, static_cast<double>(random.Below(1000)) / 7); break;
    case 3: span.Bool(key, random.Below(2) == 0); break;
    default: span.Strings(key, {random.Text(20), random.Text(150)});
  }
}

TEST(SpanEncoder, RandomSpansReadBackAsTheyWere) {
  Random random;
  KeyTable keys;
  for (int i = 0; i < 200; ++i) keys.Intern("key." + std::to_string(i) + random.Text(60));
  for (int round = 0; round < 2000; ++round) {
    TestSpan span;
    SpanRecord& record = span.record();
    random.Fill(record.trace_id, 16);
    random.Fill(record.span_id, 8);
    if (random.Below(2) == 0) random.Fill(record.parent_span_id, 8);
    record.kind = static_cast<std::uint32_t>(1 + random.Below(5));
    record.start_utc_ns = random.Below(~0ULL);
    record.end_utc_ns = random.Below(~0ULL);
    record.flags = static_cast<std::uint32_t>(random.Below(0x400));
    record.status = random.Below(3) == 0 ? PROBE_STATUS_ERROR : PROBE_STATUS_UNSET;
    const std::string name = random.Text(100);
    const std::string error = random.Text(20);
    record.name = name;
    record.error_type = error;
    for (std::uint64_t n = random.Below(30); n > 0; --n) {
      AddRandomAttribute(random, span, static_cast<std::uint32_t>(1 + random.Below(keys.size())));
    }
    ExpectSame(keys, record);
    ExpectSameWithConstant(keys, record, random.Below(record.attributes.size() + 1));
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace probed::exporter
