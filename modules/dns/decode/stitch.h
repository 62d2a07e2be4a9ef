// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// The rules: which datagram begins a lookup, which one ends it, and what becomes of those that nobody answers. One per
// shard. [shard]
#pragma once

#include <cstdint>

#include "api/sdk/generations.h"
#include "api/sdk/host.h"
#include "modules/dns/decode/emit.h"
#include "modules/dns/decode/lookup.h"

namespace probed::mod::dns {

class Stitcher {
 public:
  Stitcher(const Keys& keys, const sdk::Generations<Config>& configs, sdk::ShardHost host)
      : emitter_(keys), configs_(configs), host_(host) {}

  void OnDatagram(sdk::Stream stream, Socket& socket, const probe_datagram_t& datagram);
  /// The process that closes its socket does not wait any longer.
  void OnClose(sdk::Stream stream, Socket& socket, std::uint32_t reason, std::uint64_t ktime_ns);
  void OnTick(std::uint64_t now_ns);
  std::uint32_t OldestGeneration() const { return pins_.Oldest(); }

 private:
  void OnQuery(sdk::Stream stream, Socket& socket, const probe_datagram_t& datagram, const LookupKey& key);
  void OnResponse(sdk::Stream stream, Socket& socket, const probe_datagram_t& datagram, const LookupKey& key);
  void Remove(sdk::Stream stream, Lookup& lookup);

  Emitter emitter_;
  Lookups lookups_;
  sdk::Pins pins_;
  const sdk::Generations<Config>& configs_;
  sdk::ShardHost host_;
  Message message_;  // of the datagram at hand: too large to be made anew each time
};

}  // namespace probed::mod::dns
