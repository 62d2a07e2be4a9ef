// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Reads sealed batches back, as views: for the JSON printer, the console, Tail and Prometheus labels. All views live as
// long as the bytes read. Malformed bytes end the reading; nothing throws.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "server/export/batch.h"

namespace probed::exporter {

/// One span, metric or log record with what stands above it, each as an encoded message.
struct ItemView {
  std::string_view resource;
  std::string_view scope;
  std::string_view item;
};

/// Calls `visit` for each item in order. False when the bytes are no OTLP request (items before the fault were
/// visited).
bool ForEachItem(std::string_view request, const std::function<void(const ItemView&)>& visit);

/// An encoded common.v1.ArrayValue or KeyValueList, unread.
struct NestedValue {
  std::string_view encoded;
};
using ValueView = std::variant<std::monostate, std::string_view, bool, std::int64_t, double, NestedValue>;

struct AttributeView {
  std::string_view key;
  ValueView value;
};

/// The KeyValue messages in field `field` of an encoded message.
std::vector<AttributeView> ReadAttributes(std::string_view message, std::uint32_t field);

/// A value as a person reads it; arrays as [a, b].
std::string ValueText(const ValueView& value);

std::vector<AttributeView> ReadResourceAttributes(std::string_view resource);
/// service.name of an encoded Resource; empty when it has none.
std::string_view ReadServiceName(std::string_view resource);

struct ScopeView {
  std::string_view name;
  std::string_view version;
};
ScopeView ReadScope(std::string_view scope);

struct SpanView {
  std::string_view trace_id;
  std::string_view span_id;
  std::string_view parent_span_id;
  std::string_view name;
  std::uint32_t kind = 0;
  std::uint32_t status = 0;
  std::uint64_t start_utc_ns = 0;
  std::uint64_t end_utc_ns = 0;
  std::vector<AttributeView> attributes;
};
SpanView ReadSpan(std::string_view span);

struct LogView {
  std::uint64_t time_utc_ns = 0;
  std::uint32_t severity = 0;
  std::string_view event_name;
  ValueView body;
  std::vector<AttributeView> attributes;
};
LogView ReadLog(std::string_view record);

struct MetricView {
  std::string_view name;
  std::string_view unit;
  std::uint32_t points = 0;
};
MetricView ReadMetric(std::string_view metric);

/// "server", "client", …; empty for none.
std::string_view SpanKindName(std::uint32_t kind);

}  // namespace probed::exporter
