// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// OTLP over HTTP/1.1: protobuf bodies, one kept connection per signal.
#pragma once

#include <memory>

#include "server/base/status.h"
#include "server/export/otlp_settings.h"
#include "server/export/transport.h"

namespace probed::exporter {

/// INVALID_ARGUMENT when a certificate file cannot be used. Connects with the first Send.
Result<std::unique_ptr<Transport>> MakeOtlpHttpTransport(const OtlpSignalSettings& settings);

}  // namespace probed::exporter
