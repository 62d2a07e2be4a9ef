// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Arbitrary bytes as a connection. An input is a list of records: a control byte, a length byte, the bytes. After each
// input every exchange must have ended and all memory been given back.
//
//   control: 0x01 direction   0x02 a hole before it   0x04 its last third is not there   0x08 the bytes are the payload
//            of a message whose type is the first of them   0x10 startup and welcome before it
//            0x20 the kernel says that rows were passed over before it   0x40 the two before are of MySQL: the first
//            byte is the sequence
#include <cstdint>
#include <string>
#include <string_view>

#include "api/sdk/testing/drive.h"
#include "api/sdk/testing/fuzz.h"
#include "modules/sql/bpf/pg_walk.h"
#include "modules/sql/tests/my_messages.h"

extern "C" const probe_module_entry_t probe_module_entry;

namespace {

namespace my = probed::mod::sql::testing::my;
using probed::mod::sql::testing::Startup;
using probed::mod::sql::testing::Typed;
using probed::mod::sql::testing::Welcome;
using probed::sdk::testing::Driver;
using probed::sdk::testing::FeedRecords;
using probed::sdk::testing::RequireNothingLeft;
using probed::sdk::testing::StreamDriver;

void Begin(StreamDriver& stream, bool mysql) {
  if (!mysql) {
    stream.Send(Startup());
    stream.Receive(Welcome());
    return;
  }
  stream.Receive(my::Greeting());
  stream.Send(my::Login());
  stream.Receive(my::Done(2));
}

void FeedRecord(StreamDriver& stream, std::uint8_t control, std::string_view bytes) {
  const std::uint8_t direction = (control & 0x01U) != 0 ? PROBE_SENT : PROBE_RECEIVED;
  const bool mysql = (control & 0x40U) != 0;
  if ((control & 0x10U) != 0) Begin(stream, mysql);
  if ((control & 0x02U) != 0) stream.Lose(direction, bytes.size() + 1);
  std::string record(bytes);
  if ((control & 0x08U) != 0 && !record.empty()) {
    const std::string body = record.substr(1);
    record = mysql ? my::Packet(static_cast<unsigned char>(record[0]), body) : Typed(record[0], body);
  }
  const auto cut = static_cast<std::uint32_t>((control & 0x04U) != 0 ? record.size() / 3 : 0);
  const auto passed = static_cast<std::uint8_t>(mysql ? 1 + bytes.size() % 7 : std::size_t{PG_HINT_PASSED});
  const std::uint8_t hint = (control & 0x20U) != 0 ? passed : 0;
  stream.Feed({direction, record.substr(0, record.size() - cut), cut, 0, hint});
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static Driver driver(probe_module_entry,
                       R"({"server_spans":true,"returned_rows":true,"query_parameters":true,"capture_bytes":64})");
  driver.Restart();
  driver.host.memory_limit = size % 5 == 0 ? 4096 : 64U << 20U;
  StreamDriver stream = driver.NewStream();
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  if (size % 2 != 0) stream.Open();
  FeedRecords(
      driver, input, 2, [](const std::uint8_t* head) { return std::size_t{head[1]}; },
      [&](std::uint8_t control, std::string_view bytes) { FeedRecord(stream, control, bytes); });
  stream.Close(static_cast<probe_close_reason>(size % 7));
  RequireNothingLeft(driver);
  return 0;
}
