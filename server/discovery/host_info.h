// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Facts about the machine that every resource carries. Read once at start, below a root directory (tests give a fake
// tree).
#pragma once

#include <cstdint>
#include <string>

namespace probed::discovery {

struct HostInfo {
  std::string name;               // host.name
  std::string id;                 // host.id: the machine id; empty when there is none
  std::string arch;               // host.arch: amd64, arm64, ...
  std::string boot_id;            // tells process ids of one boot from those of another
  std::uint64_t boot_utc_ns = 0;  // whole seconds, as the kernel's btime
};

/// `root` is put before every path: "" for the machine itself.
HostInfo ReadHostInfo(const std::string& root = {});

}  // namespace probed::discovery
