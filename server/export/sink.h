// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// A destination: a RetryQueue, a Transport and the one thread that drives both. The thread sleeps without a timeout
// while there is nothing to do.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "server/base/status.h"
#include "server/config/model.h"
#include "server/export/batch.h"
#include "server/export/retry.h"
#include "server/export/transport.h"

namespace probed::exporter {

using SteadyTime = std::chrono::steady_clock::time_point;

struct SinkStats {
  std::string state = "idle";  // "idle": nothing tried yet; "ok"; "retrying"; "failing": the last batch was given up
  std::string last_error;      // stays after recovery, so that it can be asked for
  std::uint64_t in_flight_items = 0;
  std::uint64_t attempts = 0;
  RetryCounts items;
};

struct SinkSettings {
  config::Retry retry;
  std::uint64_t queue_batches = 1000;
  std::chrono::milliseconds timeout{10000};  // of one attempt
};

class Sink {
 public:
  Sink(std::string name, SinkSettings settings, std::unique_ptr<Transport> transport);
  /// Stops at once; call Stop with a deadline before to save what is queued.
  ~Sink();
  Sink(const Sink&) = delete;
  Sink& operator=(const Sink&) = delete;

  const std::string& name() const { return name_; }

  /// Queues a batch; never blocks. Empty batches are not taken. [any]
  void Offer(BatchPtr batch);

  /// Waits until everything offered before is sent or dropped. DEADLINE_EXCEEDED says how many items were left. [any]
  [[nodiscard]] Status Flush(SteadyTime deadline);

  /// Takes nothing more, sends what is queued until the deadline, drops the rest as `shutdown`, ends the thread.
  /// DEADLINE_EXCEEDED says how many items were dropped so. [control]
  Status Stop(SteadyTime deadline);

  /// Goes on with another transport and other settings; the queue and the counters stay. An attempt under way ends with
  /// the old transport first. [control]
  void Reconfigure(SinkSettings settings, std::unique_ptr<Transport> transport);

  SinkStats stats() const;

 private:
  void Run();
  void Attempt(const BatchPtr& batch, std::unique_lock<std::mutex>& lock);
  std::chrono::milliseconds AttemptTimeout() const;
  void Record(const AttemptResult& result, std::uint64_t given_up_before);

  const std::string name_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;     // the thread: something to do
  std::condition_variable changed_;  // Flush and Stop: an attempt ended
  SinkSettings settings_;
  std::shared_ptr<Transport> transport_;  // shared with the attempt under way, which may outlast a Reconfigure
  RetryQueue queue_;
  SinkStats stats_;
  std::optional<SteadyTime> stop_deadline_;
  bool stopped_ = false;
  std::thread thread_;  // last: starts when everything else is there
};

}  // namespace probed::exporter
