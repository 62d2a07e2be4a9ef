// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// The whole module over one connection: a record is a control byte, a length of two bytes, the bytes. After each input
// every exchange must have ended and all memory been given back.
//
//   control: 0x01 direction   0x02 a hole before it   0x04 its last third was left out
//            0x20 no record, but an event of a probe about the connection; its kind is the first byte
//            0x40 the plaintext is seen too
//            0x08 in front of it the header of a handshake record, 0x10 of application data, as long as it is
#include <cstdint>
#include <string>
#include <string_view>

#include "api/sdk/testing/drive.h"
#include "api/sdk/testing/fuzz.h"
#include "modules/tls/bpf/tls_records.h"

extern "C" const probe_module_entry_t probe_module_entry;

namespace {

using probed::sdk::testing::Driver;
using probed::sdk::testing::FeedRecords;
using probed::sdk::testing::RequireNothingLeft;
using probed::sdk::testing::StreamDriver;

std::string Header(std::uint8_t control, std::size_t size) {
  const char type = (control & 0x08U) != 0 ? '\x16' : '\x17';
  if ((control & 0x18U) == 0) return "";
  return {type, '\x03', '\x03', static_cast<char>(size >> 8U), static_cast<char>(size)};
}

void FeedRecord(StreamDriver& stream, std::uint8_t control, std::string_view bytes) {
  const std::string record = Header(control, bytes.size()).append(bytes);
  const auto cut = static_cast<std::uint32_t>((control & 0x04U) != 0 ? record.size() / 3 : 0);
  const std::uint8_t direction = (control & 0x01U) != 0 ? PROBE_SENT : PROBE_RECEIVED;
  if ((control & 0x02U) != 0) stream.Lose(direction, bytes.size());
  const std::uint8_t hint = (control & 0x40U) != 0 ? TLS_HINT_BOUND : 0;
  stream.Feed({direction, record.substr(0, record.size() - cut), cut, 0, hint});
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static Driver quiet(probe_module_entry, R"({"handshake_spans":false})");
  static Driver usual(probe_module_entry);
  Driver& driver = size % 5 == 0 ? quiet : usual;
  driver.Restart();
  StreamDriver stream = driver.NewStream();
  const std::string cookie("\x4d\0\0\0\0\0\0\0", 8);
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  if (size % 3 != 0) stream.Open(size % 3 == 1);
  FeedRecords(
      driver, input, 3, [](const std::uint8_t* head) { return std::size_t{head[1]} << 8U | head[2]; },
      [&](std::uint8_t control, std::string_view bytes) {
        if ((control & 0x20U) == 0 || bytes.empty()) return FeedRecord(stream, control, bytes);
        driver.Event(static_cast<std::uint8_t>(bytes[0]) % 5, cookie + std::string(bytes.substr(1)));
      });
  stream.Close(static_cast<probe_close_reason>(size % 7));
  RequireNothingLeft(driver);
  return 0;
}
