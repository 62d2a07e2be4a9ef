// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/export/prometheus_text.h"

#include <absl/strings/ascii.h>
#include <fmt/format.h>

#include <cmath>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "server/export/otlp_reader.h"
#include "server/export/semconv.h"
#include "server/export/utf8.h"

namespace probed::exporter {
namespace {

using Labels = std::vector<std::pair<std::string, std::string>>;

struct UnitWord {
  std::string_view unit;
  std::string_view word;
};
// UCUM units and the words Prometheus' naming guide wants.
constexpr UnitWord kUnits[] = {
    {"s", "seconds"},      {"ms", "milliseconds"}, {"us", "microseconds"}, {"ns", "nanoseconds"}, {"min", "minutes"},
    {"h", "hours"},        {"d", "days"},          {"By", "bytes"},        {"KiBy", "kibibytes"}, {"MiBy", "mebibytes"},
    {"GiBy", "gibibytes"}, {"kBy", "kilobytes"},   {"MBy", "megabytes"},   {"GBy", "gigabytes"},  {"Hz", "hertz"},
    {"%", "percent"},      {"Cel", "celsius"},     {"m", "meters"},        {"V", "volts"},        {"A", "amperes"},
    {"J", "joules"},       {"W", "watts"},         {"g", "grams"},
};
// Units after a slash are singular: bytes per second.
constexpr UnitWord kPerUnits[] = {{"s", "second"}, {"min", "minute"}, {"h", "hour"}, {"d", "day"}, {"By", "byte"}};

std::string_view Word(std::span<const UnitWord> table, std::string_view unit) {
  for (const UnitWord& row : table) {
    if (row.unit == unit) return row.word;
  }
  return unit;
}

/// Letters, digits, underscores (and colons, in metric names, which the user of recording rules owns: not made here);
/// anything else becomes one underscore, and several become one.
std::string Sanitize(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool good = absl::ascii_isalnum(static_cast<unsigned char>(c));
    if (good) {
      out += c;
    } else if (out.empty() || out.back() != '_') {
      out += '_';
    }
  }
  if (out.empty() || absl::ascii_isdigit(static_cast<unsigned char>(out.front()))) out.insert(0, "_");
  return out;
}

std::string UnitSuffix(std::string_view unit) {
  const auto slash = unit.find('/');
  const std::string_view main = unit.substr(0, slash);
  std::string suffix;
  if (!main.empty() && main.front() != '{' && main != "1") suffix = Word(kUnits, main);
  if (slash == std::string_view::npos) return suffix;
  const std::string_view per = unit.substr(slash + 1);
  if (per.empty() || per.front() == '{') return suffix;
  return (suffix.empty() ? "" : suffix + "_") + "per_" + std::string(Word(kPerUnits, per));
}

std::string EscapeLabel(std::string_view text) {
  std::string out;
  for (const char c : ToValidUtf8(text)) {
    if (c == '\\' || c == '"') out += '\\';
    out += c == '\n' ? std::string("\\n") : std::string(1, c);
  }
  return out;
}

std::string EscapeHelp(std::string_view text) {
  std::string out;
  for (const char c : ToValidUtf8(text)) {
    if (c == '\\') out += '\\';
    out += c == '\n' ? std::string("\\n") : std::string(1, c);
  }
  return out;
}

std::string Number(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  return fmt::format("{}", value);
}

std::string ToText(const AttributeValue& value) {
  struct Printer {
    std::string operator()(const std::string& text) const { return text; }
    std::string operator()(std::int64_t number) const { return std::to_string(number); }
    std::string operator()(double number) const { return Number(number); }
    std::string operator()(bool flag) const { return flag ? "true" : "false"; }
    std::string operator()(const std::vector<std::string>& items) const {
      return fmt::format("[{}]", fmt::join(items, ","));
    }
  };
  return std::visit(Printer{}, value);
}

/// Keys that become the same label are joined with a semicolon, as the specification wants.
void AddLabel(Labels& labels, std::string name, std::string value) {
  for (auto& [known, joined] : labels) {
    if (known != name) continue;
    joined += ";" + value;
    return;
  }
  labels.emplace_back(std::move(name), std::move(value));
}

std::string Render(const Labels& labels, std::string_view extra = {}) {
  std::string text;
  for (const auto& [name, value] : labels) {
    text += fmt::format("{}{}=\"{}\"", text.empty() ? "" : ",", name, EscapeLabel(value));
  }
  if (!extra.empty()) text += (text.empty() ? "" : ",") + std::string(extra);
  return text.empty() ? "" : "{" + text + "}";
}

struct Target {
  Labels identity;  // job, instance
  Labels others;
};

Target ReadTarget(const Resource& resource) {
  Target target;
  std::string name;
  std::string space;
  std::string instance;
  for (const AttributeView& attribute : ReadResourceAttributes(resource.encoded)) {
    std::string text = ValueText(attribute.value);
    if (attribute.key == "service.name") {
      name = std::move(text);
    } else if (attribute.key == "service.namespace") {
      space = std::move(text);
    } else if (attribute.key == "service.instance.id") {
      instance = std::move(text);
    } else {
      AddLabel(target.others, Sanitize(attribute.key), std::move(text));
    }
  }
  if (!name.empty()) target.identity.emplace_back("job", space.empty() ? name : space + "/" + name);
  if (!instance.empty()) target.identity.emplace_back("instance", instance);
  return target;
}

std::string_view TypeName(const Metric& metric) {
  switch (metric.kind) {
    case MetricKind::kHistogram: return "histogram";
    case MetricKind::kSum: return metric.monotonic ? "counter" : "gauge";
    case MetricKind::kGauge: return "gauge";
  }
  return "untyped";
}

std::string FamilyName(const Metric& metric) {
  std::string name = PrometheusName(metric.name, metric.unit);
  const std::string_view type = TypeName(metric);
  if (type == "gauge" && metric.unit == "1" && !name.ends_with("_ratio")) name += "_ratio";
  if (type == "counter" && !name.ends_with("_total")) name += "_total";
  return name;
}

/// All series of one name; Prometheus wants them together under one TYPE.
struct Family {
  std::string_view type;
  std::string help;
  std::string lines;
};

class Writer {
 public:
  void Add(const Metric& metric) {
    if (!metric.resource || !metric.scope || metric.points.empty()) return;
    const bool is_delta = metric.kind != MetricKind::kGauge && metric.temporality == config::Temporality::kDelta;
    if (is_delta) return;
    const std::string name = FamilyName(metric);
    Family& family = families_[name];
    if (family.type.empty()) family = {TypeName(metric), metric.description, {}};
    if (family.type != TypeName(metric)) return;
    const Labels base = BaseLabels(metric);
    for (const MetricPoint& point : metric.points) AddPoint(family.lines, name, metric, base, point);
  }

