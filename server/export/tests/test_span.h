// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Spans for the tests: an owner of everything a SpanRecord points to.
#pragma once

#include <cstring>
#include <deque>
#include <string>
#include <vector>

#include "server/export/batch.h"
#include "server/export/key_table.h"
#include "server/export/resource.h"
#include "server/export/span_encoder.h"

namespace probed::exporter {

inline probe_str_t Str(std::string_view text) { return {text.data(), text.size()}; }

class TestSpan {
 public:
  explicit TestSpan(std::uint8_t seed = 1) {
    for (std::uint8_t i = 0; i < 16; ++i) record_.trace_id[i] = static_cast<std::uint8_t>(seed + i);
    for (std::uint8_t i = 0; i < 8; ++i) record_.span_id[i] = static_cast<std::uint8_t>(seed + 0x40 + i);
    record_.kind = PROBE_SPAN_SERVER;
    record_.start_utc_ns = 1'700'000'000'000'000'000;
    record_.end_utc_ns = record_.start_utc_ns + 1'500'000;
    record_.name = "GET /users";
  }

  SpanRecord& record() { return record_; }

  TestSpan& Text(std::uint32_t key, std::string value) {
    texts_.push_back(std::move(value));
    probe_attribute_t attribute{};
    attribute.key = key;
    attribute.type = PROBE_ATTR_STRING;
    attribute.value.string = Str(texts_.back());
    return Add(attribute);
  }
  TestSpan& Int(std::uint32_t key, std::int64_t value) {
    probe_attribute_t attribute{};
    attribute.key = key;
    attribute.type = PROBE_ATTR_INT;
    attribute.value.integer = value;
    return Add(attribute);
  }
  TestSpan& Double(std::uint32_t key, double value) {
    probe_attribute_t attribute{};
    attribute.key = key;
    attribute.type = PROBE_ATTR_DOUBLE;
    attribute.value.number = value;
    return Add(attribute);
  }
  TestSpan& Bool(std::uint32_t key, bool value) {
    probe_attribute_t attribute{};
    attribute.key = key;
    attribute.type = PROBE_ATTR_BOOL;
    attribute.value.boolean = value ? 1 : 0;
    return Add(attribute);
  }
  TestSpan& Strings(std::uint32_t key, const std::vector<std::string>& values) {
    std::vector<probe_str_t>& items = lists_.emplace_back();
    for (const std::string& value : values) items.push_back(Str(texts_.emplace_back(value)));
    probe_attribute_t attribute{};
    attribute.key = key;
    attribute.type = PROBE_ATTR_STRINGS;
    attribute.value.strings.items = items.data();
    attribute.value.strings.count = items.size();
    return Add(attribute);
  }
  TestSpan& Add(const probe_attribute_t& attribute) {
    attributes_.push_back(attribute);
    record_.attributes = attributes_;
    return *this;
  }
  TestSpan& Link(const probe_trace_context_t& link) {
    links_.push_back(link);
    record_.links = links_;
    return *this;
  }

  std::deque<std::string> texts_;

 private:
  SpanRecord record_;
  std::vector<probe_attribute_t> attributes_;
  std::vector<probe_trace_context_t> links_;
  std::deque<std::vector<probe_str_t>> lists_;
};

/// A sealed batch of `count` plain spans of one service.
inline BatchPtr TestBatch(int count = 1, std::string_view service = "shop") {
  static const KeyTable keys;
  BatchBuilder builder(keys);
  const Resource resource = MakeResource(1, {{"service.name", std::string(service)}});
  const Scope scope = MakeScope(1, "probed.http", "0.1.0");
  for (int i = 0; i < count; ++i) builder.Append(resource, scope, TestSpan(static_cast<std::uint8_t>(i + 1)).record());
  return builder.Seal();
}

}  // namespace probed::exporter
