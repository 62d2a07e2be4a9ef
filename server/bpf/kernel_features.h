// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// What the running kernel has of what the capture core can use, read from its BTF: nothing is loaded for it.
#pragma once

#include <string>
#include <vector>

namespace probed::bpf {

struct KernelFeatures {
  std::vector<std::string> backends;  // that have what they hook, the preferred one first
  std::vector<std::string> missing;   // a sentence each
};

/// [control] Takes some milliseconds.
KernelFeatures ReadKernelFeatures();

}  // namespace probed::bpf
