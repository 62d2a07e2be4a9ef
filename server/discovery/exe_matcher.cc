// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/discovery/exe_matcher.h"

#include <fnmatch.h>
#include <sys/stat.h>

#include <algorithm>
#include <bit>
#include <utility>

#include "server/base/error_details.h"

namespace probed::discovery {
namespace {

constexpr RuleMask Bit(std::size_t rule) { return RuleMask{1} << rule; }

bool Matches(const std::string& glob, const std::string& path) {
  const bool crosses = glob.find("**") != std::string::npos;
  return fnmatch(glob.c_str(), path.c_str(), crosses ? 0 : FNM_PATHNAME) == 0;
}

bool IsAbsolute(const std::string& glob) { return glob.starts_with('/') || glob.starts_with('*'); }

Status FieldError(std::string path, std::string_view text) {
  return MakeError(absl::StatusCode::kInvalidArgument, text, {"INVALID_TARGETS", {}, {{path, std::string(text)}}, {}});
}

/// A cgroup holds its descendants.
bool IsWithin(std::string_view cgroup, std::string_view path) {
  if (cgroup.starts_with('/')) cgroup.remove_prefix(1);
  if (path.starts_with('/')) path.remove_prefix(1);
  while (cgroup.ends_with('/')) cgroup.remove_suffix(1);
  return cgroup.empty() || (path.starts_with(cgroup) && (path.size() == cgroup.size() || path[cgroup.size()] == '/'));
}

template <typename List, typename Matches>
bool NoneOrAny(const List& list, Matches&& matches) {
  return list.empty() || std::any_of(list.begin(), list.end(), matches);
}

bool MatchesProcess(const TargetRule& rule, const ProcessInfo& process) {
  return NoneOrAny(rule.exe, [&](const std::string& glob) { return Matches(glob, process.exe_path); }) &&
         NoneOrAny(rule.pids, [&](std::uint32_t pid) { return pid == process.key.tgid; }) &&
         NoneOrAny(rule.cgroups, [&](const std::string& cgroup) { return IsWithin(cgroup, process.cgroup_path); });
}

template <typename Map, typename Key>
RuleMask Lookup(const Map& map, const Key& key) {
  const auto it = map.find(key);
  return it == map.end() ? 0 : it->second;
}

}  // namespace

CgroupResolver CgroupsBelow(std::string mount) {
  return [mount = std::move(mount)](const std::string& path) -> std::optional<std::uint64_t> {
    struct stat directory{};
    if (mount.empty()) return std::nullopt;
    const std::string full = mount + (path.starts_with('/') ? "" : "/") + path;
    if (stat(full.c_str(), &directory) != 0 || !S_ISDIR(directory.st_mode)) return std::nullopt;
    return directory.st_ino;
  };
}

Result<TargetMatcher> TargetMatcher::Compile(std::vector<TargetRule> rules) {
  if (rules.size() > kMaxRules) return FieldError("targets", "at most 64 rules are possible");
  for (std::size_t i = 0; i < rules.size(); ++i) {
    for (std::size_t k = 0; k < rules[i].exe.size(); ++k) {
      if (IsAbsolute(rules[i].exe[k])) continue;
      return FieldError("targets[" + std::to_string(i) + "].exe[" + std::to_string(k) + "]",
                        "must be an absolute path, or a glob that begins with / or *");
    }
  }
  TargetMatcher matcher;
  matcher.rules_ = std::move(rules);
  return matcher;
}

bool TargetMatcher::MayPick(const ProcessInfo& process) const {
  bool includes = false;
  bool picked = false;
  for (const TargetRule& rule : rules_) {
    includes |= !rule.exclude;
    if (!MatchesProcess(rule, process)) continue;
    if (rule.exclude && rule.ports.empty()) return false;
    picked |= !rule.exclude;
  }
  return picked || !includes;
}

RuleMask TargetMatcher::RulesOfExe(const std::string& path) const {
  RuleMask mask = 0;
  for (std::size_t i = 0; i < rules_.size(); ++i) {
    for (const std::string& glob : rules_[i].exe) {
      if (Matches(glob, path)) mask |= Bit(i);
    }
  }
  return mask;
}

TargetMaps TargetMatcher::Build(std::span<const ProcessPtr> processes, const CgroupResolver& cgroups) const {
  TargetMaps maps;
  for (std::size_t i = 0; i < rules_.size(); ++i) {
    const TargetRule& rule = rules_[i];
    (rule.exclude ? maps.exclude : maps.include) |= Bit(i);
    if (rule.exe.empty()) maps.any_exe |= Bit(i);
    if (rule.ports.empty()) maps.any_port |= Bit(i);
    if (rule.pids.empty()) maps.any_pid |= Bit(i);
    if (rule.cgroups.empty()) maps.any_cgroup |= Bit(i);
    for (const std::uint16_t port : rule.ports) maps.ports[port] |= Bit(i);
    for (const std::uint32_t pid : rule.pids) maps.pids[pid] |= Bit(i);
    for (const std::string& path : rule.cgroups) {
      if (const auto id = cgroups(path)) maps.cgroups[*id] |= Bit(i);
    }
  }
  for (const ProcessPtr& process : processes) {
    if (!process->info.exe.valid()) continue;
    if (const RuleMask mask = RulesOfExe(process->info.exe_path)) maps.exes[process->info.exe] |= mask;
  }
  return maps;
}

std::optional<std::uint32_t> Decide(const TargetMaps& maps, const TargetSubject& subject) {
  RuleMask in_cgroup = maps.any_cgroup;
  for (const std::uint64_t id : subject.cgroups) in_cgroup |= Lookup(maps.cgroups, id);
  const RuleMask matched =
      (maps.include | maps.exclude) & in_cgroup & (maps.any_exe | Lookup(maps.exes, subject.exe)) &
      (maps.any_pid | Lookup(maps.pids, subject.pid)) &
      (maps.any_port | Lookup(maps.ports, subject.local_port) | Lookup(maps.ports, subject.peer_port));
  if ((matched & maps.exclude) != 0) return std::nullopt;
  if (maps.include == 0) return kNoRule;
  const RuleMask included = matched & maps.include;
  if (included == 0) return std::nullopt;
  return static_cast<std::uint32_t>(std::countr_zero(included));
}

}  // namespace probed::discovery
