// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Arbitrary bytes as datagrams of one socket and as a stream. An input is a list of records: a control byte, a length
// byte, the bytes. After each input every exchange must have ended and all memory been given back.
//
//   control: 0x01 direction   0x02 a tick of an hour before it   0x04 cut by a third   0x08 another peer; a hole before
//            0x10 a header of a query in front                   0x20 one of a response
//            0x40 of the stream; with 0x10 or 0x20 its length in front
//            0x80 by another thread
#include <cstdint>
#include <string>
#include <string_view>

#include "api/sdk/testing/drive.h"
#include "api/sdk/testing/fuzz.h"
#include "modules/dns/tests/messages.h"

extern "C" const probe_module_entry_t probe_module_entry;

namespace {

using probed::mod::dns::testing::Framed;
using probed::mod::dns::testing::Header;
using probed::mod::dns::testing::Peer4;
using probed::sdk::testing::Driver;
using probed::sdk::testing::FeedRecords;
using probed::sdk::testing::RequireNothingLeft;
using probed::sdk::testing::StreamDriver;

constexpr std::uint64_t kHourNs = 3'600'000'000'000;

std::string InFront(std::uint8_t control) {
  if ((control & 0x10U) != 0) return Header{}.Bytes();
  if ((control & 0x20U) != 0) return Header{.flags = 0x8180, .answers = 3}.Bytes();
  return "";
}

void FeedStream(StreamDriver& stream, std::uint8_t control, std::string_view bytes) {
  std::string record = InFront(control).append(bytes);
  if ((control & 0x30U) != 0) record = Framed(record);
  const auto cut = static_cast<std::uint32_t>((control & 0x04U) != 0 ? record.size() / 3 : 0);
  const std::uint8_t direction = (control & 0x01U) != 0 ? PROBE_SENT : PROBE_RECEIVED;
  if ((control & 0x08U) != 0) stream.Lose(direction, bytes.size());
  stream.Feed({direction, record.substr(0, record.size() - cut), cut});
}

void FeedRecord(Driver& driver, StreamDriver& stream, std::uint8_t control, std::string_view bytes) {
  if ((control & 0x02U) != 0) driver.Tick(stream.now_ns += kHourNs);
  stream.thread_id = (control & 0x80U) != 0 ? 1235 : 1234;
  if ((control & 0x40U) != 0) return FeedStream(stream, control, bytes);
  const std::string datagram = InFront(control).append(bytes);
  const auto cut = static_cast<std::uint32_t>((control & 0x04U) != 0 ? datagram.size() / 3 : 0);
  const auto peer = (control & 0x08U) != 0 ? Peer4(1, 1000) : Peer4();
  stream.Datagram((control & 0x01U) != 0 ? PROBE_SENT : PROBE_RECEIVED, datagram, peer, cut);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static Driver driver(probe_module_entry, R"({"server_spans":true,"duration_metric":true})");
  driver.Restart();
  StreamDriver socket = driver.NewStream();
  StreamDriver stream = driver.NewStream();
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  if (size % 2 != 0) socket.Open();
  if (size % 3 != 0) stream.Open(size % 3 == 1);
  FeedRecords(
      driver, input, 2, [](const std::uint8_t* head) { return std::size_t{head[1]}; },
      [&](std::uint8_t control, std::string_view bytes) {
        FeedRecord(driver, (control & 0x40U) != 0 ? stream : socket, control, bytes);
      });
  socket.Close(static_cast<probe_close_reason>(size % 7));
  stream.Close(static_cast<probe_close_reason>(size % 7));
  RequireNothingLeft(driver);
  return 0;
}
