// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// The word a user probably meant.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace probed::cli {

/// The candidate nearest to `word`, empty when none is near enough to suggest.
std::string Nearest(std::string_view word, const std::vector<std::string>& candidates);

/// ", did you mean X?" or nothing.
std::string DidYouMean(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace probed::cli
