// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Messages of the API as JSON for people and scripts: field names as in the proto, enums by short lower-case names,
// durations "5s", times RFC 3339, 64-bit numbers as numbers, embedded JSON as what it is. Also JSON as YAML.
#pragma once

#include <google/protobuf/message.h>

#include <nlohmann/json.hpp>
#include <string>

#include "probed/v1/types.pb.h"

namespace probed::cli {

using Json = nlohmann::ordered_json;

/// Empty strings, lists and absent messages are left out; numbers and truth values are always there.
Json ToJson(const google::protobuf::Message& message);

/// A sink as files have it: its spec's fields beside its name.
Json SinkToJson(const v1::Sink& sink);

/// One line, or indented. Pure ASCII, so that nothing in it can reach a terminal as a control character.
std::string DumpJson(const Json& value, int indent = -1);

/// As YAML, strings quoted wherever they could be read as something else.
std::string DumpYaml(const Json& value);

}  // namespace probed::cli
