// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Parameters of PostgreSQL's extended queries.
#pragma once

#include <string_view>

#include "modules/sql/decode/parameters.h"

namespace probed::mod::sql::pg {

inline constexpr std::size_t kMostTypes = 2 + 4 * Parameters::kMost;  // bytes of a list of them

/// Of Bind, behind its names. It may be cut.
void ReadParameters(std::string_view body, const ParameterTypes* types, ParameterWriter& out);

/// Of Parse, behind its text, or of ParameterDescription.
void ReadTypes(sdk::Stream stream, std::string_view body, ParameterTypes** types);

}  // namespace probed::mod::sql::pg
