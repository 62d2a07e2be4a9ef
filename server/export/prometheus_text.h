// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// MetricSnapshot → Prometheus text exposition 0.0.4, with OpenTelemetry's names and units translated as its
// compatibility specification says. A pure function: whoever serves the text owns the socket.
#pragma once

#include <string>
#include <string_view>

#include "server/export/metrics_snapshot.h"

namespace probed::exporter {

inline constexpr std::string_view kPrometheusContentType = "text/plain; version=0.0.4; charset=utf-8";

/// Each series carries job and instance of its resource (scrape with honor_labels) and its scope; other resource
/// attributes are in target_info. Delta metrics are left out: Prometheus knows cumulative ones only. Of metrics that
/// come to the same name with different types, the first type is kept.
std::string PrometheusText(const MetricSnapshot& snapshot);

/// "http.server.request.duration", "s" → "http_server_request_duration_seconds"; without _total.
std::string PrometheusName(std::string_view name, std::string_view unit);

}  // namespace probed::exporter
