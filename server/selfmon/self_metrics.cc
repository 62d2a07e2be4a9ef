// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/selfmon/self_metrics.h"

#include <string_view>

namespace probed::selfmon {
namespace {

void AppendLabels(std::string& out, const Sample& sample) {
  if (sample.labels.empty()) return;
  char separator = '{';
  for (const auto& [name, value] : sample.labels) {
    out += separator;
    out += PrometheusLabel(name) + "=\"" + EscapeLabelValue(value) + '"';
    separator = ',';
  }
  out += '}';
}

void AppendSample(std::string& out, const std::string& name, const Sample& sample) {
  out += name;
  AppendLabels(out, sample);
  out += ' ' + FormatValue(sample.value) + '\n';
}

void AppendHead(std::string& out, const std::string& name, const std::string& help, MetricKind kind) {
  const std::string_view type = kind == MetricKind::kCounter ? "counter" : "gauge";
  if (!help.empty()) out += "# HELP " + name + ' ' + EscapeHelp(help) + '\n';
  out.append("# TYPE ").append(name).append(" ").append(type).append("\n");
}

}  // namespace

bool SelfMetrics::Add(const std::string& name, const std::string& unit, MetricKind kind, const std::string& help,
                      SampleSource source) {
  const std::lock_guard lock(mutex_);
  const auto [entry, added] = families_.try_emplace(PrometheusName(name, unit, kind));
  Family& family = entry->second;
  if (added) family = {name, unit, kind, help, {}};
  if (family.source_name != name || family.unit != unit || family.kind != kind) return false;
  family.sources.push_back(std::move(source));
  return true;
}

std::string SelfMetrics::Render() const {
  const std::lock_guard lock(mutex_);
  std::string out;
  for (const auto& [name, family] : families_) {
    std::string samples;
    for (const SampleSource& source : family.sources) {
      for (const Sample& sample : source()) AppendSample(samples, name, sample);
    }
    if (samples.empty()) continue;
    AppendHead(out, name, family.help, family.kind);
    out += samples;
  }
  return out;
}

}  // namespace probed::selfmon
