// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Arbitrary bytes as records of one connection. An input is a list of records: a control byte, a length byte, the
// bytes. After each input every exchange must have ended and all memory been given back.
//
//   control: 0x01 direction   0x02 a hole before it   0x04 unshipped bytes behind it   0x08 nothing shipped
//            0x10 aligned     0x20 packed             0x40 tails                       0x80 long (length * 16)
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "api/sdk/generations.h"
#include "api/sdk/testing/drive.h"
#include "modules/grpc/bpf/h2_frames.h"

extern "C" const probe_module_entry_t probe_module_entry;

namespace {

using probed::sdk::testing::Driver;
using probed::sdk::testing::Step;
using probed::sdk::testing::StreamDriver;

constexpr const char* kConfig =
    R"({"capture_request_headers":["te","x"],"capture_response_headers":["x"],"capture_response_trailers":["grpc-message"],"count_messages":true,"route_patterns":["/a/{b}/*"],"ignored_paths":["/health"]})";

void FeedRecord(StreamDriver& stream, std::uint8_t control, std::string_view bytes) {
  Step step;
  step.direction = (control & 0x01U) != 0 ? PROBE_SENT : PROBE_RECEIVED;
  const auto size = static_cast<std::uint32_t>(bytes.size());
  if ((control & 0x02U) != 0) stream.Lose(step.direction, 1 + size / 2);
  if ((control & 0x04U) != 0) step.skipped = 7 * size + 1;
  if ((control & 0x08U) != 0) {
    step.skipped += size + 1;
    step.flags |= PROBE_SEGMENT_SKIPPED;
  } else {
    step.bytes = bytes;
  }
  if ((control & 0x10U) != 0) step.hint |= H2_HINT_ALIGNED;
  if ((control & 0x20U) != 0) step.hint |= H2_HINT_PACKED;
  if ((control & 0x40U) != 0) step.hint |= H2_HINT_TAILS;
  stream.Feed(step);
}

void Require(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "%s\n", what);
  std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Driver driver(probe_module_entry, kConfig);
  driver.host.memory_limit = std::size_t{1} << 20U;  // as the daemon has it per stream
  StreamDriver stream = driver.NewStream(size % 2 == 0 ? PROBE_LAYER_RAW : PROBE_LAYER_PLAINTEXT);
  std::string_view input(reinterpret_cast<const char*>(data), size);
  if (size % 3 != 0) stream.Open(size % 3 == 1);
  while (input.size() >= 2) {
    const auto control = static_cast<std::uint8_t>(input[0]);
    const std::size_t scale = (control & 0x80U) != 0 ? 16 : 1;
    const std::size_t wanted = static_cast<std::uint8_t>(input[1]) * scale;
    input.remove_prefix(2);
    const std::string_view bytes = input.substr(0, std::min(wanted, input.size()));
    input.remove_prefix(bytes.size());
    FeedRecord(stream, control, bytes);
    Require(driver.host.LedgerProblem().empty(), "the ledger does not close");
  }
  stream.Close(static_cast<probe_close_reason>(size % 4));
  Require(driver.host.LedgerProblem().empty(), "the ledger does not close at the end");
  Require(driver.host.in_flight() == 0, "an exchange stayed open");
  Require(driver.host.bytes() == 0, "memory was not given back");
  Require(driver.OldestGeneration() == probed::sdk::Pins::kNone, "a generation stayed pinned");
  return 0;
}
