// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// The root of the cgroup hierarchy that programs are attached to, wherever it is mounted.
#pragma once

#include "server/base/fd.h"

namespace probed::bpf {

/// Not valid when no cgroup2 is mounted here. [control]
Fd OpenCgroupRoot();

}  // namespace probed::bpf
