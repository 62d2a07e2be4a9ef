// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/attach/attach_engine.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>

#include <algorithm>
#include <numeric>
#include <utility>

namespace probed::attach {

std::string_view RefusalName(Refusal refusal) {
  switch (refusal) {
    case Refusal::kUnreadable: return "unreadable";
    case Refusal::kPlanFailed: return "plan_failed";
    case Refusal::kBadSite: return "bad_site";
    case Refusal::kTooManySites: return "too_many_sites";
    case Refusal::kModuleFull: return "module_full";
    case Refusal::kKernel: return "kernel";
  }
  return "";
}

std::uint64_t AttachReport::total_refused() const {
  return std::accumulate(refused.begin(), refused.end(), std::uint64_t{0});
}

void AttachEngine::Add(const std::string& module, AttachPort port) {
  modules_[module].port = std::move(port);
  Rescan();
}

void AttachEngine::Remove(const std::string& module) {
  modules_.erase(module);
  if (modules_.empty()) processes_.clear();
}

void AttachEngine::OnProcess(std::uint32_t pid) {
  if (active() && source_.IsTarget(pid)) Scan(pid);
}

void AttachEngine::Rescan() {
  if (!active()) return;
  processes_.clear();
  for (const std::uint32_t pid : source_.Targets()) Scan(pid);
  DropUnmapped();
  DropUnread();
}

// A process that is gone by now is judged by what it was last seen to execute.
void AttachEngine::OnUnread(const std::string& module, std::uint32_t pid) {
  constexpr std::size_t kMostNamed = 1024;
  const auto found = modules_.find(module);
  if (found == modules_.end()) return;
  const std::optional<std::vector<MappedFile>> files = source_.Files(pid);
  std::vector<FileKey> keys;
  if (!files)
    keys = processes_.contains(pid) ? processes_[pid] : keys;
  else
    for (const MappedFile& file : *files) keys.push_back(file.key);
  const auto is_new = [&, now = std::chrono::steady_clock::now()](const FileKey& key) {
    const auto known = found->second.files.find(key);
    return known != found->second.files.end() && known->second.attachment != nullptr &&
           now - known->second.attached < limits_.settled;
  };
  if (keys.empty() || std::any_of(keys.begin(), keys.end(), is_new) || !found->second.unread.insert(pid).second) return;
  AttachReport& report = found->second.report;
  ++report.unread;
  if (files && report.unread_now.size() < kMostNamed) report.unread_now[pid] = files->front().path;
}

void AttachEngine::DropUnread() {
  for (auto& [name, module] : modules_) {
    std::erase_if(module.report.unread_now, [this](const auto& item) { return !source_.Files(item.first); });
    std::erase_if(module.unread, [this](std::uint32_t pid) { return !source_.Files(pid); });
  }
}

void AttachEngine::Scan(std::uint32_t pid) {
  const std::optional<std::vector<MappedFile>> files = source_.Files(pid);
  if (!files) {
    processes_.erase(pid);
    return;
  }
  std::vector<FileKey>& keys = processes_[pid];
  keys.clear();
  for (const MappedFile& file : *files) {
    keys.push_back(file.key);
    Candidate candidate{.pid = pid, .file = file, .opened = std::nullopt};
    for (auto& [name, module] : modules_)
      if (!Consider(name, module, candidate)) break;
  }
}

bool AttachEngine::Consider(const std::string& name, Module& module, Candidate& candidate) {
  const MappedFile& file = candidate.file;
  if (module.files.contains(file.key)) return true;
  if (!candidate.opened) candidate.opened.emplace(source_.Open(candidate.pid, file));
  const Result<Fd>& opened = *candidate.opened;
  if (opened.ok()) {
    module.files[file.key] = Decide(name, module, file, *opened);
    return true;
  }
  if (opened.status().code() == absl::StatusCode::kNotFound) return false;
  module.files[file.key] = Refuse(name, module, Refusal::kUnreadable, file.path, Message(opened.status()));
  return true;
}

AttachEngine::FileState AttachEngine::Decide(const std::string& name, Module& module, const MappedFile& file,
                                             const Fd& fd) {
  struct stat facts{};
  if (fstat(fd.get(), &facts) != 0 || !S_ISREG(facts.st_mode))
    return Refuse(name, module, Refusal::kUnreadable, file.path, "is no regular file");
  const Content content{.device = facts.st_dev,
                        .inode = facts.st_ino,
                        .modified_ns = facts.st_mtim.tv_sec * 1'000'000'000 + facts.st_mtim.tv_nsec,
                        .size = static_cast<std::uint64_t>(facts.st_size)};
  const Plan& plan = PlanOf(module, file, fd, content);
  if (plan.status.code() == absl::StatusCode::kNotFound) return {};
  if (!plan.status.ok()) return Refuse(name, module, Refusal::kPlanFailed, file.path, Message(plan.status));
  if (plan.sites.empty()) return {};
  if (plan.sites.size() > limits_.sites_per_file)
    return Refuse(name, module, Refusal::kTooManySites, file.path,
                  fmt::format("the plan has more than {} sites", limits_.sites_per_file));
  const auto beyond = [&](const Site& site) { return site.offset >= content.size; };
  if (std::any_of(plan.sites.begin(), plan.sites.end(), beyond))
    return Refuse(name, module, Refusal::kBadSite, file.path, "a site of the plan lies beyond the end of the file");
  if (module.report.sites + plan.sites.size() > limits_.sites_per_module)
    return Refuse(name, module, Refusal::kModuleFull, file.path,
                  fmt::format("the module has all its {} sites", limits_.sites_per_module));
  Result<std::unique_ptr<Attachment>> attached = module.port.attach(fd.get(), plan.sites);
  if (!attached.ok()) return Refuse(name, module, Refusal::kKernel, file.path, Message(attached.status()));
  FileState state{.attachment = std::move(attached).value(),
                  .sites = plan.sites.size(),
                  .refusal = std::nullopt,
                  .attached = std::chrono::steady_clock::now()};
  ++module.report.files;
  module.report.sites += state.sites;
  module.report.links += state.attachment->links();
  spdlog::info("module {}: {} probe(s) in {}", name, state.sites, file.path);
  return state;
}

// One site more than the limit is kept: enough to see that there are too many, whatever a module emits. Sites that a
// plan names twice are one probe.
const AttachEngine::Plan& AttachEngine::PlanOf(Module& module, const MappedFile& file, const Fd& fd,
                                               const Content& content) {
  const auto known = module.plans.find(content);
  if (known != module.plans.end()) return known->second;
  if (module.plans.size() >= limits_.plans_per_module) module.plans.clear();
  std::set<Site> sites;
  ++module.report.planned;
  Plan& plan = module.plans[content];
  plan.status = module.port.plan(fd.get(), file.path, [&](Site site) {
    if (sites.size() <= limits_.sites_per_file) sites.insert(std::move(site));
  });
  plan.sites.assign(sites.begin(), sites.end());
  return plan;
}

AttachEngine::FileState AttachEngine::Refuse(const std::string& name, Module& module, Refusal refusal,
                                             const std::string& path, std::string_view why) const {
  ++module.report.refused[static_cast<std::size_t>(refusal)];
  module.report.last_refusal = fmt::format("{}: {}", path, why);
  spdlog::warn("module {} has no probes in {} ({}): {}", name, path, RefusalName(refusal), why);
  return {.attachment = nullptr, .sites = 0, .refusal = refusal, .attached = {}};
}

void AttachEngine::DropUnmapped() {
  std::set<FileKey> mapped;
  for (const auto& [pid, keys] : processes_) mapped.insert(keys.begin(), keys.end());
  for (auto& [name, module] : modules_) Drop(module, mapped);
}

// Room that was given back may be what a refused file was missing: such files are looked at again by the next scan.
void AttachEngine::Drop(Module& module, const std::set<FileKey>& mapped) {
  bool has_room = false;
  std::erase_if(module.files, [&](const auto& item) {
    const FileState& state = item.second;
    if (mapped.contains(item.first)) return false;
    if (state.attachment == nullptr) return true;
    --module.report.files;
    module.report.sites -= state.sites;
    module.report.links -= state.attachment->links();
    ++module.report.detached;
    has_room = true;
    return true;
  });
  if (has_room)
    std::erase_if(module.files, [](const auto& item) { return item.second.refusal == Refusal::kModuleFull; });
}

std::optional<AttachReport> AttachEngine::Report(const std::string& module) const {
  const auto found = modules_.find(module);
  if (found == modules_.end()) return std::nullopt;
  return found->second.report;
}

}  // namespace probed::attach
