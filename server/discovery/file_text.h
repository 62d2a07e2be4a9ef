// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Small files of /proc as text. Their sizes are not known beforehand, so they are read to the end, up to a bound.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

namespace probed::discovery {

constexpr std::size_t kMaxTextBytes = 1U << 20U;

/// The whole file, or its first `limit` bytes; nothing when it cannot be opened or read.
std::optional<std::string> ReadText(const std::string& path, std::size_t limit = kMaxTextBytes);

}  // namespace probed::discovery
