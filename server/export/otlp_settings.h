// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// What an OTLP sink needs to know per signal, resolved from the configuration and, where that leaves something out,
// from OTEL_EXPORTER_OTLP_*. A value that equals the model's default counts as left out. Precedence: configuration,
// then the variable of the signal, then the general one, then OTLP's default.
#pragma once

#include <array>
#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "server/base/status.h"
#include "server/config/model.h"

namespace probed::exporter {

/// A variable's value; nullopt when unset or empty. The seam for tests.
using Environment = std::function<std::optional<std::string>(std::string_view name)>;
Environment SystemEnvironment();

struct OtlpEndpoint {
  bool tls = false;
  std::string host;    // without brackets; "unix:/path" for a unix socket (gRPC only)
  std::string port;    // empty for a unix socket
  std::string target;  // path of the POST; HTTP only

  /// host:port as gRPC and the Host header want it.
  std::string Authority() const;
  bool operator==(const OtlpEndpoint&) const = default;
};

struct OtlpSettings {
  OtlpEndpoint endpoint;
  std::map<std::string, std::string> headers;  // names in lower case
  config::Compression compression = config::Compression::kNone;
  std::chrono::milliseconds timeout{10000};
  std::string ca_file;
  std::string cert_file;
  std::string key_file;
};

/// Indexed by config::Signal.
using OtlpSignalSettings = std::array<OtlpSettings, 3>;

/// INVALID_ARGUMENT names the sink and what is wrong. `sink.type` must be one of the two OTLP types.
Result<OtlpSignalSettings> ResolveOtlpSettings(const config::Sink& sink, const Environment& environment);

inline std::size_t SignalIndex(config::Signal signal) { return static_cast<std::size_t>(signal); }

}  // namespace probed::exporter
