// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Instructions per request and response, decoding and attributes, without the host: run under callgrind with
// --toggle-collect='PairOfRecords*' and divide by the number of pairs.
#include <cstdio>
#include <string>

#include "api/module/probe_module.h"
#include "api/sdk/testing/null_host.h"

extern "C" const probe_module_entry_t probe_module_entry;

namespace {

const std::string kRequest =
    "GET / HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nUser-Agent: h2load nghttp2\r\n\r\n";  // 70 bytes
const std::string kResponse =
    "HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nDate: Sat, 21 Nov 2026 05:19:29 GMT\r\nContent-Type: text/html\r\n"
    "Content-Length: 615\r\nLast-Modified: Sat, 21 Nov 2026 05:00:00 GMT\r\nConnection: keep-alive\r\n"
    "ETag: \"6741-267\"\r\nAccept-Ranges: bytes\r\n\r\n";

}  // namespace

extern "C" __attribute__((noinline)) void PairOfRecords(probe_shard_t* shard, probe_stream_t* stream, void** state,
                                                        probe_segment_t* request, probe_segment_t* response) {
  probe_module_entry.on_segment(shard, stream, state, request);
  probe_module_entry.on_segment(shard, stream, state, response);
}

int main() {
  probed::sdk::testing::NullModule module(probe_module_entry);
  probe_shard_t* shard = module.shard();
  probe_stream_t* stream = module.stream();
  void* state = nullptr;
  probe_open_t open{};
  open.from_start = 1;
  open.peer = open.local = {{192, 0, 2, 10}, 4000, PROBE_FAMILY_INET, {}};
  probe_module_entry.on_open(shard, stream, &state, &open);
  probe_segment_t request{};
  request.generation = 1;
  request.bytes = reinterpret_cast<const std::uint8_t*>(kRequest.data());
  request.captured = request.total = static_cast<std::uint32_t>(kRequest.size());
  probe_segment_t response = request;
  response.direction = PROBE_SENT;
  response.bytes = reinterpret_cast<const std::uint8_t*>(kResponse.data());
  response.captured = static_cast<std::uint32_t>(kResponse.size());
  response.total = response.captured + 615;
  constexpr int kPairs = 10000;
  for (int i = 0; i < kPairs; ++i) {
    request.ktime_ns = response.ktime_ns += 1000;
    PairOfRecords(shard, stream, &state, &request, &response);
    request.offset += request.total;
    response.offset += response.total;
  }
  probe_module_entry.on_close(shard, stream, &state, PROBE_CLOSE_PEER, 0);
  std::printf("%d pairs\n", kPairs);
  return 0;
}
