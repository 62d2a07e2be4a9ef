// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// The kernel side of the daemon: the core object in one backend, its control words, rules, counters, and the slots that
// modules live in. One instance per daemon. [control], except where a function says otherwise.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "bpf/shared/layout.h"
#include "server/base/fd.h"
#include "server/base/status.h"
#include "server/bpf/backends.h"
#include "server/bpf/object.h"
#include "server/bpf/uprobes.h"

namespace probed::bpf {

struct CoreOptions {
  std::string backend;  // "", "sock" or "fexit"; empty: the first that works
  std::uint32_t shards = 1;
  std::uint32_t ring_bytes = 2U << 20U;
  std::uint32_t self_tgid = 0;
  std::string uprobes;  // "", "multi" or "perf"; empty: the better one this kernel has
};

/// Kernel programs of one module, one set per attach prototype, as its file carries them.
struct ModuleObjects {
  std::string name;
  std::map<std::string, std::string> bytes_by_prototype;  // "sock", "fexit_rx", ...
  std::vector<std::string> programs;                      // names of the manifest: those of the slot
  std::vector<std::string> probes;                        // names of the manifest: those of attach plans
};

/// Target rules as the kernel reads them; masks are by rule index.
struct KernelRules {
  pb_rules masks{};
  std::map<std::pair<std::uint32_t, std::uint64_t>, std::uint64_t> exes;  // (kernel device, inode)
  std::map<std::uint32_t, std::uint64_t> ports;
  std::map<std::uint32_t, std::uint64_t> pids;
  std::map<std::uint64_t, std::uint64_t> cgroups;
};

/// A module's programs in the kernel. Destroying it unloads them; the slot must be cleared before.
class ModuleSlot {
 public:
  std::uint32_t slot() const { return slot_; }
  std::uint32_t incarnation() const { return incarnation_; }
  bool has_probes() const { return has_probes_; }
  /// The ring of a shard.
  int RingFd(std::uint32_t shard) const { return rings_[shard].get(); }

 private:
  friend class CaptureCore;
  std::uint32_t slot_ = 0;
  std::uint32_t incarnation_ = 0;
  std::vector<Object> objects_;
  std::vector<std::string> prototypes_;  // of objects_, in order
  std::optional<Object> probes_;         // also the slot's programs for plaintext
  bool has_probes_ = false;
  std::vector<Fd> rings_;
};

class CaptureCore {
 public:
  static Result<std::unique_ptr<CaptureCore>> Load(const CoreOptions& options);
  ~CaptureCore();

  Backend backend() const { return backend_; }
  std::uint32_t shards() const { return options_.shards; }
  std::uint32_t ring_bytes() const { return options_.ring_bytes; }

  /// Loads a module's programs through the verifier and makes its rings. Nothing reaches them yet.
  Result<std::unique_ptr<ModuleSlot>> LoadModule(const ModuleObjects& objects);
  /// Makes the slot reachable: programs, incarnation, then the classifier chain (slots in this order).
  Status Publish(const ModuleSlot& slot, const std::vector<std::uint32_t>& chain);
  /// Makes it unreachable and waits until no program of it runs.
  Status Clear(const ModuleSlot& slot, const std::vector<std::uint32_t>& chain);
  /// Gives the slot's number back, after the objects and rings are no longer needed.
  void Release(std::unique_ptr<ModuleSlot> slot);

  /// Attaches a probe of the module at these places of a file, all or nothing; destroying the links detaches it. The
  /// slot must be published, and outlive them.
  Result<std::vector<Link>> AttachProbe(const ModuleSlot& slot, const std::string& probe, const std::string& path,
                                        std::span<const std::uint64_t> offsets, bool is_return) const;
  /// Calls of the module's probes that the kernel skipped because one was already running.
  std::uint64_t ProbeMisses(const ModuleSlot& slot) const;
  UprobeKind uprobes() const { return uprobes_; }

  /// Writes the settings row that is not in use, then flips the slot to it.
  void SetSettings(std::uint32_t slot, const pb_settings& settings);
  /// Waits until every program that may have read an old control word has ended.
  Status Grace();

  /// Attaches the socket hooks; they run only while some module is loaded. Idempotent both ways.
  Status AttachHooks();
  void DetachHooks();
  bool hooks_attached() const { return !hooks_.empty(); }

  Status SetRules(const KernelRules& rules);
  /// An executable that appeared after SetRules. `device` in the kernel's encoding. [control, discovery]
  Status AddExeRule(std::uint32_t device, std::uint64_t inode, std::uint64_t mask);
  Status AddSelfPort(std::uint16_t port);
  Status RemoveSelfPort(std::uint16_t port);

  /// The stream's owner gets no more of it: see struct pb_hint. Taken at the stream's next segment. [any]
  Status PutHint(std::uint64_t cookie, const pb_hint& hint);

  /// Counters of a slot and shard, summed over CPUs; slot 0 is the core's line. [any]
  pb_counters ReadCounters(std::uint32_t slot, std::uint32_t shard) const;
  /// Hook calls the kernel skipped because a program was already running on that CPU. [any]
  std::uint64_t RecursionMisses() const;
  int LifeRingFd() const { return core_.MapFd("pb_life"); }
  static constexpr std::uint32_t kLifeRingBytes = 256 * 1024;

 private:
  CaptureCore(const CoreOptions& options, Backend backend, KernelFunctions functions, Object core, Fd cgroups);
  Status MapControl();
  Status AttachLife();
  void AttachToCgroups();
  Status FillArray(const char* array_name, const Object& object, std::uint32_t slot,
                   std::span<const pb_slot_program> programs, bool set);
  Status FillSlotPrograms(const ModuleSlot& slot, bool set);
  void SetChains(const std::vector<std::uint32_t>& slots);
  void ForgetRoutes();
  Result<Object> OpenObject(const ModuleObjects& objects, const std::string& prototype, const ModuleSlot& slot) const;
  Result<Object> LoadObject(const ModuleObjects& objects, const std::string& prototype,
                            const std::vector<std::string>& programs, const ModuleSlot& slot);
  Status LoadSlotPrograms(const ModuleObjects& objects, ModuleSlot& slot);
  Status LoadProbes(const ModuleObjects& objects, ModuleSlot& slot);
  Status MakeRings(const std::string& name, ModuleSlot& slot);

  CoreOptions options_;
  Backend backend_;
  KernelFunctions functions_;  // of the kernel, among those that hooks depend on
  UprobeKind uprobes_;
  Object core_;
  Fd cgroups_;  // root of the cgroup hierarchy; not valid: nothing is attached there
  pb_control* control_ = nullptr;
  std::vector<Link> hooks_;
  std::vector<Link> life_;
  std::uint32_t used_slots_ = 1;                              // bit mask; slot 0 is the core's
  std::array<std::uint32_t, PB_CHAINS> slots_in_chain_ = {};  // bit masks: those with programs for what it is about
  std::uint32_t next_incarnation_ = 1;
};

}  // namespace probed::bpf
