// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Rules of one schema node for one value, without its children. Used by schema.cc.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace probed::config {

/// What is wrong with the value itself; empty: nothing.
std::string SchemaProblem(const nlohmann::json& schema, const nlohmann::json& value);

}  // namespace probed::config
