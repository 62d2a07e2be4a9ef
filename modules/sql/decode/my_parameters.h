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

/// Sets of values that one packet has the statement executed with.
struct Sets {
  std::uint32_t seen = 0;  // that begin in what there is of the packet; 0: that is not what it holds
  bool exact = false;      // there are no more
};
/// Of MariaDB's COM_STMT_BULK_EXECUTE, behind the statement's number.
Sets CountSets(sdk::Stream stream, std::string_view body, bool whole, std::size_t count, ParameterTypes** types);

}  // namespace probed::mod::sql::my
