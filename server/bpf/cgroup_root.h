// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// The root of the cgroup hierarchy that programs are attached to and target rules name paths in, wherever it is
// mounted.
#pragma once

#include <string>

#include "server/base/fd.h"

namespace probed::bpf {

/// Where cgroup2 is mounted: /sys/fs/cgroup, or beside the hierarchies of cgroup1. "": nowhere.
std::string CgroupMount();

/// Not valid when no cgroup2 is mounted here. [control]
Fd OpenCgroupRoot();

}  // namespace probed::bpf
