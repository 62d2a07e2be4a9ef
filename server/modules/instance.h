// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// A running module: the calls of its entry table as C++, each noted for the crash handler and guarded against an
// exception that the module let out. After such an exception the instance is faulted: the host stops feeding it.
// ModuleInstance is [control]; a ModuleShard belongs to the shard thread that started it.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/module/probe_module.h"
#include "server/base/error_details.h"
#include "server/base/status.h"
#include "server/modules/crash_note.h"

namespace probed::modules {

class ModuleInstance;

/// A configuration the module accepted. Commit or Abort of its instance takes it; dropping it aborts.
class PreparedConfig {
 public:
  PreparedConfig() = default;
  PreparedConfig(PreparedConfig&& other) noexcept;
  PreparedConfig& operator=(PreparedConfig&& other) noexcept;
  ~PreparedConfig();

  bool empty() const { return config_ == nullptr; }
  const probe_kernel_settings_t& kernel_settings() const { return settings_; }

 private:
  friend class ModuleInstance;
  PreparedConfig(ModuleInstance* owner, probe_config_t* config) : owner_(owner), config_(config) {}

  ModuleInstance* owner_ = nullptr;
  probe_config_t* config_ = nullptr;
  probe_kernel_settings_t settings_{};
};

/// The module's state in one shard. Every call but the constructor's: [shard], the thread of StartShard.
class ModuleShard {
 public:
  ModuleShard(ModuleShard&& other) noexcept;
  ModuleShard& operator=(ModuleShard&&) = delete;
  ~ModuleShard() { Stop(); }

  /// Each returns false when the module has no such function or is faulted: the record counts as not used.
  bool OnOpen(probe_stream_t* stream, void** state, const probe_open_t& open);
  bool OnSegment(probe_stream_t* stream, void** state, const probe_segment_t& segment);
  bool OnGap(probe_stream_t* stream, void** state, std::uint8_t direction, std::uint64_t offset, std::uint64_t length);
  bool OnClose(probe_stream_t* stream, void** state, std::uint32_t reason, std::uint64_t ktime_ns);
  bool OnDatagram(probe_stream_t* stream, void** state, const probe_datagram_t& datagram);
  bool OnEvent(const probe_event_t& event);
  bool OnTick(std::uint64_t now_ns);
  bool Flush(std::uint64_t deadline_ns);

  /// Lowest generation an open exchange still needs; UINT32_MAX when the module does not say.
  std::uint32_t OldestGeneration() const;

  /// Gives the state back. Nothing is called after it.
  void Stop();

 private:
  friend class ModuleInstance;
  ModuleShard(ModuleInstance* owner, probe_shard_t* shard) : owner_(owner), shard_(shard) {}

  template <typename Function, typename... Arguments>
  bool Call(CallPhase phase, Function function, Arguments... arguments);

  ModuleInstance* owner_;
  probe_shard_t* shard_;
};

class ModuleInstance {
 public:
  /// Makes the module's instance. `entry` and `host` outlive this. `number` tells instances of one name apart.
  /// Errors: MODULE_CREATE_FAILED.
  static Result<std::unique_ptr<ModuleInstance>> Create(std::string name, std::uint32_t number,
                                                        const probe_module_entry_t& entry, const probe_host_t& host);
  /// Destroys the module's instance; all shards are stopped, all configurations taken back.
  ~ModuleInstance();
  ModuleInstance(const ModuleInstance&) = delete;
  ModuleInstance& operator=(const ModuleInstance&) = delete;

  const std::string& name() const { return name_; }
  std::uint32_t number() const { return number_; }

  /// Asks the module to check `json` (defaults filled in). Errors: CONFIG_INVALID with the fields the module named.
  Result<PreparedConfig> Prepare(std::string_view json);
  void Commit(PreparedConfig config, std::uint32_t generation);
  void Abort(PreparedConfig config);
  /// No shard needs a generation below this any more.
  void Retire(std::uint32_t generation);

  /// The module's function table of that id, or null. LIFETIME: the instance.
  const void* Extension(std::string_view id);

  /// Asks extension probed.attach/1 for the sites of one file. Errors: UNIMPLEMENTED when the module has no such
  /// extension, NOT_FOUND when the file is of no interest to it.
  Status Plan(int fd, std::string_view path, const std::function<void(const probe_site_t&)>& emit);

  /// [shard] Errors: MODULE_CREATE_FAILED.
  Result<ModuleShard> StartShard(std::uint32_t index, probe_shard_context_t* context);

  /// [any] An exception left the module: why, or empty.
  std::string fault() const;
  bool faulted() const { return faulted_.load(std::memory_order_relaxed); }

 private:
  friend class ModuleShard;
  ModuleInstance(std::string name, std::uint32_t number, const probe_module_entry_t& entry);

  /// Runs `call` under a note; an exception becomes the instance's fault. Returns whether it came back normally.
  template <typename F>
  bool Guard(CallPhase phase, F&& call) noexcept;
  Status Failed(CallPhase phase, probe_result_t result, std::vector<FieldViolation> fields) const;

  std::string name_;
  std::uint32_t number_;
  const probe_module_entry_t& entry_;
  const CrashSubject* subject_;
  probe_module_t* module_ = nullptr;
  std::atomic<bool> faulted_{false};
  std::atomic<CallPhase> fault_phase_{CallPhase::kNone};
};

template <typename F>
[[gnu::always_inline]] inline bool ModuleInstance::Guard(CallPhase phase, F&& call) noexcept {
  const CallScope scope(subject_, number_, phase);
  try {
    std::forward<F>(call)();
    return true;
  } catch (...) {
    // Nothing of the exception is kept: its type and its destructor live in the module.
    fault_phase_.store(phase, std::memory_order_relaxed);
    faulted_.store(true, std::memory_order_release);
    return false;
  }
}

/// Inlined into its callers, and OnSegment into the feed: it is called for every record.
template <typename Function, typename... Arguments>
[[gnu::always_inline]] inline bool ModuleShard::Call(CallPhase phase, Function function, Arguments... arguments) {
  if (function == nullptr || shard_ == nullptr || owner_->faulted()) return false;
  return owner_->Guard(phase, [&] { function(shard_, arguments...); });
}

inline bool ModuleShard::OnSegment(probe_stream_t* stream, void** state, const probe_segment_t& segment) {
  return Call(CallPhase::kSegment, owner_->entry_.on_segment, stream, state, &segment);
}

}  // namespace probed::modules
