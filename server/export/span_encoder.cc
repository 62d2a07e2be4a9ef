// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/export/span_encoder.h"

#include <cstring>

#include "server/export/attribute_encoder.h"

namespace probed::exporter {
namespace {

// Tags of trace.v1.Span and Span.Link; two bytes where the field number is 16.
enum : char {
  kTraceIdTag = 0x0a,
  kSpanIdTag = 0x12,
  kParentIdTag = 0x22,
  kNameTag = 0x2a,
  kKindTag = 0x30,
  kStartTag = 0x39,
  kEndTag = 0x41,
};
constexpr std::uint32_t kTraceStateField = 3;
constexpr std::uint32_t kNameField = 5;
constexpr std::uint32_t kAttributesField = 9;
constexpr std::uint32_t kDroppedAttributesField = 10;
constexpr std::uint32_t kLinksField = 13;
constexpr std::uint32_t kStatusField = 15;
constexpr std::uint32_t kFlagsField = 16;
constexpr std::uint32_t kLinkFlagsField = 6;
constexpr std::uint32_t kStatusCodeField = 3;

// SPAN_FLAGS_CONTEXT_HAS_IS_REMOTE and _IS_REMOTE: a linked context was read off the wire, so it is remote.
constexpr std::uint32_t kRemote = 0x300;
// Spans are nearly always 128..16383 bytes long.
constexpr std::size_t kSpanLengthBytes = 2;
constexpr std::size_t kHeadRoom = 96;  // tags, ids, kind and times

/// KeyValue.key of error.type, padded for KeyTable::kReadStep.
alignas(KeyTable::kReadStep) constexpr char kErrorTypeKey[KeyTable::kReadStep] =
    "\x0a\x0a"
    "error.type";
constexpr std::string_view kErrorType{kErrorTypeKey, 12};

template <std::size_t Size>
char* PutId(char* out, char tag, const std::uint8_t (&id)[Size]) {
  *out++ = tag;
  *out++ = static_cast<char>(Size);
  std::memcpy(out, id, Size);
  return out + Size;
}

char* PutTime(char* out, char tag, std::uint64_t time) {
  *out++ = tag;
  return wire::PutFixed(out, time);
}

bool IsZero(const std::uint8_t (&id)[8]) {
  std::uint64_t value;
  std::memcpy(&value, id, sizeof value);
  return value == 0;
}

inline char* PutIds(char* at, const SpanRecord& span) {
  at = PutId(at, kTraceIdTag, span.trace_id);
  at = PutId(at, kSpanIdTag, span.span_id);
  return IsZero(span.parent_span_id) ? at : PutId(at, kParentIdTag, span.parent_span_id);
}

inline char* PutKindAndTimes(char* at, const SpanRecord& span) {
  *at++ = kKindTag;
  at = wire::PutVarint(at, span.kind);
  at = PutTime(at, kStartTag, span.start_utc_ns);
  return PutTime(at, kEndTag, span.end_utc_ns);
}

/// A name in ASCII of less than 128 bytes, as nearly all are. Null: it is none, and nothing counts as written.
inline char* PutShortName(char* at, std::string_view name) {
  if (name.empty()) return at;
  at[0] = kNameTag;
  at[1] = static_cast<char>(name.size());
  return name.size() < 128 && wire::CopyAscii(at + 2, name.data(), name.size()) ? at + 2 + name.size() : nullptr;
}

inline char* PutEncoded(char* at, std::string_view encoded) {
  if (!encoded.empty()) std::memcpy(at, encoded.data(), encoded.size());
  return at + encoded.size();
}

/// Everything up to the constant attributes, and these.
void PutHead(WireWriter& out, const SpanRecord& span) {
  const std::string_view constant = span.constant.bytes;
  char* at = PutIds(out.Ensure(kHeadRoom + span.name.size() + constant.size()), span);
  if (span.trace_state.empty()) {
    if (char* named = PutShortName(at, span.name)) {
      return out.Advance(PutEncoded(PutKindAndTimes(named, span), constant));
    }
  }
  out.Advance(at);
  if (!span.trace_state.empty()) out.Text(kTraceStateField, span.trace_state);
  if (!span.name.empty()) out.Text(kNameField, span.name);
  out.Advance(PutEncoded(PutKindAndTimes(out.Ensure(kHeadRoom + constant.size()), span), constant));
}

void PutLink(WireWriter& out, const probe_trace_context_t& link) {
  if (link.valid == 0) return;
  const std::size_t body = out.Open(kLinksField);
  char* at = out.Ensure(kHeadRoom);
  at = PutId(at, kTraceIdTag, link.trace_id);
  out.Advance(PutId(at, kSpanIdTag, link.span_id));
  if (link.state.len > 0) out.Text(kTraceStateField, {link.state.ptr, link.state.len});
  out.Fixed32(kLinkFlagsField, kRemote | link.flags);
  out.Close(body);
}

void PutStatus(WireWriter& out, std::uint32_t status) {
  const std::size_t body = out.Open(kStatusField);
  out.Varint(kStatusCodeField, status);
  out.Close(body);
}

}  // namespace

std::uint32_t EncodeSpanAttributes(WireWriter& out, const KeyTable& keys,
                                   std::span<const probe_attribute_t> attributes) {
  return EncodeAttributes(out, keys, kAttributesField, attributes);
}

void EncodeSpan(WireWriter& out, const KeyTable& keys, const SpanRecord& span) {
  const std::size_t body = out.Open(EnvelopeBuilder::kItemField, kSpanLengthBytes);
  PutHead(out, span);
  const std::uint32_t dropped = span.constant.dropped + EncodeAttributes(out, keys, kAttributesField, span.attributes);
  if (!span.error_type.empty()) EncodeTextAttribute(out, kAttributesField, kErrorType, span.error_type);
  if (dropped > 0) out.Varint(kDroppedAttributesField, dropped);
  for (const probe_trace_context_t& link : span.links) PutLink(out, link);
  if (span.status != PROBE_STATUS_UNSET) PutStatus(out, span.status);
  if (span.flags != 0) out.Fixed32(kFlagsField, span.flags);
  out.Close(body, kSpanLengthBytes);
}

}  // namespace probed::exporter
