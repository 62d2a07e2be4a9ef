// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/export/log_encoder.h"

#include <algorithm>
#include <iterator>

#include "server/export/attribute_encoder.h"

namespace probed::exporter {
namespace {

// Fields of logs.v1.LogRecord.
enum : std::uint32_t {
  kTime = 1,
  kSeverity = 2,
  kBody = 5,
  kAttributes = 6,
  kDroppedAttributes = 7,
  kFlags = 8,
  kTraceId = 9,
  kSpanId = 10,
  kObserved = 11,
  kEventName = 12,
};
constexpr std::uint32_t kAnyText = 1;  // AnyValue.string_value

template <std::size_t Size>
void PutId(WireWriter& out, std::uint32_t field, const std::uint8_t (&id)[Size]) {
  if (std::all_of(std::begin(id), std::end(id), [](std::uint8_t byte) { return byte == 0; })) return;
  out.Bytes(field, {reinterpret_cast<const char*>(id), Size});
}

void PutBody(WireWriter& out, std::string_view text) {
  const std::size_t body = out.Open(kBody);
  out.Text(kAnyText, text);
  out.Close(body);
}

}  // namespace

void LogBatchBuilder::Append(const Resource& resource, const Scope& scope, const LogRecord& record) {
  WireWriter& out = envelope_.Group(resource, scope);
  const std::size_t item = out.Open(EnvelopeBuilder::kItemField, 2);
  if (record.time_utc_ns != 0) out.Fixed64(kTime, record.time_utc_ns);
  if (record.severity != 0) out.Varint(kSeverity, record.severity);
  if (!record.body.empty()) PutBody(out, record.body);
  const std::uint32_t dropped = EncodeAttributes(out, keys_, kAttributes, record.attributes);
  if (dropped > 0) out.Varint(kDroppedAttributes, dropped);
  if (record.trace_flags != 0) out.Fixed32(kFlags, record.trace_flags & 0xffU);
  PutId(out, kTraceId, record.trace_id);
  PutId(out, kSpanId, record.span_id);
  if (record.observed_utc_ns != 0) out.Fixed64(kObserved, record.observed_utc_ns);
  if (!record.event_name.empty()) out.Text(kEventName, record.event_name);
  out.Close(item, 2);
  envelope_.ItemDone();
}

}  // namespace probed::exporter
