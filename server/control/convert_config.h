// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// The desired state between proto and model. From the proto only what the model could not hold is refused here (numbers
// out of range, unknown enums, durations); whether it makes sense is for server/config/validate.h. Paths of violations
// are those of the request: `path` is where the message stands in it ("sink", "table.targets[2]").
#pragma once

#include <string>
#include <vector>

#include "probed/v1/types.pb.h"
#include "server/config/model.h"
#include "server/control/convert_text.h"

namespace probed::control {

v1::ModuleSpec ToProto(const config::Module& module);  // mode ACTIVE
v1::Target ToProto(const config::Target& target);
v1::Route ToProto(const config::Route& route);
v1::Sink ToProto(const config::Sink& sink);  // name and spec; the defaults are written out

/// Mode: UNSPECIFIED and ACTIVE are accepted. An empty config_json is "{}".
config::Module FromProto(const v1::ModuleSpec& spec, const std::string& path, Violations& violations);
config::Target FromProto(const v1::Target& target, const std::string& path, Violations& violations);
config::Route FromProto(const v1::Route& route, const std::string& path, Violations& violations);
config::Sink FromProto(const v1::Sink& sink, const std::string& path, Violations& violations);

/// Whole tables without their etag; paths begin with "<path>.targets[0]" and "<path>.routes[0]".
v1::TargetTable ToProto(const std::vector<config::Target>& targets);
v1::RouteTable ToProto(const std::vector<config::Route>& routes);
std::vector<config::Target> FromProto(const v1::TargetTable& table, const std::string& path, Violations& violations);
std::vector<config::Route> FromProto(const v1::RouteTable& table, const std::string& path, Violations& violations);

/// The document without generation, hash, time and etag, which the state's keeper knows.
v1::State ToProto(const config::State& state);

/// config::ValidateSink names fields as probed.yaml does, flat; in the request all but the name stand below `spec`.
/// Call ValidateSink with an empty prefix, and this with where the sink stands.
Violations SinkPathsOfRequest(const std::string& path, Violations violations);
/// The same for config::ValidateModule, whose "config" is config_json in the request.
Violations ModulePathsOfRequest(const std::string& path, Violations violations);

}  // namespace probed::control
