// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// The [discovery] thread: process events of the kernel into the process table, and target rules into the kernel. It
// sleeps until the kernel has something to tell or somebody sets targets.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "server/base/clock.h"
#include "server/base/fd.h"
#include "server/bpf/capture_core.h"
#include "server/bpf/ring_reader.h"
#include "server/discovery/exe_matcher.h"
#include "server/discovery/process_table.h"
#include "server/pipeline/metrics_aggregator.h"
#include "server/pipeline/resource_cache.h"
#include "server/state/ports.h"

namespace probed::app {

class DiscoveryLoop final : public state::TargetPort {
 public:
  /// Everything outlives the loop. `core` may be null.
  DiscoveryLoop(bpf::CaptureCore* core, discovery::ProcessTable& processes, pipeline::ResourceCache& resources,
                pipeline::MetricsAggregator& metrics, const Clock& clock);
  ~DiscoveryLoop() override;
  Status Start();

  /// [control]
  Status SetTargets(const std::vector<config::Target>& targets) override;
  /// Called after targets changed; set before Start. [control]
  void OnTargetsChanged(std::function<void()> call) { targets_changed_ = std::move(call); }
  /// Called for each program image that an exec made; set before Start. [discovery]
  void OnExec(std::function<void(std::uint32_t pid)> call) { exec_ = std::move(call); }
  /// Processes that may be targets, whatever their sockets are; the daemon and its children never are. [control]
  std::vector<std::uint32_t> TargetProcesses();
  bool IsTarget(std::uint32_t pid);

  /// Service names by rule index, for the shards. [any]
  std::shared_ptr<const std::vector<std::string>> service_names() const { return service_names_.load(); }

  /// What the kernel told of a process. [discovery]
  void OnEvent(const pb_process& event);
  /// Forgets processes that ended long enough ago, and all that was kept for them. [discovery]
  void Expire();

 private:
  void Loop();
  void TakeEvents();
  int SleepMilliseconds() const;
  Status WriteRules(const discovery::TargetMatcher& matcher);

  bpf::CaptureCore* core_;
  discovery::ProcessTable& processes_;
  pipeline::ResourceCache& resources_;
  pipeline::MetricsAggregator& metrics_;
  const Clock& clock_;
  std::unique_ptr<bpf::RingReader> ring_;
  Fd wake_;
  std::mutex mutex_;  // matcher_ and the kernel's rule maps
  std::unique_ptr<discovery::TargetMatcher> matcher_;
  std::function<void()> targets_changed_;
  std::function<void(std::uint32_t)> exec_;
  std::atomic<std::shared_ptr<const std::vector<std::string>>> service_names_ =
      std::make_shared<const std::vector<std::string>>();
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

}  // namespace probed::app
