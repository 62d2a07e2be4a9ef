// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Target rules as the kernel wants them: for each value of each criterion the rules that name it, as bit masks. Pure
// functions over rules and processes; bit i is rule i of the list. Whoever owns the kernel's maps applies the result
// at a change of targets, and asks RulesOfExe again for each exec.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "server/base/status.h"
#include "server/discovery/process.h"

namespace probed::discovery {

/// The criteria of one rule: all that are given must hold, within one any value will do.
struct TargetRule {
  bool exclude = false;
  std::vector<std::string> exe = {};  // fnmatch globs; '*' stops at '/', unless the glob holds "**"
  std::vector<std::uint16_t> ports = {};
  std::vector<std::uint32_t> pids = {};
  std::vector<std::string> cgroups = {};  // below the cgroup2 mount
};

using RuleMask = std::uint64_t;
constexpr std::size_t kMaxRules = 64;
constexpr std::uint32_t kNoRule = kMaxRules;  // the row of a process that no rule names

/// A criterion that a rule does not name is set in its any_* mask.
struct TargetMaps {
  RuleMask include = 0;
  RuleMask exclude = 0;
  RuleMask any_exe = 0;
  RuleMask any_port = 0;
  RuleMask any_pid = 0;
  RuleMask any_cgroup = 0;
  absl::flat_hash_map<FileId, RuleMask> exes;
  absl::flat_hash_map<std::uint16_t, RuleMask> ports;
  absl::flat_hash_map<std::uint32_t, RuleMask> pids;
  absl::flat_hash_map<std::uint64_t, RuleMask> cgroups;  // by cgroup id; holds for descendants too
};

/// The id of a cgroup by its path below the mount, nothing when there is none.
using CgroupResolver = std::function<std::optional<std::uint64_t>(const std::string& path)>;

/// Resolves below the mount point of cgroup2 ("": there is none): the id of a cgroup is its directory's inode number.
CgroupResolver CgroupsBelow(std::string mount);

class TargetMatcher {
 public:
  /// Errors: InvalidArgument with a field when there are more than 64 rules or an exe is no absolute path or glob.
  static Result<TargetMatcher> Compile(std::vector<TargetRule> rules);

  /// Whether sockets or the whole of a process may be picked: everything but ports is looked at.
  bool MayPick(const ProcessInfo& process) const;

  /// The rules whose exe globs match this path.
  RuleMask RulesOfExe(const std::string& path) const;

  TargetMaps Build(std::span<const ProcessPtr> processes, const CgroupResolver& cgroups) const;

 private:
  std::vector<TargetRule> rules_;
};

/// What a connection is, for Decide.
struct TargetSubject {
  FileId exe = {};
  std::uint32_t pid = 0;
  std::uint16_t local_port = 0;
  std::uint16_t peer_port = 0;
  std::vector<std::uint64_t> cgroups = {};  // its own and all above
};

/// The kernel's verdict in user space (for explanations): the index of the first include rule that matches, kNoRule
/// when it is traced because no rule includes anything, nothing when it is not traced.
std::optional<std::uint32_t> Decide(const TargetMaps& maps, const TargetSubject& subject);

}  // namespace probed::discovery
