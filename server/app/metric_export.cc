// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/app/metric_export.h"

#include <pthread.h>

namespace probed::app {

MetricExport::MetricExport(pipeline::MetricsAggregator& metrics, std::chrono::milliseconds interval, const Clock& clock,
                           Deliver deliver)
    : metrics_(metrics), interval_(interval), clock_(clock), deliver_(std::move(deliver)), thread_([this] {
        Loop();
      }) {}

MetricExport::~MetricExport() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

void MetricExport::SetWanted(bool cumulative, bool delta) {
  const std::lock_guard lock(mutex_);
  for (const auto& [temporality, wanted] :
       {std::pair(config::Temporality::kCumulative, cumulative), std::pair(config::Temporality::kDelta, delta)}) {
    const auto found = readers_.find(temporality);
    if (wanted && found == readers_.end()) {
      readers_[temporality] = metrics_.AddReader(temporality);
    } else if (!wanted && found != readers_.end()) {
      metrics_.RemoveReader(found->second);
      readers_.erase(found);
    }
  }
  wake_.notify_all();
}

void MetricExport::Collect() {
  for (const auto& [temporality, reader] : readers_) deliver_(temporality, metrics_.Collect(reader, clock_.UtcNs()));
}

void MetricExport::Loop() {
  pthread_setname_np(pthread_self(), "metrics");
  std::unique_lock lock(mutex_);
  while (!stop_) {
    if (readers_.empty()) {
      wake_.wait(lock, [this] { return stop_ || !readers_.empty(); });
      continue;
    }
    wake_.wait_for(lock, interval_, [this] { return stop_; });
    Collect();
  }
}

}  // namespace probed::app
