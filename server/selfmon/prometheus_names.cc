// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/selfmon/prometheus_names.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <utility>

namespace probed::selfmon {
namespace {

using Words = std::pair<std::string_view, std::string_view>;

// UCUM codes that OpenTelemetry uses, in Prometheus' words.
constexpr std::array kUnitWords = {
    Words{"d", "days"},          Words{"h", "hours"},         Words{"min", "minutes"},    Words{"s", "seconds"},
    Words{"ms", "milliseconds"}, Words{"us", "microseconds"}, Words{"ns", "nanoseconds"}, Words{"By", "bytes"},
    Words{"KiBy", "kibibytes"},  Words{"MiBy", "mebibytes"},  Words{"GiBy", "gibibytes"}, Words{"kBy", "kilobytes"},
    Words{"MBy", "megabytes"},   Words{"GBy", "gigabytes"},   Words{"m", "meters"},       Words{"V", "volts"},
    Words{"A", "amperes"},       Words{"J", "joules"},        Words{"W", "watts"},        Words{"g", "grams"},
    Words{"Cel", "celsius"},     Words{"Hz", "hertz"},        Words{"%", "percent"},
};

// Denominators stand in the singular: "By/s" is bytes per second.
constexpr std::array kPerWords = {
    Words{"s", "second"}, Words{"min", "minute"}, Words{"h", "hour"}, Words{"d", "day"}, Words{"m", "meter"},
};

// Whole numbers up to here are exact in a double.
constexpr double kExact = 9007199254740992.0;

bool IsAlphanumeric(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

template <typename Table>
std::string_view WordFor(const Table& table, std::string_view code) {
  const auto* found = std::find_if(table.begin(), table.end(), [code](const Words& row) { return row.first == code; });
  return found == table.end() ? code : found->second;
}

/// Everything else to '_', several in a row to one, none at the end.
std::string Sanitized(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const char kept = IsAlphanumeric(c) ? c : '_';
    if (kept != '_' || out.empty() || out.back() != '_') out.push_back(kept);
  }
  while (out.size() > 1 && out.back() == '_') out.pop_back();
  if (!out.empty() && out.front() >= '0' && out.front() <= '9') out.insert(out.begin(), '_');
  return out;
}

std::string WithoutAnnotations(std::string_view unit) {
  std::string out;
  bool inside = false;
  for (const char c : unit) {
    if (c == '{') inside = true;
    if (!inside) out.push_back(c);
    if (c == '}') inside = false;
  }
  return out;
}

std::string UnitWords(std::string_view unit, MetricKind kind) {
  const std::string plain = WithoutAnnotations(unit);
  if (plain == "1") return kind == MetricKind::kGauge ? "ratio" : "";
  const std::size_t slash = plain.find('/');
  std::string above(WordFor(kUnitWords, std::string_view(plain).substr(0, slash)));
  if (slash == std::string::npos) return above;
  const std::string_view below = std::string_view(plain).substr(slash + 1);
  if (below.empty()) return above;
  return above + (above.empty() ? "per_" : "_per_") + std::string(WordFor(kPerWords, below));
}

void AppendWord(std::string& name, std::string_view word) {
  const std::string suffix = "_" + std::string(word);
  if (word.empty() || name == word || name.ends_with(suffix)) return;
  name += suffix;
}

std::string Escaped(std::string_view text, bool quotes) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    if (c == '\\' || (quotes && c == '"')) out.push_back('\\');
    if (c == '\n') {
      out += "\\n";
    } else {
      out.push_back(c);
    }
  }
  return out;
}

}  // namespace

std::string PrometheusName(std::string_view name, std::string_view unit, MetricKind kind) {
  std::string out = Sanitized(name);
  // A name that brings its own `_total` gets it back behind the unit.
  if (kind == MetricKind::kCounter && out.ends_with("_total"))
    out.resize(out.size() - std::string_view("_total").size());
  const std::string words = UnitWords(unit, kind);
  if (!words.empty()) AppendWord(out, Sanitized(words));
  if (kind == MetricKind::kCounter) AppendWord(out, "total");
  return out;
}

std::string PrometheusLabel(std::string_view name) {
  std::string out(name);
  for (char& c : out) {
    if (!IsAlphanumeric(c)) c = '_';
  }
  if (out.empty() || (out.front() >= '0' && out.front() <= '9')) out.insert(out.begin(), '_');
  return out;
}

std::string EscapeLabelValue(std::string_view value) { return Escaped(value, true); }
std::string EscapeHelp(std::string_view help) { return Escaped(help, false); }

std::string FormatValue(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  std::array<char, 32> text{};
  const bool whole = std::abs(value) <= kExact && std::nearbyint(value) == value;
  const auto done = whole ? std::to_chars(text.begin(), text.end(), static_cast<long long>(value))
                          : std::to_chars(text.begin(), text.end(), value);
  return {text.data(), done.ptr};
}

}  // namespace probed::selfmon
