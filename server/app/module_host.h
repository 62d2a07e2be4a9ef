// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Carries out the steps of a module's life over the registry, the kernel and the shards: state::ModuleSteps for real.
// [control]
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "server/app/attach_loop.h"
#include "server/bpf/capture_core.h"
#include "server/modules/instance.h"
#include "server/modules/quarantine.h"
#include "server/modules/registry.h"
#include "server/pipeline/host_table.h"
#include "server/pipeline/metrics_aggregator.h"
#include "server/pipeline/module_feed.h"
#include "server/pipeline/shard_worker.h"
#include "server/state/ports.h"

namespace probed::app {

class ModuleHost final : public state::ModuleSteps, public state::LedgerPort {
 public:
  /// Everything outlives the host. `core` may be null: then no module can be loaded, and `core_error` says why.
  struct Parts {
    modules::Registry* registry = nullptr;
    modules::Quarantine* quarantine = nullptr;
    bpf::CaptureCore* core = nullptr;
    AttachLoop* attach = nullptr;
    Status core_error;
    std::vector<std::unique_ptr<pipeline::ShardWorker>>* shards = nullptr;
    exporter::KeyTable* keys = nullptr;
    pipeline::MetricsAggregator* metrics = nullptr;
    const Clock* clock = nullptr;
  };
  explicit ModuleHost(Parts parts) : parts_(std::move(parts)) {}
  ~ModuleHost() override;

  std::vector<state::ModuleDescription> Discover() override;
  Status Open(const std::string& name) override;
  Status LoadKernel(const std::string& name) override;
  Status Create(const std::string& name) override;
  Status Prepare(const std::string& name, const std::string& config_json) override;
  Status Start(const std::string& name, std::uint32_t generation) override;
  Result<state::Receipt> Commit(const std::string& name, std::uint32_t generation) override;
  void AbortPrepared(const std::string& name) override;
  Status Quiesce(const std::string& name) override;
  Status Drain(const std::string& name) override;
  Status Destroy(const std::string& name) override;
  Result<state::UnloadReport> Close(const std::string& name) override;
  std::vector<state::Condition> Conditions(const std::string& name) override;
  Status Forgive(const std::string& name) override { return parts_.quarantine->Clear(name); }

  std::vector<state::LedgerLine> ReadLedger() override;

 private:
  /// Events of one generation of one module, in the kernel and in user space.
  struct Counts {
    std::uint64_t submitted = 0;
    std::uint64_t consumed = 0;
  };
  struct Loaded {
    std::optional<modules::OpenedModule> opened;
    std::unique_ptr<pipeline::HostTable> host;
    std::unique_ptr<modules::ModuleInstance> instance;
    std::optional<modules::PreparedConfig> prepared;
    std::unique_ptr<bpf::ModuleSlot> slot;
    std::vector<std::unique_ptr<pipeline::ModuleFeed>> feeds;
    bool published = false;
    std::uint32_t generation = 0;  // the module's own count: its parity picks the kernel's settings row
    Counts at_start[2];            // what the parity's counters stood at when its generation began
  };

  Result<Loaded*> Find(const std::string& name);
  std::vector<std::uint32_t> Chain(const std::string& without) const;
  Status RequireAttachPlan(Loaded& module) const;
  Status StartFeeds(const std::string& name, Loaded& module);
  probe_result_t ReleaseStream(const pipeline::StreamRelease& release);
  void NameSlot(const std::string& name, std::uint32_t slot);
  void Activate(Loaded& module);
  void DrainFeeds(Loaded& module);
  Counts Count(const Loaded& module, std::uint32_t parity) const;
  std::uint64_t Lost(const Loaded& module) const;
  std::uint64_t Doubled(const Loaded& module) const;
  void RetireOld(Loaded& module);
  void KeepCallCount(const Loaded& module);
  std::uint64_t HookCalls() const;
  state::LedgerLine KernelLine() const;
  state::LedgerLine ModuleLine(const std::string& name, Loaded& module) const;

  const Parts parts_;
  std::map<std::string, Loaded> modules_;
  std::mutex slots_mutex_;
  std::map<std::string, std::uint32_t, std::less<>> slots_;  // of published modules; shards look heirs up
  std::uint32_t next_number_ = 1;
  std::uint64_t unloaded_hooked_ = 0;  // hook calls that modules now unloaded had counted
  std::uint64_t unloaded_calls_ = 0;   // hook calls that modules now unloaded had ended
};

}  // namespace probed::app
