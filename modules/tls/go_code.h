// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Places for probes in the machine code of a Go function (x86-64). A probe at a function's return would put an address
// of the kernel's on a stack that Go copies and walks, so each return instruction has a probe of its own.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace probed::mod::tls {

/// Distances from the function's first byte.
struct GoSites {
  /// The jump behind the check for room on the stack, cheap to probe: arguments are where they were at the entry. It is
  /// passed a second time when the stack had to grow.
  std::uint32_t entry;
  std::vector<std::uint32_t> returns;
};

/// Nothing when the bytes do not begin like a function of Go's register convention, or are not code all through.
std::optional<GoSites> FindGoSites(std::string_view code);

}  // namespace probed::mod::tls
