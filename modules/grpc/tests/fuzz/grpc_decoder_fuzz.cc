// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Arbitrary bytes as records of one connection. An input is a list of records: a control byte, a length byte, the
// bytes. After each input every exchange must have ended and all memory been given back.
//
//   control: 0x01 direction   0x02 a hole before it   0x04 unshipped bytes behind it   0x08 nothing shipped
//            0x10 aligned     0x20 packed             0x40 tails                       0x80 long (length * 16)
#include <cstdint>
#include <string>
#include <string_view>

#include "api/sdk/testing/drive.h"
#include "api/sdk/testing/fuzz.h"
#include "modules/grpc/bpf/h2_frames.h"

extern "C" const probe_module_entry_t probe_module_entry;

namespace {

using probed::sdk::testing::Driver;
using probed::sdk::testing::FeedRecords;
using probed::sdk::testing::RequireNothingLeft;
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

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static Driver driver(probe_module_entry, kConfig);
  driver.Restart();
  driver.host.memory_limit = std::size_t{1} << 20U;  // as the daemon has it per stream
  StreamDriver stream = driver.NewStream(size % 2 == 0 ? PROBE_LAYER_RAW : PROBE_LAYER_PLAINTEXT);
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  if (size % 3 != 0) stream.Open(size % 3 == 1);
  FeedRecords(
      driver, input, 2,
      [](const std::uint8_t* head) { return std::size_t{head[1]} * ((head[0] & 0x80U) != 0 ? 16 : 1); },
      [&](std::uint8_t control, std::string_view bytes) { FeedRecord(stream, control, bytes); });
  stream.Close(static_cast<probe_close_reason>(size % 4));
  RequireNothingLeft(driver);
  return 0;
}
