// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Bounds of the gRPC service.
#pragma once

#include <cstddef>

namespace probed::control {

/// The largest request: a whole configuration with room to spare.
inline constexpr int kMaxRequestBytes = 4 << 20;

/// Tail readers at a time; each has a thread of its own.
inline constexpr std::size_t kMostTails = 16;
/// Items that wait for a slow Tail reader.
inline constexpr std::size_t kTailQueue = 4096;
/// Items per message.
inline constexpr std::size_t kTailPortion = 64;

}  // namespace probed::control
