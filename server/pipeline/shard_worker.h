// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// The thread of one shard: drains the rings of all modules, ticks decoders, hands batches on, sleeps when there is
// nothing. Other threads talk to it by Run. While records come it polls; before it sleeps it tells the kernel that it
// has caught up, and then the next record wakes it. An idle shard sets no timer.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "server/base/clock.h"
#include "server/base/fd.h"
#include "server/pipeline/module_feed.h"
#include "server/pipeline/span_output.h"

namespace probed::pipeline {

class ShardWorker {
 public:
  ShardWorker(std::uint32_t index, std::unique_ptr<SpanOutput> output, const Clock& clock);
  /// Flushes what is batched and ends the thread; all feeds must be gone.
  ~ShardWorker();
  ShardWorker(const ShardWorker&) = delete;

  std::uint32_t index() const { return index_; }
  SpanOutput& output() { return *output_; }

  /// Runs `work` on the shard's thread and waits for it. [any but shard]
  void Run(const std::function<void()>& work);

  /// A feed joins or leaves. Inside Run only. `ring_fd` is watched for wake-ups.
  void Add(ModuleFeed* feed, int ring_fd);
  void Remove(ModuleFeed* feed, int ring_fd);
  const std::vector<ModuleFeed*>& feeds() const { return feeds_; }

  /// Decodes everything that was in the feed's ring when called. Inside Run only.
  void DrainToMarker(ModuleFeed& feed);

 private:
  void Loop();
  std::size_t DrainAll();
  std::size_t DrainInOrder();
  bool PublishAll();
  void RunPosted();
  void Tick(std::uint64_t now_ns);
  int SleepMilliseconds(std::uint64_t now_ns) const;
  void Wait(int milliseconds, bool watch_rings);

  const std::uint32_t index_;
  std::unique_ptr<SpanOutput> output_;
  const Clock& clock_;
  Fd wake_;         // eventfd
  Fd rings_epoll_;  // ring descriptors and wake_
  std::vector<ModuleFeed*> feeds_;
  std::mutex mutex_;
  std::deque<std::function<void()>> posted_;
  std::atomic<bool> stop_{false};
  std::uint64_t last_tick_ns_ = 0;
  std::thread thread_;
};

}  // namespace probed::pipeline
