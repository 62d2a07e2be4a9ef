// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// What /proc says about one process. All files are read below a root directory, so that tests use a fake tree. Knows
// neither rules nor telemetry.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "server/discovery/resource_env.h"

namespace probed::discovery {

/// Identity of a process: a pid alone may be reused. The start is kept in clock ticks (10 ms since boot) because /proc
/// tells no more, while the kernel's hooks tell nanoseconds: both name the same process.
struct ProcessKey {
  std::uint32_t tgid = 0;
  std::uint64_t start_ticks = 0;

  static ProcessKey FromBootTime(std::uint32_t tgid, std::uint64_t start_ns) { return {tgid, start_ns / kNsPerTick}; }
  std::uint64_t start_ns() const { return start_ticks * kNsPerTick; }

  bool operator==(const ProcessKey&) const = default;
  template <typename H>
  friend H AbslHashValue(H h, const ProcessKey& key) {
    return H::combine(std::move(h), key.tgid, key.start_ticks);
  }

  static constexpr std::uint64_t kNsPerTick = 10'000'000;  // USER_HZ is 100 on every architecture we run on
};

/// An executable as the kernel names it: device in the kernel's encoding (major << 20 | minor).
struct FileId {
  std::uint32_t device = 0;
  std::uint64_t inode = 0;
  bool valid() const { return inode != 0; }
  bool operator==(const FileId&) const = default;
  template <typename H>
  friend H AbslHashValue(H h, const FileId& id) {
    return H::combine(std::move(h), id.device, id.inode);
  }
};

struct ProcessInfo {
  ProcessKey key;
  std::uint32_t parent = 0;
  std::string exe_path;  // empty for kernel threads, and for what may not be read
  FileId exe;
  bool is_go = false;
  std::string comm;
  std::vector<std::string> command;  // argv, bounded
  std::uint32_t uid = 0;
  std::string owner;  // name of uid, or its number
  std::string cgroup_path;
  std::string container_id;
  ResourceEnv env;
};

/// Reads processes. Thread-safe.
class ProcReader {
 public:
  /// `root` is put before every path: "" for the machine itself.
  explicit ProcReader(std::string root = {});

  /// Nothing when there is no such process (any more).
  std::optional<ProcessInfo> Read(std::uint32_t tgid);
  std::vector<std::uint32_t> ListProcesses() const;
  const std::string& root() const { return root_; }

 private:
  struct GoAnswer {
    std::int64_t modified_ns = 0;  // an inode number may be given to another file
    std::int64_t size = 0;
    bool is_go = false;
  };

  void ReadExecutable(const std::string& dir, ProcessInfo& info);
  std::string OwnerName(std::uint32_t uid);

  const std::string root_;
  std::mutex mutex_;  // the caches below
  absl::flat_hash_map<FileId, GoAnswer> go_answers_;
  absl::flat_hash_map<std::uint32_t, std::string> owners_;
};

/// The kernel's encoding of a device number that stat() gave.
std::uint32_t KernelDevice(std::uint64_t device);

}  // namespace probed::discovery
