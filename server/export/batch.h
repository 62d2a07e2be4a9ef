// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// What the pipeline hands to sinks: immutable OTLP messages, encoded once, shared by reference count. Knows neither
// sinks nor the pipeline.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "api/module/probe_types.h"
#include "server/config/model.h"
#include "server/export/wire.h"

namespace probed::exporter {

/// One sealed message: ExportTraceServiceRequest (= TracesData on the wire), or the same for metrics and logs.
struct Batch {
  config::Signal signal = config::Signal::kTraces;
  std::string_view bytes;   // in `storage`
  std::uint32_t items = 0;  // spans, data points or log records
  WireWriter storage;
};

/// The only owner type of a batch: several sinks, the tail ring and retries hold the same one.
using BatchPtr = std::shared_ptr<const Batch>;

/// Who emitted: an encoded opentelemetry.proto.resource.v1.Resource, made once per process. `id` groups spans of one
/// resource inside a batch and is never reused.
struct Resource {
  std::uint64_t id = 0;
  std::string encoded;
  std::string service_name;
};

/// Span.attributes on the wire, and how many could not be written.
struct EncodedAttributes {
  std::string_view bytes;
  std::uint32_t dropped = 0;
};

/// A finished span with times in UTC, ready to be encoded. All views live for the call only.
struct SpanRecord {
  std::uint8_t trace_id[16] = {};
  std::uint8_t span_id[8] = {};
  std::uint8_t parent_span_id[8] = {};  // all zero: root
  std::uint32_t flags = 0;              // OTLP Span.flags
  std::uint32_t kind = 0;               // enum probe_span_kind
  std::uint32_t status = 0;             // enum probe_span_status
  std::uint64_t start_utc_ns = 0;
  std::uint64_t end_utc_ns = 0;
  std::string_view name;
  std::string_view trace_state;
  std::string_view error_type;                    // empty: none; else attribute error.type
  EncodedAttributes constant;                     // those that were encoded before, for many spans
  std::span<const probe_attribute_t> attributes;  // all others
  std::span<const probe_trace_context_t> links;
};

/// The scope of a module: InstrumentationScope{name: "probed.<module>", version}.
struct Scope {
  std::uint32_t id = 0;
  std::string encoded;  // opentelemetry.proto.common.v1.InstrumentationScope
};

}  // namespace probed::exporter
