// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Instructions per lookup, decoding and attributes, without the host: run under callgrind with
// --toggle-collect='LookupByDatagrams*' or 'LookupByStream*' and divide by the number of lookups. Each lookup is on a
// socket of its own by datagrams, as resolvers do it, and on one connection by stream.
#include <cstdio>
#include <string>

#include "api/module/probe_module.h"
#include "api/sdk/testing/null_host.h"
#include "modules/dns/tests/messages.h"

extern "C" const probe_module_entry_t probe_module_entry;

namespace {

namespace messages = probed::mod::dns::testing;

constexpr int kLookups = 10000;
const std::string kQuery = messages::Query("www.example.com");
const std::string kAnswer = messages::Response(
    "www.example.com", messages::kA, 0x1234, 0,
    messages::Record(messages::kA, messages::kAddress4) + messages::Record(messages::kA, messages::kAddress4), 2);

probe_datagram_t Datagram(std::uint8_t direction, const std::string& bytes) {
  probe_datagram_t datagram{};
  datagram.generation = 1;
  datagram.direction = direction;
  datagram.captured = datagram.total = static_cast<std::uint32_t>(bytes.size());
  datagram.bytes = reinterpret_cast<const std::uint8_t*>(bytes.data());
  datagram.peer = messages::Peer4();
  return datagram;
}

probe_segment_t Segment(std::uint8_t direction, const std::string& bytes) {
  probe_segment_t segment{};
  segment.generation = 1;
  segment.direction = direction;
  segment.captured = segment.total = static_cast<std::uint32_t>(bytes.size());
  segment.bytes = reinterpret_cast<const std::uint8_t*>(bytes.data());
  return segment;
}

}  // namespace

extern "C" __attribute__((noinline)) void LookupByDatagrams(probe_shard_t* shard, probe_stream_t* stream,
                                                            const probe_datagram_t* query,
                                                            const probe_datagram_t* answer) {
  void* state = nullptr;
  probe_module_entry.on_datagram(shard, stream, &state, query);
  probe_module_entry.on_datagram(shard, stream, &state, answer);
  probe_module_entry.on_close(shard, stream, &state, PROBE_CLOSE_LOCAL, 0);
}

extern "C" __attribute__((noinline)) void LookupByStream(probe_shard_t* shard, probe_stream_t* stream, void** state,
                                                         const probe_segment_t* query, const probe_segment_t* answer) {
  probe_module_entry.on_segment(shard, stream, state, query);
  probe_module_entry.on_segment(shard, stream, state, answer);
}

int main() {
  probed::sdk::testing::NullModule module(probe_module_entry);
  probe_shard_t* shard = module.shard();
  probe_stream_t* stream = module.stream();
  const probe_datagram_t query = Datagram(PROBE_SENT, kQuery);
  const probe_datagram_t answer = Datagram(PROBE_RECEIVED, kAnswer);
  for (int i = 0; i < kLookups; ++i) LookupByDatagrams(shard, stream, &query, &answer);

  void* state = nullptr;
  const std::string framed_query = messages::Framed(kQuery);
  const std::string framed_answer = messages::Framed(kAnswer);
  probe_segment_t asked = Segment(PROBE_SENT, framed_query);
  probe_segment_t answered = Segment(PROBE_RECEIVED, framed_answer);
  for (int i = 0; i < kLookups; ++i) {
    LookupByStream(shard, stream, &state, &asked, &answered);
    asked.offset += asked.total;
    answered.offset += answered.total;
  }
  probe_module_entry.on_close(shard, stream, &state, PROBE_CLOSE_PEER, 0);
  std::printf("%d lookups each\n", kLookups);
  return 0;
}
