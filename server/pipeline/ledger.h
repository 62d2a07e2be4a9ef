// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// What one module in one shard did with what it was given: user space's half of the ledger (architecture.md). Written
// by the shard's thread, read at a barrier on the same thread.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "api/module/probe_types.h"

namespace probed::pipeline {

/// Where reasons are booked that this daemon does not know: a module of a later minor may have more of them.
constexpr std::uint32_t kUnknownReason = PROBE_REASON_COUNT;
using ReasonCounts = std::array<std::uint64_t, PROBE_REASON_COUNT + 1>;

struct FeedLedger {
  // records
  std::uint64_t consumed = 0;  // segments, datagrams, events
  std::uint64_t notices = 0;   // OPEN and CLOSE
  std::uint64_t used = 0;
  ReasonCounts records{};                     // not used, by enum probe_reason; last: kUnknownReason
  std::uint64_t unfed = 0;                    // the module is faulted, or has no function for it
  std::uint64_t gaps = 0;                     // missing (cpu, sequence)
  std::uint64_t doubled = 0;                  // repeated (cpu, sequence)
  std::array<std::uint64_t, 2> generation{};  // records by parity of their generation
  // exchanges
  std::uint64_t opened = 0;
  std::uint64_t spans = 0;
  std::uint64_t in_flight = 0;
  ReasonCounts aborted{};  // by enum probe_reason; last: kUnknownReason
  // spans
  std::uint64_t routed = 0;
  std::uint64_t unrouted_dropped = 0;
  std::uint64_t unrouted_no_route = 0;
  std::uint64_t unrouted_no_sink = 0;
  // streams
  std::uint64_t streams = 0;
  std::uint64_t streams_evicted = 0;
  std::uint64_t streams_given_away = 0;
};

inline std::uint32_t BookedReason(std::uint32_t reason) { return reason < kUnknownReason ? reason : kUnknownReason; }

/// The ledger's name of an enum probe_reason value, e.g. "ignored.body"; "unknown" for any other.
std::string_view ReasonName(std::uint32_t reason);

}  // namespace probed::pipeline
