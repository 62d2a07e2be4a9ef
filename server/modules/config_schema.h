// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Checks a module's configuration against the schema of its manifest and fills in the defaults, before the module sees
// it. The part of JSON Schema that configurations need: type, properties, required, additionalProperties, default,
// enum, minimum, maximum, minLength, maxLength, items, minItems, maxItems, uniqueItems. Other keywords are left to the
// module. Stricter than JSON Schema in one thing: a key that `properties` does not list is an error unless
// additionalProperties allows it, because a misspelt key must not be ignored.
#pragma once

#include <string>
#include <string_view>

#include "server/base/status.h"

namespace probed::modules {

/// The configuration with defaults, as JSON text. Errors: CONFIG_INVALID with a violation per wrong field; a key nobody
/// knows comes with the nearest one that is known.
Result<std::string> CompleteConfig(std::string_view schema_json, std::string_view config_json);

}  // namespace probed::modules
