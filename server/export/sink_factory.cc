// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/export/sink_factory.h"

#include <fmt/format.h>

#include <algorithm>

#include "server/export/console_transport.h"
#include "server/export/file_transport.h"
#include "server/export/otlp_grpc.h"
#include "server/export/otlp_http.h"

namespace probed::exporter {
namespace {

bool IsOtlp(const config::Sink& config) {
  return config.type == config::SinkType::kOtlpGrpc || config.type == config::SinkType::kOtlpHttp;
}

Result<std::unique_ptr<Transport>> MakeOtlp(const config::Sink& config, const Environment& environment) {
  ASSIGN_OR_RETURN(const OtlpSignalSettings settings, ResolveOtlpSettings(config, environment));
  return config.type == config::SinkType::kOtlpGrpc ? MakeOtlpGrpcTransport(settings) : MakeOtlpHttpTransport(settings);
}

Status ToStatus(const config::Sink& config, const AttemptResult& result) {
  const std::string message = fmt::format("sink {}: {}", config.name, result.message);
  switch (result.kind) {
    case AttemptResult::Kind::kOk:
    case AttemptResult::Kind::kPartial: return OkStatus();
    case AttemptResult::Kind::kRetryable:
    case AttemptResult::Kind::kTimeout: return MakeStatus(absl::StatusCode::kUnavailable, message);
    case AttemptResult::Kind::kPermanent: return MakeStatus(absl::StatusCode::kFailedPrecondition, message);
  }
  return OkStatus();
}

}  // namespace

Result<std::unique_ptr<Transport>> MakeTransport(const config::Sink& config, const Environment& environment) {
  switch (config.type) {
    case config::SinkType::kOtlpGrpc:
    case config::SinkType::kOtlpHttp: return MakeOtlp(config, environment);
    case config::SinkType::kFile: return MakeFileTransport({config.path, config.rotate_bytes, config.rotate_keep});
    case config::SinkType::kConsole: return MakeConsoleTransport(StandardOutput());
    case config::SinkType::kPrometheus: break;
  }
  return MakeStatus(absl::StatusCode::kUnimplemented,
                    fmt::format("sink {}: {} is not sent to", config.name, config::SinkTypeName(config.type)));
}

SinkSettings MakeSinkSettings(const config::Sink& config, const Environment& environment) {
  SinkSettings settings{config.retry, config.queue_batches, config.timeout};
  if (!IsOtlp(config)) return settings;
  const auto resolved = ResolveOtlpSettings(config, environment);
  if (!resolved.ok()) return settings;
  settings.timeout = std::chrono::milliseconds(0);  // each signal's own timeout is its transport's affair
  for (const OtlpSettings& signal : *resolved) settings.timeout = std::max(settings.timeout, signal.timeout);
  return settings;
}

Result<std::unique_ptr<Sink>> MakeSink(const config::Sink& config, const Environment& environment) {
  ASSIGN_OR_RETURN(auto transport, MakeTransport(config, environment));
  return std::make_unique<Sink>(config.name, MakeSinkSettings(config, environment), std::move(transport));
}

Status TestSink(const config::Sink& config, const Environment& environment) {
  ASSIGN_OR_RETURN(const auto transport, MakeTransport(config, environment));
  const auto empty = std::make_shared<const Batch>();
  return ToStatus(config, transport->Send(empty, MakeSinkSettings(config, environment).timeout));
}

}  // namespace probed::exporter
