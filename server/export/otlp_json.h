// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Batches as OTLP/JSON: hexadecimal ids, integer enums, 64-bit integers as strings, lowerCamelCase. No whitespace.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "server/export/batch.h"

namespace probed::exporter {

/// The whole batch as one TracesData, MetricsData or LogsData object, without a newline.
std::string ToOtlpJson(const Batch& batch);

/// One span, metric or log record in its context. `kind`: span kind, 0 otherwise. `json`:
/// {"resource":{…},"scope":{…},"span":{…}} with "metric" or "logRecord" in place of "span" for the other signals.
struct ItemJson {
  std::string_view service_name;
  std::string_view scope_name;
  std::uint32_t kind = 0;
  std::uint32_t items = 1;  // data points of a metric
  std::string json;
};
void ForEachItemJson(const Batch& batch, const std::function<void(const ItemJson&)>& visit);

/// The same for spans, with the values apart. Does nothing for other signals.
using SpanJsonCallback = std::function<void(std::string_view service_name, std::string_view scope_name,
                                            std::uint32_t kind, std::string json)>;
void ForEachSpanJson(const Batch& batch, const SpanJsonCallback& visit);

/// Appends `text` as a JSON string; what is not UTF-8 is replaced.
void AppendJsonString(std::string& out, std::string_view text);

}  // namespace probed::exporter
