// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/app/module_host.h"

#include <spdlog/spdlog.h>

#include <algorithm>

#include "server/config/schema.h"
#include "server/export/resource.h"
#include "server/modules/reasons.h"
#include "server/pipeline/instruments.h"

namespace probed::app {
namespace {

constexpr std::uint64_t kFlushNs = 2'000'000'000;

/// A module without one gets no streams by classification, and would end the chain for those behind it.
bool HasClassifier(const modules::Manifest& manifest) {
  return std::any_of(manifest.programs.begin(), manifest.programs.end(), [](const modules::ManifestProgram& program) {
    return program.kind == modules::ProgramKind::kClassify && program.attach.empty();
  });
}

}  // namespace

ModuleHost::~ModuleHost() {
  while (!modules_.empty()) {
    const std::string name = modules_.begin()->first;
    IgnoreError(Quiesce(name), "the daemon ends");
    IgnoreError(Drain(name), "the daemon ends");
    IgnoreError(Destroy(name), "the daemon ends");
    IgnoreError(Close(name).status(), "the daemon ends");
  }
}

std::vector<state::ModuleDescription> ModuleHost::Discover() {
  std::vector<state::ModuleDescription> all;
  for (modules::ModuleInfo& info : parts_.registry->Discover())
    all.push_back({info.name, info.version, info.description, info.path, info.status, info.digest, info.manifest_json,
                   info.problem});
  return all;
}

Result<ModuleHost::Loaded*> ModuleHost::Find(const std::string& name) {
  const auto found = modules_.find(name);
  if (found == modules_.end())
    return MakeError(absl::StatusCode::kNotFound, "module " + name + " is not loaded",
                     {.reason = "MODULE_NOT_LOADED", .metadata = {{"module", name}}, .fields = {}, .log_tail = {}});
  return &found->second;
}

Status ModuleHost::Open(const std::string& name) {
  if (const modules::QuarantineEntry* held = parts_.quarantine->Held(name))
    return modules::Refused(modules::kModuleQuarantined, name,
                            "module " + name + " is quarantined: " + held->Reason() + "; load it to try it again");
  ASSIGN_OR_RETURN(modules::OpenedModule opened, parts_.registry->Open(name));
  modules_[name].opened.emplace(std::move(opened));
  return OkStatus();
}

Status ModuleHost::LoadKernel(const std::string& name) {
  ASSIGN_OR_RETURN(Loaded * module, Find(name));
  if (parts_.core == nullptr) return parts_.core_error;
  bpf::ModuleObjects objects{.name = name, .bytes_by_prototype = {}, .programs = {}, .probes = {}};
  for (const std::string& prototype : module->opened->BpfPrototypes()) {
    ASSIGN_OR_RETURN(std::vector<std::uint8_t> bytes, module->opened->BpfObject(prototype));
    objects.bytes_by_prototype[prototype].assign(bytes.begin(), bytes.end());
  }
  for (const modules::ManifestProgram& program : module->opened->manifest().programs)
    (program.attach == PROBE_EXTENSION_ATTACH ? objects.probes : objects.programs).push_back(program.name);
  ASSIGN_OR_RETURN(module->slot, parts_.core->LoadModule(objects));
  return OkStatus();
}

Status ModuleHost::Create(const std::string& name) {
  ASSIGN_OR_RETURN(Loaded * module, Find(name));
  ASSIGN_OR_RETURN(auto instruments,
                   pipeline::RegisterInstruments(module->opened->manifest(), *parts_.metrics, *parts_.keys));
  module->host = std::make_unique<pipeline::HostTable>(name, *parts_.keys, std::move(instruments));
  ASSIGN_OR_RETURN(module->instance, modules::ModuleInstance::Create(name, next_number_++, module->opened->entry(),
                                                                     module->host->table()));
  return RequireAttachPlan(*module);
}

// Probes without a plan would be loaded and never attached.
Status ModuleHost::RequireAttachPlan(Loaded& module) const {
  if (module.slot == nullptr || !module.slot->has_probes()) return OkStatus();
  if (module.instance->Extension(PROBE_EXTENSION_ATTACH) != nullptr) return OkStatus();
  const std::string name = module.instance->name();
  module.instance.reset();
  module.host.reset();
  return MakeError(absl::StatusCode::kFailedPrecondition,
                   "module " + name + " has programs for " PROBE_EXTENSION_ATTACH ", but not that extension",
                   {.reason = "MODULE_UNUSABLE", .metadata = {{"module", name}}, .fields = {}, .log_tail = {}});
}

Status ModuleHost::Prepare(const std::string& name, const std::string& config_json) {
  const auto found = modules_.find(name);
  if (found == modules_.end() || found->second.instance == nullptr) {
    ASSIGN_OR_RETURN(modules::Manifest manifest, parts_.registry->ReadManifest(name));
    return config::CompleteConfig(manifest.config_schema, config_json).status();
  }
  Loaded& module = found->second;
  ASSIGN_OR_RETURN(const std::string complete,
                   config::CompleteConfig(module.opened->manifest().config_schema, config_json));
  module.prepared.reset();
  ASSIGN_OR_RETURN(modules::PreparedConfig prepared, module.instance->Prepare(complete));
  module.prepared.emplace(std::move(prepared));
  return OkStatus();
}

std::vector<std::uint32_t> ModuleHost::Chain(const std::string& without) const {
  std::vector<std::pair<std::uint32_t, std::uint32_t>> order;  // priority, slot
  for (const auto& [name, module] : modules_)
    if (module.published && name != without && HasClassifier(module.opened->manifest()))
      order.emplace_back(module.opened->manifest().priority, module.slot->slot());
  std::sort(order.begin(), order.end());
  std::vector<std::uint32_t> chain;
  chain.reserve(order.size());
  for (const auto& [priority, slot] : order) chain.push_back(slot);
  return chain;
}

Status ModuleHost::StartFeeds(const std::string& name, Loaded& module) {
  const pipeline::ModuleOutput output{
      .id = module.instance->number(),
      .name = name,
      .scope = std::make_shared<const exporter::Scope>(
          exporter::MakeScope(module.instance->number(), "probed." + name, module.opened->manifest().version))};
  for (auto& shard : *parts_.shards) {
    const int ring_fd = module.slot->RingFd(shard->index());
    ASSIGN_OR_RETURN(bpf::RingReader ring, bpf::RingReader::Map(ring_fd, parts_.core->ring_bytes()));
    auto feed = std::make_unique<pipeline::ModuleFeed>(
        output, std::move(ring), shard->output(),
        [this](const pipeline::StreamRelease& release) { return ReleaseStream(release); });
    if (module.slot->has_probes())
      feed->OnUnread([this, name](std::uint32_t tgid) { parts_.attach->OnUnread(name, tgid); });
    Status started;
    shard->Run([&] {
      started = feed->Start(*module.instance, shard->index());
      if (started.ok()) shard->Add(feed.get(), ring_fd);
    });
    RETURN_IF_ERROR(started);
    module.feeds.push_back(std::move(feed));
  }
  return OkStatus();
}

/// 0: the module is to be found no longer.
void ModuleHost::NameSlot(const std::string& name, std::uint32_t slot) {
  const std::lock_guard lock(slots_mutex_);
  if (slot != 0)
    slots_[name] = slot;
  else
    slots_.erase(name);
}

/// [shard]
probe_result_t ModuleHost::ReleaseStream(const pipeline::StreamRelease& release) {
  pb_hint hint{.offset = release.offset, .incarnation = release.incarnation, .heir = 0, .reserved = 0};
  if (!release.heir.empty()) {
    const std::lock_guard lock(slots_mutex_);
    const auto heir = slots_.find(release.heir);
    if (heir == slots_.end()) return PROBE_INVALID;
    hint.heir = static_cast<__u16>(heir->second);
  }
  const Status put = parts_.core->PutHint(release.cookie, hint);
  if (!put.ok()) spdlog::warn("{}", Message(put));
  return put.ok() ? PROBE_OK : PROBE_INTERNAL;
}

// The new settings row is written whole, then one word flips the slot to it.
void ModuleHost::Activate(Loaded& module) {
  const probe_kernel_settings_t& wanted = module.prepared->kernel_settings();
  pb_settings settings{};
  settings.generation = module.generation;
  settings.capture_bytes = wanted.capture_bytes;
  std::copy(std::begin(wanted.values), std::end(wanted.values), std::begin(settings.values));
  module.instance->Commit(std::move(*module.prepared), module.generation);
  module.prepared.reset();
  parts_.core->SetSettings(module.slot->slot(), settings);
}

Status ModuleHost::Start(const std::string& name, std::uint32_t /*generation*/) {
  ASSIGN_OR_RETURN(Loaded * module, Find(name));
  module->generation = 1;
  Activate(*module);
  RETURN_IF_ERROR(StartFeeds(name, *module));
  module->published = true;
  NameSlot(name, module->slot->slot());
  RETURN_IF_ERROR(parts_.core->Publish(*module->slot, Chain("")));
  if (module->slot->has_probes()) parts_.attach->Add(name, *module->instance, *module->slot);
  return OkStatus();
}

ModuleHost::Counts ModuleHost::Count(const Loaded& module, std::uint32_t parity) const {
  Counts counts;
  for (std::uint32_t shard = 0; shard < module.feeds.size(); ++shard) {
    counts.submitted += parts_.core->ReadCounters(module.slot->slot(), shard).generation[parity];
    counts.consumed += module.feeds[shard]->ledger().generation[parity];
  }
  return counts;
}

std::uint64_t ModuleHost::Lost(const Loaded& module) const {
  std::uint64_t lost = parts_.core->RecursionMisses();
  for (std::uint32_t shard = 0; shard < module.feeds.size(); ++shard) {
    const pb_counters counters = parts_.core->ReadCounters(module.slot->slot(), shard);
    lost += counters.ring_full + counters.fault;
  }
  return lost;
}

std::uint64_t ModuleHost::Doubled(const Loaded& module) const {
  std::uint64_t doubled = 0;
  for (const auto& feed : module.feeds) doubled += feed->ledger().doubled;
  return doubled;
}

void ModuleHost::DrainFeeds(Loaded& module) {
  for (std::size_t i = 0; i < module.feeds.size(); ++i) {
    pipeline::ShardWorker& shard = *(*parts_.shards)[i];
    shard.Run([&] { shard.DrainToMarker(*module.feeds[i]); });
  }
}

void ModuleHost::RetireOld(Loaded& module) {
  std::uint32_t oldest = module.generation;
  for (std::size_t i = 0; i < module.feeds.size(); ++i)
    (*parts_.shards)[i]->Run([&] { oldest = std::min(oldest, module.feeds[i]->oldest_generation()); });
  module.instance->Retire(oldest);
}

Result<state::Receipt> ModuleHost::Commit(const std::string& name, std::uint32_t generation) {
  ASSIGN_OR_RETURN(Loaded * module, Find(name));
  const std::uint64_t lost_before = Lost(*module);
  const std::uint64_t doubled_before = Doubled(*module);
  const std::uint32_t old_parity = module->generation & 1U;
  const std::uint32_t new_parity = old_parity ^ 1U;
  module->at_start[new_parity] = Count(*module, new_parity);
  ++module->generation;
  Activate(*module);
  RETURN_IF_ERROR(parts_.core->Grace());
  // Nothing runs under the old row any more: its count is final, and the rings hold the rest of it.
  const Counts old_before = module->at_start[old_parity];
  const Counts old_submitted = Count(*module, old_parity);
  DrainFeeds(*module);
  const Counts old_now = Count(*module, old_parity);
  const Counts new_now = Count(*module, new_parity);
  const Counts new_before = module->at_start[new_parity];
  RetireOld(*module);
  state::Receipt receipt;
  receipt.old_generation = generation - 1;
  receipt.new_generation = generation;
  receipt.submitted_old = old_submitted.submitted - old_before.submitted;
  receipt.consumed_old = old_now.consumed - old_before.consumed;
  receipt.submitted_new = new_now.submitted - new_before.submitted;
  receipt.consumed_new = new_now.consumed - new_before.consumed;
  receipt.lost = Lost(*module) - lost_before + (receipt.submitted_old - receipt.consumed_old);
  receipt.doubled = Doubled(*module) - doubled_before;
  return receipt;
}

void ModuleHost::AbortPrepared(const std::string& name) {
  const auto found = modules_.find(name);
  if (found != modules_.end()) found->second.prepared.reset();
}

Status ModuleHost::Quiesce(const std::string& name) {
  ASSIGN_OR_RETURN(Loaded * module, Find(name));
  if (!module->published) return OkStatus();
  module->published = false;
  NameSlot(name, 0);
  parts_.attach->Remove(name);
  return parts_.core->Clear(*module->slot, Chain(name));
}

Status ModuleHost::Drain(const std::string& name) {
  ASSIGN_OR_RETURN(Loaded * module, Find(name));
  const std::uint64_t deadline = parts_.clock->KtimeNs() + kFlushNs;
  for (std::size_t i = 0; i < module->feeds.size(); ++i) {
    pipeline::ShardWorker& shard = *(*parts_.shards)[i];
    pipeline::ModuleFeed& feed = *module->feeds[i];
    shard.Run([&] {
      shard.DrainToMarker(feed);
      feed.Stop(deadline);
      shard.output().FlushBatches();
      shard.Remove(&feed, module->slot->RingFd(shard.index()));
    });
  }
  return OkStatus();
}

// A slot's counters go with it; what the kernel's line has of them is remembered.
void ModuleHost::KeepCallCount(const Loaded& module) {
  for (std::uint32_t shard = 0; shard < parts_.core->shards(); ++shard) {
    const pb_counters c = parts_.core->ReadCounters(module.slot->slot(), shard);
    unloaded_hooked_ += c.hooked;
    unloaded_calls_ += c.skipped + c.sampled + c.fault + c.ring_full + c.unbound + c.submitted;
  }
}

Status ModuleHost::Destroy(const std::string& name) {
  ASSIGN_OR_RETURN(Loaded * module, Find(name));
  if (module->slot != nullptr) KeepCallCount(*module);
  module->feeds.clear();
  module->prepared.reset();
  module->instance.reset();
  module->host.reset();
  if (module->slot != nullptr) parts_.core->Release(std::move(module->slot));
  return OkStatus();
}

Result<state::UnloadReport> ModuleHost::Close(const std::string& name) {
  ASSIGN_OR_RETURN(Loaded * module, Find(name));
  state::UnloadReport report;
  if (module->opened) report.left_behind = module->opened->library().Unload().left_behind;
  if (module->generation != 0)
    if (const Status noted = parts_.quarantine->NoteClean(name); !noted.ok()) spdlog::warn("{}", Message(noted));
  modules_.erase(name);
  return report;
}

std::vector<state::Condition> ModuleHost::Conditions(const std::string& name) {
  std::vector<state::Condition> conditions;
  if (const modules::QuarantineEntry* held = parts_.quarantine->Held(name))
    conditions.push_back(
        {"Quarantined", "CRASHED", held->Reason() + "; load it to try it again", parts_.clock->UtcNs()});
  const auto found = modules_.find(name);
  if (found == modules_.end() || found->second.instance == nullptr) return conditions;
  if (std::string fault = found->second.instance->fault(); !fault.empty())
    conditions.push_back({"Quarantined", "EXCEPTION", std::move(fault), parts_.clock->UtcNs()});
  for (state::Condition& condition : parts_.attach->Conditions(name)) conditions.push_back(std::move(condition));
  return conditions;
}

}  // namespace probed::app
