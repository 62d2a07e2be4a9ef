// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Collects metrics at the configured interval and hands them to the sinks their routes name. Without a sink that takes
// metrics there is no timer.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>

#include "server/base/clock.h"
#include "server/export/key_table.h"
#include "server/export/metrics_snapshot.h"
#include "server/pipeline/metrics_aggregator.h"

namespace probed::app {

class MetricExport {
 public:
  /// Takes a snapshot of one temporality; `deliver` routes and encodes it.
  using Deliver = std::function<void(config::Temporality, exporter::MetricSnapshot)>;

  MetricExport(pipeline::MetricsAggregator& metrics, std::chrono::milliseconds interval, const Clock& clock,
               Deliver deliver);
  /// Collects a last time.
  ~MetricExport();

  /// Which temporalities some sink asks for. [control]
  void SetWanted(bool cumulative, bool delta);

 private:
  void Loop();
  void Collect();

  pipeline::MetricsAggregator& metrics_;
  const std::chrono::milliseconds interval_;
  const Clock& clock_;
  const Deliver deliver_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::map<config::Temporality, pipeline::ReaderId> readers_;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace probed::app
