// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// A module's configuration against its manifest's schema: the subset of JSON Schema that manifests may use (type,
// properties, items, enum, minimum, maximum, minItems, maxItems, minLength, maxLength, pattern, default, required,
// additionalProperties). Keys that no property names are errors unless additionalProperties allows them.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "server/base/error_details.h"
#include "server/base/status.h"

namespace probed::config {

struct SchemaOutcome {
  nlohmann::json value;  // with the defaults of every property that was not given
  std::vector<FieldViolation> violations;
};

/// Checks `value` and fills in defaults. Paths begin with `path`.
SchemaOutcome ApplySchema(const nlohmann::json& schema, const nlohmann::json& value, const std::string& path);

/// The same over texts: the configuration as the module gets it. INVALID_ARGUMENT with reason CONFIG_INVALID.
Result<std::string> CompleteConfig(std::string_view schema_json, std::string_view config_json,
                                   const std::string& path = "config");

/// What is wrong with a schema itself (keywords outside the subset, wrong types, bad patterns); for manifest readers.
std::vector<FieldViolation> CheckSchema(const nlohmann::json& schema, const std::string& path = "config_schema");

/// The configuration with the values of x-sensitive and of unknown properties replaced, for logs and audit lines.
nlohmann::json Redacted(const nlohmann::json& schema, const nlohmann::json& value);

}  // namespace probed::config
