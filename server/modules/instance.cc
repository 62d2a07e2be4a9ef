// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/modules/instance.h"

#include <fmt/format.h>

#include <limits>

#include "server/base/thread_tags.h"
#include "server/modules/reasons.h"

namespace probed::modules {
namespace {

constexpr std::size_t kMaxFields = 64;  // of one configuration: a module must not fill the memory
constexpr std::size_t kMaxFieldText = 4096;

std::string Copy(probe_str_t text) {
  if (text.ptr == nullptr) return {};
  return {text.ptr, std::min(text.len, kMaxFieldText)};
}

probe_str_t Str(std::string_view text) { return {text.data(), text.size()}; }

const char* ResultName(probe_result_t result) {
  switch (result) {
    case PROBE_OK: return "PROBE_OK";
    case PROBE_INVALID: return "PROBE_INVALID";
    case PROBE_NO_MEMORY: return "PROBE_NO_MEMORY";
    case PROBE_UNSUPPORTED: return "PROBE_UNSUPPORTED";
    case PROBE_INTERNAL: return "PROBE_INTERNAL";
    default: return "an unknown result";
  }
}

absl::StatusCode CodeOf(probe_result_t result) {
  switch (result) {
    case PROBE_INVALID: return absl::StatusCode::kInvalidArgument;
    case PROBE_NO_MEMORY: return absl::StatusCode::kResourceExhausted;
    case PROBE_UNSUPPORTED: return absl::StatusCode::kFailedPrecondition;
    default: return absl::StatusCode::kInternal;
  }
}

// Called by the module, through C: nothing may be thrown through it, so the bound comes first.
void CollectField(void* context, probe_str_t path, probe_str_t message) noexcept {
  auto& fields = *static_cast<std::vector<FieldViolation>*>(context);
  if (fields.size() < kMaxFields) fields.push_back({Copy(path), Copy(message)});
}

void ForwardSite(void* context, const probe_site_t* site) noexcept {
  (*static_cast<const std::function<void(const probe_site_t&)>*>(context))(*site);
}

}  // namespace

PreparedConfig::PreparedConfig(PreparedConfig&& other) noexcept
    : owner_(other.owner_), config_(std::exchange(other.config_, nullptr)), settings_(other.settings_) {}

PreparedConfig& PreparedConfig::operator=(PreparedConfig&& other) noexcept {
  std::swap(owner_, other.owner_);
  std::swap(config_, other.config_);
  std::swap(settings_, other.settings_);
  return *this;
}

PreparedConfig::~PreparedConfig() {
  if (config_ != nullptr) owner_->Abort(std::move(*this));
}

ModuleInstance::ModuleInstance(std::string name, std::uint32_t number, const probe_module_entry_t& entry)
    : name_(std::move(name)), number_(number), entry_(entry), subject_(CrashSubjectOf(name_)) {}

Result<std::unique_ptr<ModuleInstance>> ModuleInstance::Create(std::string name, std::uint32_t number,
                                                               const probe_module_entry_t& entry,
                                                               const probe_host_t& host) {
  PROBED_ASSERT_ON(Control);
  std::unique_ptr<ModuleInstance> instance(new ModuleInstance(std::move(name), number, entry));
  probe_result_t result = PROBE_INTERNAL;
  instance->Guard(CallPhase::kCreate, [&] { result = entry.create(&host, &instance->module_); });
  if (result == PROBE_OK && instance->module_ != nullptr && !instance->faulted()) return instance;
  if (result == PROBE_OK) result = PROBE_INTERNAL;
  Status failed = instance->Failed(CallPhase::kCreate, result, {});
  instance->module_ = nullptr;  // "nothing may stay behind": what it wrote after a failure is no instance
  return failed;
}

ModuleInstance::~ModuleInstance() {
  if (module_ != nullptr) Guard(CallPhase::kDestroy, [&] { entry_.destroy(module_); });
}

Status ModuleInstance::Failed(CallPhase phase, probe_result_t result, std::vector<FieldViolation> fields) const {
  const std::string cause = faulted() ? fault() : fmt::format("{} gave {}", CallPhaseName(phase), ResultName(result));
  const bool is_config = phase == CallPhase::kPrepare && result == PROBE_INVALID;
  const std::string_view reason = is_config ? kConfigInvalid : faulted() ? kModuleInternal : kModuleCreateFailed;
  std::string message = fmt::format("module {}: {}", name_, cause);
  if (is_config) {
    if (fields.empty()) fields.push_back({"", "refused by the module, which did not say why"});
    const FieldViolation& first = fields.front();
    message = fmt::format("module {}: {}{}{}", name_, first.path, first.path.empty() ? "" : ": ", first.description);
  }
  return ModuleError(CodeOf(result), reason, name_, message, std::move(fields));
}

Result<PreparedConfig> ModuleInstance::Prepare(std::string_view json) {
  PROBED_ASSERT_ON(Control);
  std::vector<FieldViolation> fields;
  const probe_error_sink_t sink = {sizeof(sink), 0, &fields, CollectField};
  PreparedConfig prepared(this, nullptr);
  probe_result_t result = PROBE_INTERNAL;
  Guard(CallPhase::kPrepare, [&] { result = entry_.prepare(module_, Str(json), &sink, &prepared.config_); });
  if (result == PROBE_OK && prepared.config_ == nullptr) result = PROBE_INTERNAL;
  if (result != PROBE_OK) {
    prepared.config_ = nullptr;
    return Failed(CallPhase::kPrepare, result, std::move(fields));
  }
  prepared.settings_.struct_size = sizeof(prepared.settings_);
  Guard(CallPhase::kPrepare, [&] { entry_.kernel_settings(prepared.config_, &prepared.settings_); });
  if (faulted()) return Failed(CallPhase::kPrepare, PROBE_INTERNAL, {});
  return prepared;
}

void ModuleInstance::Commit(PreparedConfig config, std::uint32_t generation) {
  PROBED_ASSERT_ON(Control);
  probe_config_t* taken = std::exchange(config.config_, nullptr);
  if (taken != nullptr) Guard(CallPhase::kCommit, [&] { entry_.commit(module_, taken, generation); });
}

void ModuleInstance::Abort(PreparedConfig config) {
  PROBED_ASSERT_ON(Control);
  probe_config_t* taken = std::exchange(config.config_, nullptr);
  if (taken != nullptr) Guard(CallPhase::kAbort, [&] { entry_.abort(module_, taken); });
}

void ModuleInstance::Retire(std::uint32_t generation) {
  PROBED_ASSERT_ON(Control);
  if (entry_.retire != nullptr) Guard(CallPhase::kRetire, [&] { entry_.retire(module_, generation); });
}

const void* ModuleInstance::Extension(std::string_view id) {
  const void* table = nullptr;
  if (entry_.get_extension == nullptr) return table;
  Guard(CallPhase::kExtension, [&] { table = entry_.get_extension(module_, Str(id)); });
  return table;
}

Status ModuleInstance::Plan(int fd, std::string_view path, const std::function<void(const probe_site_t&)>& emit) {
  PROBED_ASSERT_ON(Control);
  const auto* attach = static_cast<const probe_attach_t*>(Extension(PROBE_EXTENSION_ATTACH));
  if (attach == nullptr || attach->struct_size < sizeof(*attach) || attach->plan == nullptr) {
    return MakeStatus(absl::StatusCode::kUnimplemented, "module " + name_ + " has no attach plan");
  }
  probe_result_t result = PROBE_INTERNAL;
  auto* context = const_cast<std::function<void(const probe_site_t&)>*>(&emit);
  Guard(CallPhase::kPlan, [&] { result = attach->plan(module_, fd, Str(path), context, ForwardSite); });
  if (result == PROBE_OK) return OkStatus();
  if (result != PROBE_UNSUPPORTED) return Failed(CallPhase::kPlan, result, {});
  return MakeStatus(absl::StatusCode::kNotFound, fmt::format("{} is of no interest to module {}", path, name_));
}

Result<ModuleShard> ModuleInstance::StartShard(std::uint32_t index, probe_shard_context_t* context) {
  PROBED_ASSERT_ON(Shard);
  ModuleShard shard(this, nullptr);
  probe_result_t result = PROBE_INTERNAL;
  Guard(CallPhase::kShardStart, [&] { result = entry_.shard_start(module_, index, context, &shard.shard_); });
  if (result == PROBE_OK && shard.shard_ != nullptr) return shard;
  shard.shard_ = nullptr;
  return Failed(CallPhase::kShardStart, result == PROBE_OK ? PROBE_INTERNAL : result, {});
}

std::string ModuleInstance::fault() const {
  if (!faulted_.load(std::memory_order_acquire)) return {};
  return fmt::format("an exception left {}", CallPhaseName(fault_phase_.load(std::memory_order_relaxed)));
}

ModuleShard::ModuleShard(ModuleShard&& other) noexcept
    : owner_(other.owner_), shard_(std::exchange(other.shard_, nullptr)) {}

bool ModuleShard::OnOpen(probe_stream_t* stream, void** state, const probe_open_t& open) {
  return Call(CallPhase::kOpen, owner_->entry_.on_open, stream, state, &open);
}

bool ModuleShard::OnGap(probe_stream_t* stream, void** state, std::uint8_t direction, std::uint64_t offset,
                        std::uint64_t length) {
  return Call(CallPhase::kGap, owner_->entry_.on_gap, stream, state, direction, offset, length);
}

bool ModuleShard::OnClose(probe_stream_t* stream, void** state, std::uint32_t reason, std::uint64_t ktime_ns) {
  return Call(CallPhase::kClose, owner_->entry_.on_close, stream, state, reason, ktime_ns);
}

bool ModuleShard::OnDatagram(probe_stream_t* stream, void** state, const probe_datagram_t& datagram) {
  return Call(CallPhase::kDatagram, owner_->entry_.on_datagram, stream, state, &datagram);
}

bool ModuleShard::OnEvent(const probe_event_t& event) {
  return Call(CallPhase::kEvent, owner_->entry_.on_event, &event);
}

bool ModuleShard::OnTick(std::uint64_t now_ns) { return Call(CallPhase::kTick, owner_->entry_.on_tick, now_ns); }

bool ModuleShard::Flush(std::uint64_t deadline_ns) {
  return Call(CallPhase::kFlush, owner_->entry_.flush, deadline_ns);
}

std::uint32_t ModuleShard::OldestGeneration() const {
  std::uint32_t oldest = std::numeric_limits<std::uint32_t>::max();
  if (owner_->entry_.oldest_generation == nullptr || shard_ == nullptr || owner_->faulted()) return oldest;
  owner_->Guard(CallPhase::kTick, [&] { oldest = owner_->entry_.oldest_generation(shard_); });
  return oldest;
}

void ModuleShard::Stop() {
  probe_shard_t* shard = std::exchange(shard_, nullptr);
  if (shard != nullptr) owner_->Guard(CallPhase::kShardStop, [&] { owner_->entry_.shard_stop(shard); });
}

}  // namespace probed::modules
