// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// OTLP over gRPC. The batch's bytes go out as they are, by reference.
#pragma once

#include <memory>

#include "server/base/status.h"
#include "server/export/otlp_settings.h"
#include "server/export/transport.h"

namespace probed::exporter {

/// INVALID_ARGUMENT when a certificate file cannot be read. Connects with the first Send.
Result<std::unique_ptr<Transport>> MakeOtlpGrpcTransport(const OtlpSignalSettings& settings);

/// Ends the search for deadlocks at each of gRPC's locks, which a distribution's build of abseil may do. (Debian's
/// does: a sixth of what a batch costs in user space.) Call before the first use of gRPC.
void DisableGrpcDeadlockSearch();

}  // namespace probed::exporter
