// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Durations ("5s", "200ms", "1h30m") and sizes ("2MiB", "4096") as people write them in probed.yaml, both ways.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace probed::config {

/// Parts with units ms, s, m, h; "0" alone needs none. Nothing when it is no duration or does not fit.
std::optional<std::chrono::milliseconds> ParseDuration(std::string_view text);

/// A whole number of bytes with an optional unit: B, KiB, MiB, GiB, kB, MB, GB.
std::optional<std::uint64_t> ParseSize(std::string_view text);

/// The largest unit that divides the value: 5000 ms is "5s".
std::string FormatDuration(std::chrono::milliseconds value);
std::string FormatSize(std::uint64_t bytes);

}  // namespace probed::config
