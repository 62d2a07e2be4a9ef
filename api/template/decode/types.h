// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Frames of the protocol:
//
//   client:  PING <word> LF
//   server:  OK <word> LF     or     ERR <why> LF
#pragma once

#include <cstddef>
#include <string_view>

namespace probed::mod::ping {

/// Longest line a decoder keeps waiting for.
inline constexpr std::size_t kMaxLine = 1024;

enum class FrameKind { kPing, kOk, kError };

/// One line. LIFETIME: the bytes it was parsed from.
struct Frame {
  FrameKind kind = FrameKind::kPing;
  std::string_view text;  // behind the keyword
  std::size_t size = 0;   // with the line end
};

}  // namespace probed::mod::ping
