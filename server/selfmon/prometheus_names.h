// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// How OpenTelemetry names become Prometheus names: dots to underscores, the unit in words, `_total` behind counters.
// Also the escaping of the text format. Pure functions; the self-metrics and the Prometheus sink share them.
#pragma once

#include <string>
#include <string_view>

namespace probed::selfmon {

enum class MetricKind { kCounter, kGauge };

/// "http.server.request.duration", "s" → "http_server_request_duration_seconds". A unit that already ends the name is
/// not repeated, "{...}" is dropped, and "1" is a ratio of a gauge and nothing of a counter.
std::string PrometheusName(std::string_view name, std::string_view unit, MetricKind kind);

/// A label's name: what is not [a-zA-Z0-9_] becomes '_', and no digit comes first.
std::string PrometheusLabel(std::string_view name);

/// The inside of a label's quotes: backslash, quote and line feed escaped.
std::string EscapeLabelValue(std::string_view value);

/// The text of a HELP line: backslash and line feed escaped.
std::string EscapeHelp(std::string_view help);

/// A sample's value: whole numbers without exponent, "+Inf", "-Inf", "NaN", else the shortest that reads back equal.
std::string FormatValue(double value);

}  // namespace probed::selfmon
