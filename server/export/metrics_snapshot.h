// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// What the metric pipeline hands over once per interval: plain values, no wire format.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "server/config/model.h"
#include "server/export/attributes.h"
#include "server/export/batch.h"

namespace probed::exporter {

enum class MetricKind { kHistogram, kSum, kGauge };

/// One series at one time. Histograms use count..bucket_counts, sums and gauges `value`.
struct MetricPoint {
  AttributeList attributes;
  std::uint64_t start_utc_ns = 0;
  std::uint64_t time_utc_ns = 0;
  std::variant<double, std::int64_t> value = 0.0;
  std::uint64_t count = 0;
  double sum = 0;
  std::optional<double> min;
  std::optional<double> max;
  std::vector<double> bounds;                // inclusive upper bounds, ascending
  std::vector<std::uint64_t> bucket_counts;  // bounds.size() + 1, not cumulated
  bool overflow = false;                     // the series that took what was over the limit: otel.metric.overflow=true
};

struct Metric {
  std::shared_ptr<const Resource> resource;  // shared with every other metric of the process
  std::shared_ptr<const Scope> scope;
  std::string name;
  std::string description;
  std::string unit;
  MetricKind kind = MetricKind::kSum;
  config::Temporality temporality = config::Temporality::kCumulative;
  bool monotonic = false;
  std::vector<MetricPoint> points;
};

struct MetricSnapshot {
  std::vector<Metric> metrics;
};

/// The attributes a point is sent with: its own, or the mark of the overflow series.
const AttributeList& SentAttributes(const MetricPoint& point);

}  // namespace probed::exporter
