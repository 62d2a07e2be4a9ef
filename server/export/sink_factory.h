// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// From a sink's configuration to the sink. The only place that knows all transports.
#pragma once

#include <memory>

#include "server/base/status.h"
#include "server/config/model.h"
#include "server/export/otlp_settings.h"
#include "server/export/sink.h"

namespace probed::exporter {

/// INVALID_ARGUMENT for what cannot work, UNIMPLEMENTED for prometheus, which is served, not sent.
Result<std::unique_ptr<Transport>> MakeTransport(const config::Sink& config,
                                                 const Environment& environment = SystemEnvironment());
SinkSettings MakeSinkSettings(const config::Sink& config, const Environment& environment = SystemEnvironment());
Result<std::unique_ptr<Sink>> MakeSink(const config::Sink& config,
                                       const Environment& environment = SystemEnvironment());

/// Sends an empty but valid request and says what came back: OK, UNAVAILABLE (may work later) or FAILED_PRECONDITION
/// (will not). A file sink creates its file. Blocks up to the sink's timeout.
[[nodiscard]] Status TestSink(const config::Sink& config, const Environment& environment = SystemEnvironment());

}  // namespace probed::exporter
