// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Cheap places for probes in the machine code of SSL_read, SSL_write and BIO_write. A probe on an instruction that the
// kernel can emulate (a jump) costs half a microsecond; one on an instruction that it has to step through, or at a
// return, tens of times as much. What is not proven to be such code is probed at its entry and return.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace probed::mod::tls {

/// Distances from the function's first byte.
struct CallSites {
  std::uint32_t
      entry;           // a jump on which the arguments are where they were at the entry; not taken if the third is >= 0
  std::uint32_t exit;  // a jump that every such call comes to: eax > 0, and then the count of bytes is at (%rsp)
};

/// `code`: the function's first bytes, x86-64. nullopt: not the code this knows.
std::optional<CallSites> FindCallSites(std::string_view code);

/// A jump on which the arguments of a function that first looks at its third one (an int) are where they were at the
/// entry: BIO_write. Every call comes to it.
std::optional<std::uint32_t> FindEntrySite(std::string_view code);

/// As many bytes as it ever looks at.
inline constexpr std::size_t kSiteBytes = 80;

}  // namespace probed::mod::tls
