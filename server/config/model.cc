// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/config/model.h"

namespace probed::config {

std::string_view SinkTypeName(SinkType type) {
  switch (type) {
    case SinkType::kOtlpGrpc: return "otlp_grpc";
    case SinkType::kOtlpHttp: return "otlp_http";
    case SinkType::kFile: return "file";
    case SinkType::kConsole: return "console";
    case SinkType::kPrometheus: return "prometheus";
  }
  return "";
}

std::string_view SignalName(Signal signal) {
  switch (signal) {
    case Signal::kTraces: return "traces";
    case Signal::kMetrics: return "metrics";
    case Signal::kLogs: return "logs";
  }
  return "";
}

}  // namespace probed::config
