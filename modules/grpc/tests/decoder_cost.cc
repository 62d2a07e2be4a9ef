// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Instructions per unary call, decoding and attributes, without the host: run under callgrind with
// --toggle-collect='PairOfRecords*' and divide by the number of calls.
#include <cstdio>
#include <string>

#include "api/module/probe_module.h"
#include "api/sdk/testing/null_host.h"
#include "modules/grpc/tests/frames.h"

extern "C" const probe_module_entry_t probe_module_entry;

namespace {

using probed::sdk::testing::Wire;
using namespace probed::mod::grpc::testing;  // NOLINT: the frames of this folder

}  // namespace

extern "C" __attribute__((noinline)) void PairOfRecords(probe_shard_t* shard, probe_stream_t* stream, void** state,
                                                        probe_segment_t* request, probe_segment_t* response) {
  probe_module_entry.on_segment(shard, stream, state, request);
  probe_module_entry.on_segment(shard, stream, state, response);
}

int main() {
  probed::sdk::testing::NullModule module(probe_module_entry);
  Wire wire;
  void* state = nullptr;
  probe_open_t open{};
  open.from_start = 1;
  open.peer = open.local = {{192, 0, 2, 10}, 4000, PROBE_FAMILY_INET, {}};
  probe_module_entry.on_open(module.shard(), module.stream(), &state, &open);
  Peers peers;
  const std::string hello = peers.Hello();
  const std::string settings = Settings();
  probe_segment_t client = wire.Segment(PROBE_RECEIVED, hello);
  probe_segment_t server = wire.Segment(PROBE_SENT, settings);
  PairOfRecords(module.shard(), module.stream(), &state, &client, &server);
  constexpr std::uint32_t kCalls = 10000;
  for (std::uint32_t i = 0; i < kCalls; ++i) {
    const std::string ask = peers.Ask(2 * i + 1, "shop.v1.CartService/GetItem");
    const std::string answer = peers.Answer(2 * i + 1);
    client = wire.Segment(PROBE_RECEIVED, ask);
    server = wire.Segment(PROBE_SENT, answer);
    PairOfRecords(module.shard(), module.stream(), &state, &client, &server);
  }
  probe_module_entry.on_close(module.shard(), module.stream(), &state, PROBE_CLOSE_PEER, 0);
  std::printf("%u calls\n", kCalls);
  return 0;
}
