// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Attach plans for real: runs the engine of server/attach over modules, kernel and processes, and decides when it
// looks. Mappings are announced by the kernel as they are made; a slow timer finds what is no longer mapped. While no
// module has a plan nothing of this runs. [control], except OnExec.
#pragma once

#include <atomic>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "server/app/discovery_loop.h"
#include "server/attach/attach_engine.h"
#include "server/attach/mapping_watcher.h"
#include "server/bpf/capture_core.h"
#include "server/modules/instance.h"
#include "server/state/ports.h"

namespace probed::app {

class AttachLoop {
 public:
  /// Everything outlives the loop. `core` may be null: then no module is ever added.
  AttachLoop(const boost::asio::any_io_executor& executor, bpf::CaptureCore* core, DiscoveryLoop& discovery,
             const Clock& clock);

  /// A module that has probes; the slot is published. Probes everything targets execute now before it returns.
  void Add(const std::string& name, modules::ModuleInstance& instance, const bpf::ModuleSlot& slot);
  /// Detaches all its probes. Does nothing for a module that was not added.
  void Remove(const std::string& name);

  /// Other processes are targets now.
  void TargetsChanged() { engine_.Rescan(); }
  /// [discovery]
  void OnExec(std::uint32_t pid);

  /// The module cannot look into this process. [any]
  void OnUnread(const std::string& name, std::uint32_t pid);

  /// Counters of the module's line in the ledger; none when it has no plan.
  std::map<std::string, std::uint64_t> Counters(const std::string& name) const;
  std::vector<state::Condition> Conditions(const std::string& name);

 private:
  class Mappings final : public attach::MappingSource {
   public:
    explicit Mappings(DiscoveryLoop& discovery) : discovery_(discovery) {}
    std::vector<std::uint32_t> Targets() override { return discovery_.TargetProcesses(); }
    bool IsTarget(std::uint32_t pid) override { return discovery_.IsTarget(pid); }
    std::optional<std::vector<attach::MappedFile>> Files(std::uint32_t pid) override {
      return attach::ReadExecutableFiles(pid);
    }
    Result<Fd> Open(std::uint32_t pid, const attach::MappedFile& file) override {
      return attach::OpenMappedFile(pid, file);
    }

   private:
    DiscoveryLoop& discovery_;
  };

  void StartWatching();
  void StopWatching();
  void OnMapping(std::uint32_t pid);
  void ScanPending();
  void ArmRescan();

  boost::asio::any_io_executor executor_;
  bpf::CaptureCore* core_;
  const Clock& clock_;
  Mappings mappings_;
  attach::AttachEngine engine_;
  std::unique_ptr<attach::MappingWatcher> watcher_;  // null: the timer alone must do
  boost::asio::steady_timer rescan_;
  boost::asio::steady_timer settle_;
  std::set<std::uint32_t> pending_;  // processes that mapped something since the last look
  std::atomic<bool> active_{false};
  std::map<std::string, std::uint64_t> refused_since_utc_ns_;
  std::map<std::string, std::uint64_t> unread_since_utc_ns_;
};

}  // namespace probed::app
