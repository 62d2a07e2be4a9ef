// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/bpf/cgroup_root.h"

#include <fcntl.h>
#include <mntent.h>

#include <array>
#include <cstdio>
#include <memory>
#include <string_view>

namespace probed::bpf {
namespace {

struct MountsCloser {
  void operator()(FILE* mounts) const { endmntent(mounts); }
};

}  // namespace

std::string CgroupMount() {
  const std::unique_ptr<FILE, MountsCloser> mounts(setmntent("/proc/self/mounts", "re"));
  if (mounts == nullptr) return "";
  mntent entry{};
  std::array<char, 8192> text{};
  while (getmntent_r(mounts.get(), &entry, text.data(), static_cast<int>(text.size())) != nullptr) {
    if (std::string_view(entry.mnt_type) == "cgroup2") return entry.mnt_dir;
  }
  return "";
}

Fd OpenCgroupRoot() {
  const std::string mount = CgroupMount();
  return mount.empty() ? Fd() : Fd(open(mount.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

}  // namespace probed::bpf
