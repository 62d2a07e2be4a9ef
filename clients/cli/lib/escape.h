// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Text from observed traffic, made safe for a terminal, and how wide it is there.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace probed::cli {

/// `text` with everything replaced that could move a cursor, change a terminal's state or reorder what stands beside
/// it: control characters (C0, DEL, C1), line and paragraph separators, zero-width and bidirectional controls, and
/// bytes that are no UTF-8. Replacements read like C escapes: \n, \x1b, \u202e.
std::string Escape(std::string_view text);

/// Columns that escaped text takes on a terminal.
std::size_t DisplayWidth(std::string_view text);

/// The longest beginning of escaped text that fits into `columns`, with an ellipsis when something was cut.
std::string FitWidth(std::string_view text, std::size_t columns);

}  // namespace probed::cli
