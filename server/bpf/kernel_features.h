// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// What the running kernel has of what the capture core can use: its BTF says what there is, and an empty program that
// is loaded and never attached whether this process may use it.
#pragma once

#include <set>
#include <span>
#include <string>
#include <vector>

namespace probed::bpf {

struct KernelFeatures {
  std::vector<std::string> backends;  // that work here, the preferred one first
  std::vector<std::string> missing;   // a sentence each
};

/// [control] Takes some milliseconds.
KernelFeatures ReadKernelFeatures();

/// Pages of a file pass by the tracepoints of `sock` where this function is: before 6.5.
constexpr const char* kTcpSendpage = "tcp_sendpage";

/// By name.
using KernelFunctions = std::set<std::string, std::less<>>;
/// Those of `names` that are functions of the kernel (of its modules: not). [control] Takes some milliseconds.
KernelFunctions KernelFunctionsAmong(std::span<const char* const> names);

}  // namespace probed::bpf
