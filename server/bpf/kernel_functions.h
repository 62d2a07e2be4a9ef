// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Which functions the running kernel has, by its BTF: what is not there cannot be hooked. [control]
#pragma once

#include <set>
#include <span>
#include <string>

namespace probed::bpf {

/// Those of `names` that the kernel has outside of modules; none, if it has no BTF. Reads the whole BTF: ask once.
std::set<std::string, std::less<>> KernelFunctionsAmong(std::span<const char* const> names);

}  // namespace probed::bpf
