// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// The rules: which message begins a lookup, which one ends it, and what becomes of those that nobody answers
// (stitch.cc); and how messages are found in a stream (stitch_stream.cc). One per shard. [shard]
#pragma once

#include <cstdint>
#include <string_view>

#include "api/sdk/generations.h"
#include "api/sdk/host.h"
#include "modules/dns/decode/emit.h"
#include "modules/dns/decode/lookup.h"

namespace probed::mod::dns {

class Stitcher {
 public:
  static constexpr std::uint32_t kUndecodableBeforeGivingUp = 4;  // records, on a stream that never showed a message

  Stitcher(const Keys& keys, const sdk::Generations<Config>& configs, sdk::ShardHost host)
      : emitter_(keys), configs_(configs), host_(host) {}

  void OnDatagram(sdk::Stream stream, Socket& socket, const probe_datagram_t& datagram);
  void OnSegment(sdk::Stream stream, Socket& socket, const probe_segment_t& segment);
  void OnGap(sdk::Stream stream, Socket& socket, std::uint8_t direction, std::uint64_t offset, std::uint64_t length);
  /// The process that closes its socket does not wait any longer.
  void OnClose(sdk::Stream stream, Socket& socket, std::uint32_t reason, std::uint64_t ktime_ns);
  void OnTick(std::uint64_t now_ns);
  std::uint32_t OldestGeneration() const { return pins_.Oldest(); }

 private:
  static constexpr probe_reason kUsed = PROBE_REASON_COUNT;  // something came of it

  /// A record of a stream, or a hole in it, while it is worked on.
  struct Reading {
    sdk::Stream stream;
    Socket& socket;
    Direction& d;
    std::uint8_t direction;
    const probe_segment_t* segment;  // nullptr: a hole
    bool used = false;
    bool kept = false;                       // it ends in a message that goes on
    probe_reason failure = kUsed;            // what went wrong in it
    probe_reason idle = PROBE_IGNORED_BODY;  // what the record is when nothing of it was used
  };

  /// What the message is counted as, or kUsed.
  probe_reason OnMessage(sdk::Stream stream, Socket& socket, std::string_view bytes, const Arrival& arrival);
  probe_reason OnQuery(sdk::Stream stream, Socket& socket, const Arrival& arrival, const LookupKey& key);
  probe_reason OnResponse(sdk::Stream stream, Socket& socket, const Arrival& arrival, const LookupKey& key);
  void EndUnanswered(sdk::Stream stream, Lookup& lookup, std::string_view error, std::uint64_t end_ns);
  void EndAtClose(sdk::Stream stream, Lookup& lookup, std::uint32_t reason, std::uint64_t ktime_ns);
  void Remove(sdk::Stream stream, Lookup& lookup);

  void Consume(Reading& r, std::string_view bytes);
  void ReadMessages(Reading& r, std::string_view view, std::uint64_t kept);
  std::size_t Search(Reading& r, std::string_view view) const;
  void TakeMessage(Reading& r, std::string_view bytes, const Arrival& start);
  void FinishCut(Reading& r);
  void SkipHole(Reading& r, std::uint64_t to, bool timed);
  static void LoseBoundary(Reading& r);
  void Keep(Reading& r, std::string_view rest, const Arrival& start);
  void Drop(Reading& r);
  static Arrival ArrivalAt(const Reading& r, std::uint64_t offset);
  static void Settle(Reading& r);

  Emitter emitter_;
  Lookups lookups_;
  sdk::Pins pins_;
  const sdk::Generations<Config>& configs_;
  sdk::ShardHost host_;
  Message message_;  // at hand: too large to be made anew each time
};

}  // namespace probed::mod::dns
