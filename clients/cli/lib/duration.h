// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Lengths of time as users write them: "200ms", "5s", "1m30s", "2h", "0".
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace probed::cli {

/// Units ns, us, ms, s, m, h, d, each number with one, decimals allowed. A lone "0" needs none.
std::optional<std::chrono::nanoseconds> ParseDuration(std::string_view text);

/// Exact, in the fewest units: "200ms", "5s", "5m".
std::string FormatDuration(std::chrono::nanoseconds duration);

/// Three significant digits, for humans: "1.23ms", "100ms", "2.5s".
std::string HumanDuration(std::chrono::nanoseconds duration);

}  // namespace probed::cli
