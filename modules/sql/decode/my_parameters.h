// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Parameters of MySQL's prepared statements.
#pragma once

#include <string_view>

#include "modules/sql/decode/parameters.h"

namespace probed::mod::sql::my {

/// Of COM_STMT_EXECUTE, behind the number of iterations. `whole`: nothing of the packet is missing. False: that is not
/// what the body holds, and nothing of it is to be said.
bool ReadParameters(sdk::Stream stream, std::string_view body, bool whole, std::size_t count, ParameterTypes** types,
                    ParameterWriter& out);

}  // namespace probed::mod::sql::my
