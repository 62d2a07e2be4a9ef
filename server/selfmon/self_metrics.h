// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// The daemon's numbers about itself. Whoever has numbers adds a callback once; a scrape asks all of them and writes the
// Prometheus text format. Keeps no values, starts no thread and no timer: an idle daemon stays asleep.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "server/selfmon/prometheus_names.h"

namespace probed::selfmon {

/// One number with what tells it apart from its siblings.
struct Sample {
  std::vector<std::pair<std::string, std::string>> labels;
  double value = 0;
};

using SampleSource = std::function<std::vector<Sample>()>;

/// Thread-safe. Sources are called by Render on the thread that scrapes ([http]), never two at a time; they must
/// not call back into this object. What they refer to must outlive it, or the HTTP endpoint that renders it.
class SelfMetrics {
 public:
  /// `name` with dots and `unit` as OpenTelemetry writes them. Several sources may share a name (one per sink): their
  /// samples make one family. False, and the source is left out, when the name is taken with another unit or kind.
  bool Add(const std::string& name, const std::string& unit, MetricKind kind, const std::string& help,
           SampleSource source);

  /// Text exposition format 0.0.4, families by name. A family without samples is not written.
  std::string Render() const;

 private:
  struct Family {
    std::string source_name;
    std::string unit;
    MetricKind kind = MetricKind::kGauge;
    std::string help;
    std::vector<SampleSource> sources;
  };

  mutable std::mutex mutex_;
  std::map<std::string, Family> families_;  // by Prometheus name
};

}  // namespace probed::selfmon
