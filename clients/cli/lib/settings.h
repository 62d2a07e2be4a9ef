// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Configuration of a module from the command line: files and --set key=value.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace probed::cli {

using Json = nlohmann::ordered_json;

/// Writes "a.b=value" into `object`. Dots nest; "\." is a dot in a name. The value is JSON where it parses as JSON
/// (numbers, booleans, null, lists, objects, quoted strings), else it is the string as it stands.
absl::Status ApplySet(Json& object, std::string_view assignment);

/// Removes "a.b"; it is no error when it is not there.
absl::Status ApplyUnset(Json& object, std::string_view key);

/// An object from JSON or YAML text. `origin` names it in errors. YAML scalars are typed by the core schema: quoted
/// ones are strings.
absl::StatusOr<Json> ParseObject(const std::string& text, const std::string& origin);

/// The whole of a file; "-" is standard input.
absl::StatusOr<std::string> ReadFile(const std::string& path);

/// What a YAML scalar written without quotes means.
Json ResolvePlainScalar(const std::string& text);

}  // namespace probed::cli
