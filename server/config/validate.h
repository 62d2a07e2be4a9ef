// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// What makes a desired state valid, whoever brings it: file and API share these rules. Paths are those of probed.yaml,
// below `prefix` where one is given. No I/O.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "server/base/error_details.h"
#include "server/config/model.h"

namespace probed::config {

using Violations = std::vector<FieldViolation>;

Violations ValidateDaemon(const Daemon& daemon);
/// The whole: every part, duplicates, and routes against the sinks there are.
Violations ValidateState(const State& state);

Violations ValidateModule(const Module& module, const std::string& prefix);
Violations ValidateTarget(const Target& target, const std::string& prefix);
Violations ValidateRoute(const Route& route, const std::vector<Sink>& sinks, const std::string& prefix);
Violations ValidateSink(const Sink& sink, const std::string& prefix);

/// Lists with their duplicates; prefix is "targets" or "routes".
Violations ValidateTargets(const std::vector<Target>& targets);
Violations ValidateRoutes(const std::vector<Route>& routes, const std::vector<Sink>& sinks);

/// Lower case letters, digits, '-', '_' and '.', 1 to 63 of them, beginning with a letter or digit.
bool IsName(std::string_view text);
/// Brackets and braces closed, no empty class.
bool IsGlob(std::string_view pattern);
/// host:port, [v6]:port or :port with a port from 0 to 65535.
bool IsHostPort(std::string_view text);

void Append(Violations& to, Violations from);
/// OK when there are none, else INVALID_ARGUMENT with reason CONFIG_INVALID; the first one is in the message too.
Status ToStatus(Violations violations, std::string_view what);

}  // namespace probed::config
