// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// The two environment variables by which a process names itself (OpenTelemetry SDK specification, general
// environment variables).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace probed::discovery {

using EnvAttributes = std::vector<std::pair<std::string, std::string>>;

struct ResourceEnv {
  std::string service_name;  // OTEL_SERVICE_NAME; empty counts as unset
  EnvAttributes attributes;  // OTEL_RESOURCE_ATTRIBUTES, decoded
};

/// `key=value,key=value` with percent-encoding; the last of equal keys wins. Nothing at all when any part of it is
/// malformed: the specification discards the whole variable.
std::optional<EnvAttributes> ParseResourceAttributes(std::string_view text);

/// From the contents of /proc/<pid>/environ.
ResourceEnv ParseEnviron(std::string_view environ_text);

}  // namespace probed::discovery
