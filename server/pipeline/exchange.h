// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Values that go into the link table and come out of it: an exchange as it begins, and the context of its span.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>

#include "api/module/probe_types.h"
#include "server/pipeline/ids.h"
#include "server/pipeline/utc_clock.h"

namespace probed::pipeline {

/// Two addresses in one order, the same key at both ends of a connection. Made once per stream, from its OPEN record.
struct PairKey {
  std::uint64_t high = 0;  // both words zero: no pair (unix sockets, or the OPEN record has not come)
  std::uint64_t low = 0;
  bool same_host = false;  // the addresses alone prove that both ends are on this machine
  std::uint8_t place = 0;  // by the local port: a server's clients have one in common
  bool valid() const { return (high | low) != 0; }
};

/// IPv4 and IPv4 mapped into IPv6 are the same. The network namespace is left out: the ends of a connection between two
/// containers are in different ones; the wire sequence tells apart what else would collide.
PairKey MakePairKey(const probe_endpoint_t& local, const probe_endpoint_t& peer);

/// The same key at both ends of plaintext that is seen from its first byte (probed.plaintext/1), of which no other
/// connection has the 32 bytes of `name`. Its offsets take the place of sequence numbers.
PairKey MakePlaintextKey(const std::uint8_t* name, const PairKey& connection);

/// The offset as a sequence number; 0 is none.
inline std::uint32_t PlaintextSequence(std::uint64_t offset) { return static_cast<std::uint32_t>(offset + 1); }

/// 0: none.
using ExchangeId = std::uint64_t;

struct ExchangeInfo {
  std::uint32_t kind = PROBE_SPAN_INTERNAL;  // enum probe_span_kind
  std::uint8_t layer = 0;
  bool allow_cause = true;  // false: requests and threads do not go together in this process (goroutines)
  std::uint32_t wire_sequence = 0;
  std::uint64_t start_ns = 0;
  std::uint64_t cookie = 0;
  std::uint64_t offset = 0;
  std::uint64_t end_offset = 0;
  /// First byte of the received segment in which the request begins. Requests that begin in one segment share every
  /// reference to it. `offset` when unknown.
  std::uint64_t segment_offset = 0;
  PairKey pair;
  probe_cause_t cause = {};
  probe_trace_context_t remote = {};  // its state is copied
  std::int64_t utc_offset_ns = 0;     // UtcClock::offset_ns of the drain it began in
};

/// What the module reported, completed by what the host knows of the stream.
inline ExchangeInfo MakeExchangeInfo(const probe_exchange_t& exchange, const PairKey& pair,
                                     std::uint64_t segment_offset, bool allow_cause, std::int64_t utc_offset_ns) {
  ExchangeInfo info;
  info.kind = exchange.kind;
  info.layer = exchange.layer;
  info.allow_cause = allow_cause;
  info.wire_sequence = exchange.wire_sequence;
  info.start_ns = exchange.start_ns;
  info.cookie = exchange.cookie;
  info.offset = exchange.offset;
  info.end_offset = exchange.end_offset;
  info.segment_offset = std::min(segment_offset, exchange.offset);
  info.pair = pair;
  info.cause = exchange.cause;
  info.remote = exchange.remote;
  info.utc_offset_ns = utc_offset_ns;
  return info;
}

/// Where a span's parent came from.
enum class Origin : std::uint8_t { kRoot, kRemote, kPair, kCause };

/// Bits of OTLP Span.flags above the W3C flags: whether the parent came over the wire.
constexpr std::uint32_t kHasIsRemote = 0x100;
constexpr std::uint32_t kIsRemote = 0x200;

struct SpanContext {
  TraceId trace_id = {};
  SpanId span_id = {};
  SpanId parent_span_id = {};  // all zero: root
  std::uint32_t flags = 0;     // OTLP Span.flags
  Origin origin = Origin::kRoot;
  std::shared_ptr<const std::string> trace_state;  // shared by the trace's spans; null: none
  std::int64_t utc_offset_ns = 0;                  // of the whole local trace
  std::uint64_t not_before_ns = 0;                 // ktime of the local parent's start
};

/// Start and end of a span in UTC: not before its parent, its length kept where that allows.
struct UtcTimes {
  std::uint64_t start_ns = 0;
  std::uint64_t end_ns = 0;
};
inline UtcTimes ToUtc(const SpanContext& context, std::uint64_t start_ktime_ns, std::uint64_t end_ktime_ns) {
  const std::uint64_t start = std::max(start_ktime_ns, context.not_before_ns);
  const std::uint64_t end = std::max(start, end_ktime_ns);
  return {UtcClock::ToUtc(start, context.utc_offset_ns), UtcClock::ToUtc(end, context.utc_offset_ns)};
}

}  // namespace probed::pipeline
