// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/app/discovery_loop.h"

#include <poll.h>
#include <spdlog/spdlog.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cstring>

#include "server/base/thread_tags.h"
#include "server/bpf/cgroup_root.h"
#include "server/pipeline/target_rules.h"

namespace probed::app {
namespace {

constexpr std::size_t kEventsPerRound = 4096;
constexpr std::uint64_t kNsPerMs = 1'000'000;
constexpr int kExpirySlackMs = 1000;  // one wake-up for all that ended within it

discovery::ProcessEvent ToEvent(const pb_process& event) {
  discovery::ProcessEvent result;
  result.type = event.event == PB_PROCESS_FORK   ? discovery::ProcessEventType::kFork
                : event.event == PB_PROCESS_EXEC ? discovery::ProcessEventType::kExec
                                                 : discovery::ProcessEventType::kExit;
  result.tgid = event.tgid;
  result.parent = event.parent;
  result.start_ns = event.start_ns;
  return result;
}

bpf::KernelRules ToKernel(const discovery::TargetMaps& maps) {
  bpf::KernelRules rules;
  rules.masks = {.include = maps.include,
                 .exclude = maps.exclude,
                 .any_exe = maps.any_exe,
                 .any_port = maps.any_port,
                 .any_pid = maps.any_pid,
                 .any_cgroup = maps.any_cgroup};
  for (const auto& [id, mask] : maps.exes) rules.exes[{id.device, id.inode}] = mask;
  for (const auto& [port, mask] : maps.ports) rules.ports[port] = mask;
  for (const auto& [pid, mask] : maps.pids) rules.pids[pid] = mask;
  for (const auto& [cgroup, mask] : maps.cgroups) rules.cgroups[cgroup] = mask;
  return rules;
}

}  // namespace

DiscoveryLoop::DiscoveryLoop(bpf::CaptureCore* core, discovery::ProcessTable& processes,
                             pipeline::ResourceCache& resources, pipeline::MetricsAggregator& metrics,
                             const Clock& clock)
    : core_(core),
      processes_(processes),
      resources_(resources),
      metrics_(metrics),
      clock_(clock),
      wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

DiscoveryLoop::~DiscoveryLoop() {
  stop_.store(true);
  eventfd_write(wake_.get(), 1);
  if (thread_.joinable()) thread_.join();
}

Status DiscoveryLoop::Start() {
  processes_.Scan(clock_.KtimeNs());
  if (core_ == nullptr) return OkStatus();
  ASSIGN_OR_RETURN(bpf::RingReader ring, bpf::RingReader::Map(core_->LifeRingFd(), bpf::CaptureCore::kLifeRingBytes));
  ring_ = std::make_unique<bpf::RingReader>(std::move(ring));
  thread_ = std::thread([this] { Loop(); });
  return OkStatus();
}

Status DiscoveryLoop::SetTargets(const std::vector<config::Target>& targets) {
  ASSIGN_OR_RETURN(discovery::TargetMatcher matcher,
                   discovery::TargetMatcher::Compile(pipeline::ToTargetRules(targets)));
  {
    const std::lock_guard lock(mutex_);
    RETURN_IF_ERROR(WriteRules(matcher));
    matcher_ = std::make_unique<discovery::TargetMatcher>(std::move(matcher));
  }
  std::vector<std::string> names;
  names.reserve(targets.size());
  for (const config::Target& target : targets) names.push_back(target.service_name);
  service_names_.store(std::make_shared<const std::vector<std::string>>(std::move(names)));
  if (targets_changed_) targets_changed_();
  return OkStatus();
}

bool DiscoveryLoop::IsTarget(std::uint32_t pid) {
  const discovery::ProcessPtr process = processes_.FindLatest(pid);
  const auto self = static_cast<std::uint32_t>(getpid());
  if (!process->known || !process->info.exe.valid() || pid == self || process->info.parent == self) return false;
  const std::lock_guard lock(mutex_);
  return matcher_ != nullptr && matcher_->MayPick(process->info);
}

std::vector<std::uint32_t> DiscoveryLoop::TargetProcesses() {
  std::vector<std::uint32_t> targets = processes_.List();
  std::erase_if(targets, [this](std::uint32_t pid) { return !IsTarget(pid); });
  return targets;
}

Status DiscoveryLoop::WriteRules(const discovery::TargetMatcher& matcher) {
  if (core_ == nullptr) return OkStatus();
  return core_->SetRules(ToKernel(matcher.Build(processes_.Snapshot(), discovery::CgroupsBelow(bpf::CgroupMount()))));
}

void DiscoveryLoop::OnEvent(const pb_process& event) {
  const discovery::ProcessPtr image = processes_.OnEvent(ToEvent(event), clock_.KtimeNs());
  if (image == nullptr || !image->info.exe.valid()) return;
  const std::lock_guard lock(mutex_);
  if (exec_) exec_(image->info.key.tgid);
  if (matcher_ == nullptr) return;
  const discovery::RuleMask mask = matcher_->RulesOfExe(image->info.exe_path);
  if (mask == 0) return;
  if (const Status status = core_->AddExeRule(image->info.exe.device, image->info.exe.inode, mask); !status.ok())
    spdlog::warn("target {}: {}", image->info.exe_path, Message(status));
}

void DiscoveryLoop::Expire() {
  for (const std::uint64_t process : processes_.Expire(clock_.KtimeNs()))
    for (const std::uint64_t resource : resources_.Forget(process)) metrics_.ForgetResource(resource, clock_.UtcNs());
}

// With nothing to forget there is no timer.
int DiscoveryLoop::SleepMilliseconds() const {
  const std::uint64_t due = processes_.next_expiry_ns();
  const std::uint64_t now = clock_.KtimeNs();
  if (due == 0) return -1;
  return kExpirySlackMs + (due > now ? static_cast<int>((due - now) / kNsPerMs) : 0);
}

void DiscoveryLoop::TakeEvents() {
  do {
    ring_->Drain(
        [this](std::string_view bytes) {
          if (bytes.size() < sizeof(pb_process)) return;
          pb_process event;
          std::memcpy(&event, bytes.data(), sizeof(event));
          OnEvent(event);
        },
        kEventsPerRound);
  } while (ring_->PublishAll());
}

void DiscoveryLoop::Loop() {
  TagThread(ThreadTag::kDiscovery);
  while (!stop_.load()) {
    TakeEvents();
    Expire();
    pollfd waits[2] = {{.fd = core_->LifeRingFd(), .events = POLLIN, .revents = 0},
                       {.fd = wake_.get(), .events = POLLIN, .revents = 0}};
    poll(waits, 2, SleepMilliseconds());
    eventfd_t value = 0;
    eventfd_read(wake_.get(), &value);
  }
}

}  // namespace probed::app
