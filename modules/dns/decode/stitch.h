// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// The rules: which message begins a lookup, which one ends it, what becomes of those that nobody answers, and of
// answers that nobody seems to have asked for (stitch.cc); how messages are found in a stream (stitch_stream.cc); and
// multicast, where all is different (stitch_multicast.cc). One per shard. [shard]
#pragma once

#include <cstdint>
#include <string_view>

#include "api/sdk/framed_stream.h"
#include "api/sdk/generations.h"
#include "api/sdk/host.h"
#include "modules/dns/bpf/dns_classify.h"
#include "modules/dns/decode/early.h"
#include "modules/dns/decode/emit.h"
#include "modules/dns/decode/lookup.h"

namespace probed::mod::dns {

class Stitcher : public sdk::FramedReader<Stitcher, Socket> {
 public:
  static constexpr std::uint32_t kUndecodableBeforeGivingUp = 4;  // records, on a stream that never showed a message

  Stitcher(const Keys& keys, const sdk::Generations<Config>& configs, sdk::ShardHost host)
      : emitter_(keys), configs_(configs), host_(host) {}

  void OnDatagram(sdk::Stream stream, Socket& socket, const probe_datagram_t& datagram);
  /// The process that closes its socket does not wait any longer.
  void OnClose(sdk::Stream stream, Socket& socket, std::uint32_t reason, std::uint64_t ktime_ns);
  void OnTick(std::uint64_t now_ns);

 private:
  friend FramedReader;

  /// What the message is counted as, or kUsed.
  probe_reason OnMessage(sdk::Stream stream, Socket& socket, std::string_view bytes, const Arrival& arrival);
  probe_reason OnQuery(sdk::Stream stream, Socket& socket, const Arrival& arrival, const LookupKey& key);
  probe_reason OnResponse(sdk::Stream stream, Socket& socket, const Arrival& arrival, const LookupKey& key);
  /// The answer came first.
  void EndEarly(sdk::Stream stream, Lookup& lookup, EarlyAnswer& answer);
  /// An answer without a lookup: kept, or counted.
  void OnUnmatched(sdk::Stream stream, Socket& socket, const Arrival& arrival, const LookupKey& key);
  void GiveUp(EarlyAnswer& answer);
  void EndUnanswered(sdk::Stream stream, Lookup& lookup, std::string_view error, std::uint64_t end_ns);
  void EndAtClose(sdk::Stream stream, Lookup& lookup, std::uint32_t reason, std::uint64_t ktime_ns);
  void Remove(sdk::Stream stream, Lookup& lookup);
  static Arrival ArrivalOf(const probe_datagram_t& datagram);

  // stitch_multicast.cc
  probe_reason OnMulticast(sdk::Stream stream, Socket& socket, const probe_datagram_t& datagram);
  probe_reason OnMulticastQuery(sdk::Stream stream, Socket& socket, const probe_datagram_t& datagram);
  probe_reason OnMulticastResponse(const probe_datagram_t& datagram);
  void Ask(sdk::Stream stream, Socket& socket, const probe_datagram_t& datagram, const Question& question);
  void EndMulticast(Lookup& lookup, std::string_view bytes, const probe_datagram_t& datagram);
  Lookup* FindMulticast(std::uint32_t tgid, const Question& question) const;
  void ForgetUnanswered(std::uint64_t now_ns);

  // stitch_stream.cc: for FramedReader
  static constexpr std::size_t kPrefix = DNS_PREFIX_BYTES;
  static constexpr std::size_t kLongest = std::size_t{192} << 10U;
  static std::uint64_t SizeOf(std::string_view view) {
    return kPrefix + dns_u16(reinterpret_cast<const unsigned char*>(view.data()));
  }
  static bool BeginsWithMessage(sdk::Stream stream, std::uint64_t offset);
  static std::size_t Search(Reading& r, std::string_view view);
  probe_reason OnFramed(Reading& r, std::string_view bytes, const sdk::Arrival& arrival, bool cut);
  static void OnLost(Reading& r);
  static void OnSettled(Reading& r);

  Emitter emitter_;
  Lookups lookups_;
  Lookups multicast_;  // those of multicast
  EarlyAnswers early_;
  const sdk::Generations<Config>& configs_;
  sdk::ShardHost host_;
  Message message_;  // at hand: too large to be made anew each time
};

}  // namespace probed::mod::dns
