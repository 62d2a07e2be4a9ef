// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Name-based UUIDs (RFC 9562 §5.5), for ids that must come out the same after a restart of the daemon.
#pragma once

#include <string>
#include <string_view>

namespace probed::discovery {

/// Version 5 below the namespace that OpenTelemetry defines for service.instance.id.
std::string ServiceInstanceUuid(std::string_view name);

}  // namespace probed::discovery
