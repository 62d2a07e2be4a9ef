// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/bpf/capture_core.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <spdlog/spdlog.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <span>

#include "bpf/embedded.h"
#include "server/bpf/cgroup_root.h"
#include "server/bpf/map_io.h"

namespace probed::bpf {
namespace {

constexpr pb_slot_program kPlaintext[] = {PB_CLASSIFY, PB_RX, PB_TX};
constexpr const char* kLifeHooks[] = {"pb_state", "pb_fork", "pb_exec", "pb_exit"};
constexpr const char* kControlMap = ".data.pb_controls";

std::uint64_t RecursionMissesOf(int program) {
  bpf_prog_info info{};
  __u32 size = sizeof(info);
  return bpf_prog_get_info_by_fd(program, &info, &size) == 0 ? info.recursion_misses : 0;
}

Result<Object> LoadCore(const CoreOptions& options, Backend backend, const KernelFunctions& functions,
                        bool with_cgroups) {
  ASSIGN_OR_RETURN(Object core, Object::Open("pb_core", EmbeddedCore()));
  std::vector<std::string> programs(std::begin(kLifeHooks), std::end(kLifeHooks));
  for (const Hook& hook : HooksOf(backend, functions)) programs.emplace_back(hook.program);
  if (with_cgroups) programs.insert(programs.end(), CgroupHooksOf(backend).begin(), CgroupHooksOf(backend).end());
  core.SelectPrograms(programs);
  RETURN_IF_ERROR(core.ResizeMap("pb_counters", PB_MAX_SLOTS * options.shards));
  RETURN_IF_ERROR(core.ResizeMap("pb_rings", PB_MAX_SLOTS * options.shards));
  RETURN_IF_ERROR(core.Load());
  return core;
}

}  // namespace

Result<std::unique_ptr<CaptureCore>> CaptureCore::Load(const CoreOptions& options) {
  Status last = MakeStatus(absl::StatusCode::kInternal, "no backend was tried");
  const KernelFunctions functions = FunctionsOfThisKernel();
  for (const Backend backend : Candidates(options.backend, functions)) {
    Fd cgroups = OpenCgroupRoot();
    Result<Object> core = LoadCore(options, backend, functions, cgroups.valid());
    if (!core.ok() && cgroups.valid()) {
      spdlog::warn("programs on cgroups are not available: {}", Message(core.status()));
      cgroups = Fd();
      core = LoadCore(options, backend, functions, false);
    }
    if (!core.ok()) {
      last = core.status();
      spdlog::info("backend {} is not available: {}", BackendName(backend), Message(last));
      continue;
    }
    std::unique_ptr<CaptureCore> capture(
        new CaptureCore(options, backend, functions, std::move(core).value(), std::move(cgroups)));
    RETURN_IF_ERROR(capture->MapControl());
    RETURN_IF_ERROR(capture->AttachLife());
    return capture;
  }
  return last;
}

CaptureCore::CaptureCore(const CoreOptions& options, Backend backend, KernelFunctions functions, Object core,
                         Fd cgroups)
    : options_(options),
      backend_(backend),
      functions_(std::move(functions)),
      uprobes_(ChooseUprobes(options.uprobes)),
      core_(std::move(core)),
      cgroups_(std::move(cgroups)) {}

CaptureCore::~CaptureCore() {
  DetachHooks();
  life_.clear();
  if (control_ != nullptr) munmap(control_, sizeof(pb_control));
}

Status CaptureCore::AttachLife() {
  for (const char* program : kLifeHooks) {
    ASSIGN_OR_RETURN(Link link, core_.Attach(program));
    life_.push_back(std::move(link));
  }
  return OkStatus();
}

void CaptureCore::AttachToCgroups() {
  if (!cgroups_.valid()) return;
  for (const char* program : CgroupHooksOf(backend_)) {
    Result<Link> link = core_.AttachToCgroup(program, cgroups_.get());
    if (link.ok())
      hooks_.push_back(std::move(link).value());
    else
      spdlog::warn("hook {} is missing: {}", program, Message(link.status()));
  }
}

Status CaptureCore::MapControl() {
  void* page = mmap(nullptr, sizeof(pb_control), PROT_READ | PROT_WRITE, MAP_SHARED, core_.MapFd(kControlMap), 0);
  if (page == MAP_FAILED) return MapError("cannot map the control words", errno);
  control_ = static_cast<pb_control*>(page);
  control_->self_tgid = options_.self_tgid;
  control_->shards = options_.shards;
  control_->ring_half_bytes = options_.ring_bytes / 2;
  control_->target_generation = 1;
  control_->chain_generation = 2;
  control_->route_epoch = 1;
  return OkStatus();
}

Status CaptureCore::MakeRings(const std::string& name, ModuleSlot& slot) {
  const std::string map_name = name.substr(0, 8) + "_ring";
  for (std::uint32_t shard = 0; shard < options_.shards; ++shard) {
    Fd ring(bpf_map_create(BPF_MAP_TYPE_RINGBUF, map_name.c_str(), 0, 0, options_.ring_bytes, nullptr));
    if (!ring.valid())
      return MapError("cannot make a ring of " + std::to_string(options_.ring_bytes) + " bytes", errno);
    slot.rings_.push_back(std::move(ring));
  }
  return OkStatus();
}

Result<Object> CaptureCore::OpenObject(const ModuleObjects& objects, const std::string& prototype,
                                       const ModuleSlot& slot) const {
  const auto bytes = objects.bytes_by_prototype.find(prototype);
  if (bytes == objects.bytes_by_prototype.end())
    return MakeStatus(
        absl::StatusCode::kFailedPrecondition,
        fmt::format("module {} has no BPF object for prototype {}, which this kernel needs", objects.name, prototype));
  ASSIGN_OR_RETURN(Object object, Object::Open("pb_" + objects.name, bytes->second));
  RETURN_IF_ERROR(object.SetConstant("cfg_slot", slot.slot_));
  RETURN_IF_ERROR(object.SetConstant("cfg_incarnation", slot.incarnation_));
  // The module's own maps are one for all its objects: the first one made is every later one's.
  for (const Object& first : slot.objects_)
    for (const std::string& map : first.MapNames()) RETURN_IF_ERROR(object.ShareMap(map, first.MapFd(map)));
  // What the core has under the same name is the core's: a module reads and writes what the hooks do.
  for (const std::string& map : core_.MapNames()) RETURN_IF_ERROR(object.ShareMap(map, core_.MapFd(map)));
  RETURN_IF_ERROR(object.ShareMap(kControlMap, core_.MapFd(kControlMap)));
  return object;
}

Result<Object> CaptureCore::LoadObject(const ModuleObjects& objects, const std::string& prototype,
                                       const std::vector<std::string>& programs, const ModuleSlot& slot) {
  spdlog::debug("module {}: loading its programs for {}", objects.name, prototype);
  ASSIGN_OR_RETURN(Object object, OpenObject(objects, prototype, slot));
  object.SelectPrograms(programs);
  RETURN_IF_ERROR(object.Load());
  return object;
}

Status CaptureCore::LoadSlotPrograms(const ModuleObjects& objects, ModuleSlot& slot) {
  for (const Prototype& prototype : PrototypesOf(backend_, functions_)) {
    const std::vector<std::string> programs = ProgramsFor(prototype, objects.programs);
    if (programs.empty()) continue;
    if (prototype.function != nullptr && !objects.bytes_by_prototype.contains(prototype.name)) {
      spdlog::warn("module {} was built without prototype {}: it does not see what {} brings", objects.name,
                   prototype.name, prototype.function);
      continue;
    }
    ASSIGN_OR_RETURN(Object object, LoadObject(objects, prototype.name, programs, slot));
    slot.objects_.push_back(std::move(object));
    slot.prototypes_.emplace_back(prototype.name);
  }
  return OkStatus();
}

// Probes, and the slot's programs for plaintext that probes of other modules hand on.
Status CaptureCore::LoadProbes(const ModuleObjects& objects, ModuleSlot& slot) {
  ASSIGN_OR_RETURN(Object object, OpenObject(objects, "uprobe", slot));
  std::vector<std::string> programs = objects.probes;
  programs.insert(programs.end(), objects.programs.begin(), objects.programs.end());
  object.SelectPrograms(programs);
  PrepareUprobes(object, uprobes_);
  RETURN_IF_ERROR(object.Load());
  slot.probes_.emplace(std::move(object));
  slot.has_probes_ = !objects.probes.empty();
  return OkStatus();
}

Result<std::unique_ptr<ModuleSlot>> CaptureCore::LoadModule(const ModuleObjects& objects) {
  auto slot = std::make_unique<ModuleSlot>();
  while (slot->slot_ < PB_MAX_SLOTS && (used_slots_ >> slot->slot_ & 1U) != 0) ++slot->slot_;
  if (slot->slot_ == PB_MAX_SLOTS)
    return MakeStatus(absl::StatusCode::kResourceExhausted,
                      fmt::format("all {} module slots are in use", PB_MAX_SLOTS - 1));
  slot->incarnation_ = next_incarnation_++;
  if (!objects.programs.empty()) RETURN_IF_ERROR(LoadSlotPrograms(objects, *slot));
  if (Status loaded = LoadProbes(objects, *slot); !loaded.ok()) {
    if (!objects.probes.empty()) return loaded;
    spdlog::warn("module {} sees no plaintext: {}", objects.name, Message(loaded));
  }
  RETURN_IF_ERROR(MakeRings(objects.name, *slot));
  used_slots_ |= 1U << slot->slot_;
  for (const pb_chain chain : {PB_CHAIN_STREAMS, PB_CHAIN_DATAGRAMS})
    if (IsInChain(objects.programs, chain)) slots_in_chain_[chain] |= 1U << slot->slot_;
  return slot;
}

Status CaptureCore::FillArray(const char* array_name, const Object& object, std::uint32_t slot,
                              std::span<const pb_slot_program> programs, bool set) {
  const int array = core_.MapFd(array_name);
  for (const pb_slot_program program : programs) {
    const std::uint32_t index = slot * PB_SLOT_PROGRAMS + program;
    if (!set) {
      bpf_map_delete_elem(array, &index);
      continue;
    }
    for (const std::string& name : object.ProgramNames()) {
      const int fd = object.ProgramFd(name);
      if (fd < 0 || !name.ends_with(SuffixOf(program))) continue;
      RETURN_IF_ERROR(Update(array, index, fd, "cannot publish " + name));
    }
  }
  return OkStatus();
}

Status CaptureCore::FillSlotPrograms(const ModuleSlot& slot, bool set) {
  for (const Prototype& prototype : PrototypesOf(backend_, functions_)) {
    const auto at = std::find(slot.prototypes_.begin(), slot.prototypes_.end(), prototype.name);
    if (at == slot.prototypes_.end()) continue;
    const Object& object = slot.objects_[static_cast<std::size_t>(at - slot.prototypes_.begin())];
    RETURN_IF_ERROR(FillArray(prototype.array, object, slot.slot_, prototype.programs, set));
  }
  return slot.probes_ ? FillArray("pb_progs_up", *slot.probes_, slot.slot_, kPlaintext, set) : OkStatus();
}

void CaptureCore::SetChains(const std::vector<std::uint32_t>& slots) {
  const std::uint32_t generation = control_->chain_generation + 1;
  std::memset(control_->next[generation & 1U], 0, sizeof(control_->next[0]));
  for (const pb_chain chain : {PB_CHAIN_STREAMS, PB_CHAIN_DATAGRAMS}) {
    __u8* next = control_->next[generation & 1U][chain];
    std::uint32_t at = 0;
    for (const std::uint32_t slot : slots) {
      if ((slots_in_chain_[chain] >> slot & 1U) == 0) continue;
      next[at] = static_cast<__u8>(slot);
      at = slot;
    }
  }
  std::atomic_ref<__u32>(control_->chain_generation).store(generation, std::memory_order_release);
}

// What sockets remember of their way is void, and looked up anew at their next call.
void CaptureCore::ForgetRoutes() {
  const std::atomic_ref<__u32> epoch(control_->route_epoch);
  if (epoch.fetch_add(1, std::memory_order_release) == UINT32_MAX) epoch.fetch_add(1, std::memory_order_release);
}

Status CaptureCore::Publish(const ModuleSlot& slot, const std::vector<std::uint32_t>& chain) {
  const int rings = core_.MapFd("pb_rings");
  for (std::uint32_t shard = 0; shard < options_.shards; ++shard) {
    const std::uint32_t index = slot.slot_ * options_.shards + shard;
    const int fd = slot.RingFd(shard);
    RETURN_IF_ERROR(Update(rings, index, fd, "cannot publish the ring"));
  }
  RETURN_IF_ERROR(FillSlotPrograms(slot, true));
  std::atomic_ref<__u32>(control_->incarnation[slot.slot_]).store(slot.incarnation_, std::memory_order_release);
  if (slot.has_probes_) std::atomic_ref<__u32>(control_->probers).fetch_or(1U << slot.slot_, std::memory_order_release);
  ForgetRoutes();
  // All hooks before any stream is anybody's: of a request that one hook saw, no other may miss the answer.
  if (!chain.empty()) RETURN_IF_ERROR(AttachHooks());
  SetChains(chain);
  return OkStatus();
}

Status CaptureCore::Clear(const ModuleSlot& slot, const std::vector<std::uint32_t>& chain) {
  std::atomic_ref<__u32>(control_->incarnation[slot.slot_]).store(0, std::memory_order_release);
  if (slot.has_probes_)
    std::atomic_ref<__u32>(control_->probers).fetch_and(~(1U << slot.slot_), std::memory_order_release);
  ForgetRoutes();
  SetChains(chain);
  if (chain.empty()) DetachHooks();
  RETURN_IF_ERROR(FillSlotPrograms(slot, false));
  return Grace();
}

void CaptureCore::Release(std::unique_ptr<ModuleSlot> slot) {
  if (slot == nullptr) return;
  const int rings = core_.MapFd("pb_rings");
  for (std::uint32_t shard = 0; shard < options_.shards; ++shard) {
    const std::uint32_t index = slot->slot_ * options_.shards + shard;
    bpf_map_delete_elem(rings, &index);
  }
  const std::vector<pb_counters> zero(static_cast<std::size_t>(libbpf_num_possible_cpus()));
  for (std::uint32_t shard = 0; shard < options_.shards; ++shard) {
    const std::uint32_t index = slot->slot_ * options_.shards + shard;
    bpf_map_update_elem(core_.MapFd("pb_counters"), &index, zero.data(), BPF_ANY);
  }
  used_slots_ &= ~(1U << slot->slot_);
  for (std::uint32_t& slots : slots_in_chain_) slots &= ~(1U << slot->slot_);
}

Result<std::vector<Link>> CaptureCore::AttachProbe(const ModuleSlot& slot, const std::string& probe,
                                                   const std::string& path, std::span<const std::uint64_t> offsets,
                                                   bool is_return) const {
  if (!slot.has_probes_) return MakeStatus(absl::StatusCode::kInvalidArgument, "the module has no probes");
  return AttachUprobes(*slot.probes_, probe, uprobes_, path, offsets, is_return);
}

std::uint64_t CaptureCore::ProbeMisses(const ModuleSlot& slot) const {
  std::uint64_t misses = 0;
  if (!slot.probes_) return misses;
  for (const std::string& name : slot.probes_->ProgramNames())
    misses += RecursionMissesOf(slot.probes_->ProgramFd(name));
  return misses;
}

void CaptureCore::SetSettings(std::uint32_t slot, const pb_settings& settings) {
  const std::uint32_t parity = settings.generation & 1U;
  control_->settings[slot][parity] = settings;
  std::atomic_ref<__u32>(control_->parity[slot]).store(parity, std::memory_order_release);
}

// The kernel waits for an RCU grace period when user space changes a map in a map (kernel/bpf/syscall.c,
// maybe_wait_bpf_programs), and that covers every program that runs now. The element touched is the core's own, which
// holds no ring.
Status CaptureCore::Grace() {
  const int rings = core_.MapFd("pb_rings");
  const std::uint32_t index = 0;
  const Fd ring(
      bpf_map_create(BPF_MAP_TYPE_RINGBUF, "pb_grace", 0, 0, static_cast<__u32>(sysconf(_SC_PAGESIZE)), nullptr));
  if (!ring.valid()) return MapError("cannot wait for running programs", errno);
  const int fd = ring.get();
  RETURN_IF_ERROR(Update(rings, index, fd, "cannot wait for running programs"));
  bpf_map_delete_elem(rings, &index);
  return OkStatus();
}

Status CaptureCore::AttachHooks() {
  if (!hooks_.empty()) return OkStatus();
  for (const Hook& hook : HooksOf(backend_, functions_)) {
    Result<Link> link = core_.Attach(hook.program);
    if (link.ok()) {
      hooks_.push_back(std::move(link).value());
    } else if (hook.required) {
      hooks_.clear();
      return link.status();
    } else {
      spdlog::warn("hook {} is missing: {}", hook.program, Message(link.status()));
    }
  }
  AttachToCgroups();
  return OkStatus();
}

void CaptureCore::DetachHooks() { hooks_.clear(); }

pb_counters CaptureCore::ReadCounters(std::uint32_t slot, std::uint32_t shard) const {
  std::vector<pb_counters> lines(static_cast<std::size_t>(libbpf_num_possible_cpus()));
  const std::uint32_t index = slot * options_.shards + shard;
  pb_counters sum{};
  if (bpf_map_lookup_elem(core_.MapFd("pb_counters"), &index, lines.data()) != 0) return sum;
  constexpr std::size_t kFields = sizeof(pb_counters) / sizeof(__u64);
  auto* total = reinterpret_cast<__u64*>(&sum);
  for (const pb_counters& line : lines)
    for (std::size_t i = 0; i < kFields; ++i) total[i] += reinterpret_cast<const __u64*>(&line)[i];
  return sum;
}

std::uint64_t CaptureCore::RecursionMisses() const {
  std::uint64_t misses = 0;
  for (const Hook& hook : HooksOf(backend_, functions_)) misses += RecursionMissesOf(core_.ProgramFd(hook.program));
  return misses;
}

}  // namespace probed::bpf
