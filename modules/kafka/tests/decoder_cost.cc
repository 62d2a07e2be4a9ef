// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Instructions per request and its answer, decoding and attributes, without the host: run under callgrind with
// --toggle-collect='PairOfRecords*' and divide by the number of requests. The argument is "produce" or "fetch", behind
// it how many messages each moves (1).
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "api/module/probe_module.h"
#include "api/sdk/testing/null_host.h"
#include "modules/kafka/tests/writer.h"

extern "C" const probe_module_entry_t probe_module_entry;

namespace {

using probed::sdk::testing::Wire;
using namespace probed::mod::kafka::testing;  // NOLINT: the messages of this folder

constexpr int kRequests = 10000;
constexpr std::size_t kCorrelation = 8;  // where a request has its number: size, key and version are in front of it
constexpr std::size_t kAnswered = 4;     // where an answer has it

struct Exchange {
  std::string request;
  std::string response;
};

/// In the versions that a broker of 4.1 and librdkafka 2 speak.
Exchange Of(std::string_view mode, int messages) {
  const std::string batch =
      Batch(std::vector<TestRecord>(static_cast<std::size_t>(messages), {.value = "message 1234"}), 7);
  const std::vector<TestTopic> asked = {{"orders", {{0, batch}}}};
  if (mode == "fetch") return {FetchRequest(11, 1), FetchResponse(11, 1, asked)};
  return {ProduceRequest(7, 1, asked), ProduceResponse(7, 1, {{"orders", {{0, "", 0, 7}}}})};
}

void Number(std::string& message, std::size_t at, int number) { message.replace(at, 4, Writer().I32(number).bytes()); }

}  // namespace

extern "C" __attribute__((noinline)) void PairOfRecords(probe_shard_t* shard, probe_stream_t* stream, void** state,
                                                        probe_segment_t* request, probe_segment_t* response) {
  probe_module_entry.on_segment(shard, stream, state, request);
  probe_module_entry.on_segment(shard, stream, state, response);
}

int main(int count, char** arguments) {
  probed::sdk::testing::NullModule module(probe_module_entry);
  Exchange exchange = Of(count > 1 ? arguments[1] : "produce", count > 2 ? std::atoi(arguments[2]) : 1);
  Wire wire;
  void* state = nullptr;
  for (int number = 0; number < kRequests; ++number) {
    Number(exchange.request, kCorrelation, number);
    Number(exchange.response, kAnswered, number);
    probe_segment_t asked = wire.Segment(PROBE_SENT, exchange.request);
    probe_segment_t answered = wire.Segment(PROBE_RECEIVED, exchange.response);
    PairOfRecords(module.shard(), module.stream(), &state, &asked, &answered);
  }
  probe_module_entry.on_close(module.shard(), module.stream(), &state, PROBE_CLOSE_PEER, 0);
  std::printf("%d requests\n", kRequests);
  return 0;
}
