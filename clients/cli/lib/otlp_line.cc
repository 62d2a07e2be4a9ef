// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "clients/cli/lib/otlp_line.h"

#include <array>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <ctime>
#include <nlohmann/json.hpp>
#include <string_view>
#include <vector>

#include "clients/cli/lib/duration.h"
#include "clients/cli/lib/escape.h"

namespace probed::cli {
namespace {

using nlohmann::json;

struct Part {
  std::string text;
  Paint paint = Paint::kPlain;
};

struct Attribute {
  std::string key;
  std::string value;
};

const json kNothing = json::object();

const json& Member(const json& object, const char* key) {
  const auto found = object.is_object() ? object.find(key) : object.end();
  return found == object.end() ? kNothing : *found;
}

std::string Text(const json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_object() && value.empty()) return {};
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

/// OTLP/JSON writes 64-bit integers as strings, some writers as numbers.
std::uint64_t Integer(const json& value) {
  if (value.is_number_unsigned() || value.is_number_integer()) return value.get<std::uint64_t>();
  std::uint64_t number = 0;
  if (value.is_string()) {
    const auto& text = value.get_ref<const std::string&>();
    std::from_chars(text.data(), text.data() + text.size(), number);
  }
  return number;
}

/// An AnyValue: {"stringValue": "x"}, {"intValue": "1"}, {"arrayValue": {"values": [...]}}.
std::string AnyValue(const json& value) {
  if (!value.is_object() || value.empty()) return {};
  if (value.contains("arrayValue")) {
    std::string out;
    for (const json& item : Member(value["arrayValue"], "values")) out += (out.empty() ? "" : ",") + AnyValue(item);
    return "[" + out + "]";
  }
  return Text(value.begin().value());
}

std::vector<Attribute> Attributes(const json& owner) {
  std::vector<Attribute> out;
  const json& list = Member(owner, "attributes");
  if (!list.is_array()) return out;
  for (const json& item : list) out.push_back({Text(Member(item, "key")), AnyValue(Member(item, "value"))});
  return out;
}

/// Time of day with milliseconds.
std::string TimeOfDay(std::uint64_t utc_ns, bool utc) {
  if (utc_ns == 0) return "--:--:--.---";
  const auto seconds = static_cast<std::time_t>(utc_ns / 1'000'000'000);
  std::tm parts{};
  utc ? gmtime_r(&seconds, &parts) : localtime_r(&seconds, &parts);
  std::array<char, 32> text{};
  std::strftime(text.data(), text.size(), "%H:%M:%S", &parts);
  const std::string millis = std::to_string(1000 + utc_ns / 1'000'000 % 1000);
  return std::string(text.data()) + "." + millis.substr(1);
}

std::string KindName(const json& kind) {
  constexpr std::array kNames{"UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"};
  if (kind.is_string()) {
    const auto name = kind.get<std::string>();
    constexpr std::string_view kPrefix = "SPAN_KIND_";
    return name.starts_with(kPrefix) ? name.substr(kPrefix.size()) : name;
  }
  const std::uint64_t number = Integer(kind);
  return number < kNames.size() ? kNames[number] : "KIND" + std::to_string(number);
}

bool IsStatusCode(std::string_view key) { return key.ends_with("status_code"); }

/// Errors come first, then what the protocol answered, else nothing is said.
Part StatusPart(const json& span, const std::vector<Attribute>& attributes) {
  const json& code = Member(Member(span, "status"), "code");
  const bool failed = code == 2 || code == "STATUS_CODE_ERROR";
  Part part{failed ? "ERROR" : "-", failed ? Paint::kBad : Paint::kDim};
  for (const Attribute& attribute : attributes) {
    if (attribute.key == "error.type" && part.text == "ERROR") part.text = attribute.value;
  }
  for (const Attribute& attribute : attributes) {
    if (IsStatusCode(attribute.key)) part = {attribute.value, failed ? Paint::kBad : Paint::kGood};
  }
  return part;
}

/// Says where bytes came from, not what happened: of interest on a closer look only.
bool IsBackground(std::string_view key) {
  for (const std::string_view prefix : {"network.", "client.", "thread.", "process.", "user_agent."}) {
    if (key.starts_with(prefix)) return true;
  }
  return false;
}

bool HasWord(std::string_view text, std::string_view word) {
  for (std::size_t at = text.find(word); !word.empty() && at != std::string_view::npos; at = text.find(word, at + 1)) {
    const bool begins = at == 0 || text[at - 1] == ' ';
    const bool ends = at + word.size() == text.size() || text[at + word.size()] == ' ';
    if (begins && ends) return true;
  }
  return false;
}

bool IsShown(const Attribute& attribute, std::string_view name, std::string_view status) {
  if (IsStatusCode(attribute.key) || IsBackground(attribute.key)) return false;
  return attribute.value != status && !HasWord(name, attribute.value);
}

void AppendAttributes(std::vector<Part>& parts, const std::vector<Attribute>& attributes, std::string_view name,
                      std::string_view status, bool all) {
  for (const Attribute& attribute : attributes) {
    if (!all && !IsShown(attribute, name, status)) continue;
    parts.push_back({attribute.key + "=" + attribute.value, Paint::kDim});
  }
}

std::vector<Part> SpanParts(const v1::TailItem& item, const json& span, const LineStyle& style) {
  const std::uint64_t start = Integer(Member(span, "startTimeUnixNano"));
  const std::uint64_t end = Integer(Member(span, "endTimeUnixNano"));
  const std::string name = Text(Member(span, "name"));
  const std::vector<Attribute> attributes = Attributes(span);
  const Part status = StatusPart(span, attributes);
  std::vector<Part> parts{{TimeOfDay(start, style.utc), Paint::kDim},
                          {item.service(), Paint::kHead},
                          {KindName(Member(span, "kind"))},
                          {name},
                          status,
                          {HumanDuration(std::chrono::nanoseconds(end > start ? end - start : 0))}};
  AppendAttributes(parts, attributes, name, status.text, style.wide);
  if (style.wide) {
    for (const char* key : {"traceId", "spanId", "parentSpanId"}) {
      if (const std::string id = Text(Member(span, key)); !id.empty()) parts.push_back({std::string(key) + "=" + id});
    }
  }
  return parts;
}

std::string PointValue(const json& point) {
  for (const char* key : {"asInt", "asDouble"}) {
    if (point.contains(key)) return Text(point[key]);
  }
  if (!point.contains("count")) return "-";
  return "count=" + Text(point["count"]) + (point.contains("sum") ? " sum=" + Text(point["sum"]) : "");
}

/// The point itself, whether it stands alone or inside its metric: {"sum": {"dataPoints": [...]}}.
const json& FirstPoint(const json& metric) {
  for (const char* key : {"sum", "gauge", "histogram", "exponentialHistogram"}) {
    const json& points = Member(Member(metric, key), "dataPoints");
    if (points.is_array() && !points.empty()) return points.front();
  }
  const json& point = Member(metric, "dataPoint");
  return point.empty() ? metric : point;
}

std::vector<Part> MetricParts(const v1::TailItem& item, const json& metric, const LineStyle& style) {
  const json& point = FirstPoint(metric);
  const std::string name = Text(Member(metric, "name"));
  std::vector<Part> parts{{TimeOfDay(Integer(Member(point, "timeUnixNano")), style.utc), Paint::kDim},
                          {item.service(), Paint::kHead},
                          {"METRIC"},
                          {name},
                          {PointValue(point) + " " + Text(Member(metric, "unit"))}};
  AppendAttributes(parts, Attributes(point), name, "", /*all=*/true);
  return parts;
}

std::vector<Part> LogParts(const v1::TailItem& item, const json& record, const LineStyle& style) {
  std::vector<Part> parts{{TimeOfDay(Integer(Member(record, "timeUnixNano")), style.utc), Paint::kDim},
                          {item.service(), Paint::kHead},
                          {"LOG"},
                          {Text(Member(record, "severityText"))},
                          {AnyValue(Member(record, "body"))}};
  AppendAttributes(parts, Attributes(record), "", "", /*all=*/true);
  return parts;
}

std::vector<Part> Parts(const v1::TailItem& item, const LineStyle& style) {
  const json all = json::parse(item.json(), nullptr, /*allow_exceptions=*/false);
  if (all.is_object() && all.contains("span")) return SpanParts(item, all["span"], style);
  if (all.is_object() && all.contains("metric")) return MetricParts(item, all["metric"], style);
  if (all.is_object() && all.contains("logRecord")) return LogParts(item, all["logRecord"], style);
  return {{item.service(), Paint::kHead}, {item.json()}};
}

}  // namespace

std::string ItemLine(const v1::TailItem& item, const LineStyle& style) {
  std::string out;
  std::size_t left = style.terminal.width == 0 || style.wide ? std::string::npos : style.terminal.width;
  for (const Part& part : Parts(item, style)) {
    if (part.text.empty()) continue;
    const std::string gap = out.empty() ? "" : " ";
    if (left <= gap.size()) break;
    const std::string text = FitWidth(Escape(part.text), left - gap.size());
    left -= left == std::string::npos ? 0 : gap.size() + DisplayWidth(text);
    out += gap + Painted(style.terminal, part.paint, text);
  }
  return out;
}

}  // namespace probed::cli