  std::string Finish() const {
    std::string text = TargetInfo();
    for (const auto& [name, family] : families_) {
      if (!family.help.empty()) text += fmt::format("# HELP {} {}\n", name, EscapeHelp(family.help));
      text += fmt::format("# TYPE {} {}\n{}", name, family.type, family.lines);
    }
    return text;
  }

 private:
  const Target& TargetOf(const Resource& resource) {
    const auto [place, added] = targets_.try_emplace(resource.id);
    if (added) place->second = ReadTarget(resource);
    return place->second;
  }

  Labels BaseLabels(const Metric& metric) {
    Labels labels = TargetOf(*metric.resource).identity;
    const ScopeView scope = ReadScope(metric.scope->encoded);
    labels.emplace_back("otel_scope_name", scope.name);
    if (!scope.version.empty()) labels.emplace_back("otel_scope_version", scope.version);
    labels.emplace_back("otel_scope_schema_url", kSchemaUrl);
    return labels;
  }

  static void AddPoint(std::string& lines, const std::string& name, const Metric& metric, const Labels& base,
                       const MetricPoint& point) {
    Labels labels = base;
    for (const auto& [key, value] : SentAttributes(point)) AddLabel(labels, Sanitize(key), ToText(value));
    if (metric.kind == MetricKind::kHistogram) return AddHistogram(lines, name, labels, point);
    const auto* integer = std::get_if<std::int64_t>(&point.value);
    const std::string value = integer != nullptr ? std::to_string(*integer) : Number(std::get<double>(point.value));
    lines += fmt::format("{}{} {}\n", name, Render(labels), value);
  }

  static void AddHistogram(std::string& lines, const std::string& name, const Labels& labels,
                           const MetricPoint& point) {
    std::uint64_t below = 0;
    for (std::size_t i = 0; i < point.bounds.size() && i < point.bucket_counts.size(); ++i) {
      below += point.bucket_counts[i];
      const std::string bound = fmt::format("le=\"{}\"", Number(point.bounds[i]));
      lines += fmt::format("{}_bucket{} {}\n", name, Render(labels, bound), below);
    }
    lines += fmt::format("{}_bucket{} {}\n", name, Render(labels, "le=\"+Inf\""), point.count);
    lines += fmt::format("{}_sum{} {}\n", name, Render(labels), Number(point.sum));
    lines += fmt::format("{}_count{} {}\n", name, Render(labels), point.count);
  }

  std::string TargetInfo() const {
    std::set<std::string> lines;  // several resources may come to the same labels; a series must be there once
    for (const auto& [id, target] : targets_) {
      Labels labels = target.identity;
      for (const auto& [name, value] : target.others) AddLabel(labels, name, value);
      lines.insert(fmt::format("target_info{} 1\n", Render(labels)));
    }
    if (lines.empty()) return {};
    return fmt::format("# HELP target_info Target metadata\n# TYPE target_info gauge\n{}", fmt::join(lines, ""));
  }

  std::map<std::uint64_t, Target> targets_;
  std::map<std::string, Family> families_;
};

}  // namespace

std::string PrometheusName(std::string_view name, std::string_view unit) {
  std::string out = Sanitize(name);
  const std::string suffix = Sanitize(UnitSuffix(unit));
  if (suffix != "_" && !out.ends_with("_" + suffix)) out += "_" + suffix;
  return out;
}

std::string PrometheusText(const MetricSnapshot& snapshot) {
  Writer writer;
  for (const Metric& metric : snapshot.metrics) writer.Add(metric);
  return writer.Finish();
}

}  // namespace probed::exporter
