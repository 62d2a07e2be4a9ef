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

/// Takes gRPC's five-second background poll of idle channels away, which would wake an idle daemon for nothing: Send
/// polls by itself. Call before the first use of gRPC and before threads start: it changes the environment. A variable
/// the user set stays.
void DisableIdleGrpcPolling();

}  // namespace probed::exporter
