// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Arbitrary bytes as records of one connection. An input is a list of records: a control byte, a length byte, the
// bytes. After each input every exchange must have ended and all memory been given back.
//
//   control: 0x01 direction   0x02 a size in front   0x04 the last third is skipped   0x08 a hole before it
//            0x10 the head of a request in front: its key and version are the next two bytes   0x20 of a response
//            0x40 shipped as two pieces, with as much missing between them as the length says   0x80 as pieces, as it
//            is
#include <cstdint>
#include <string>
#include <string_view>

#include "api/sdk/testing/drive.h"
#include "api/sdk/testing/fuzz.h"
#include "modules/kafka/bpf/kafka_classify.h"
#include "modules/kafka/decode/api.h"
#include "modules/kafka/tests/writer.h"

extern "C" const probe_module_entry_t probe_module_entry;

namespace {

using probed::mod::kafka::IsFlexible;
using probed::mod::kafka::testing::RequestHeader;
using probed::mod::kafka::testing::Sized;
using probed::mod::kafka::testing::Writer;
using probed::sdk::testing::Driver;
using probed::sdk::testing::FeedRecords;
using probed::sdk::testing::RequireNothingLeft;
using probed::sdk::testing::StreamDriver;

constexpr int kCorrelation = 7;

std::string RecordOf(std::uint8_t control, std::string_view bytes) {
  std::string out;
  if ((control & 0x10U) != 0 && bytes.size() >= 2) {
    const auto key = static_cast<std::int16_t>(bytes[0] & 0x7f);
    const auto version = static_cast<std::int16_t>(bytes[1] & 0x1f);
    out = RequestHeader(key, version, IsFlexible(key, version), kCorrelation);
    bytes.remove_prefix(2);
  } else if ((control & 0x20U) != 0) {
    out = Writer().I32(kCorrelation).bytes();
  }
  out.append(bytes);
  return (control & 0x32U) != 0 ? Sized(out) : out;
}

std::string Piece(std::size_t left_out, const std::string& bytes) {
  std::string out;
  for (const std::size_t number : {left_out, bytes.size()}) {
    for (unsigned i = 0; i < 4; ++i) out += static_cast<char>(number >> (8 * i));
  }
  return out + bytes;
}

void FeedRecord(StreamDriver& stream, std::uint8_t control, std::string_view bytes) {
  const std::string record = RecordOf(control, bytes);
  const auto cut = static_cast<std::uint32_t>((control & 0x04U) != 0 ? record.size() / 3 : 0);
  const std::uint8_t direction = (control & 0x01U) != 0 ? PROBE_SENT : PROBE_RECEIVED;
  if ((control & 0x08U) != 0) stream.Lose(direction, bytes.size());
  if ((control & 0x40U) != 0) {
    const std::size_t half = record.size() / 2;
    const std::string pieces = Piece(0, record.substr(0, half)) + Piece(bytes.size(), record.substr(half));
    const std::size_t total = record.size() + bytes.size();
    return stream.Feed({direction, pieces, static_cast<std::uint32_t>(total - pieces.size()), 0, KFK_HINT_PACKED});
  }
  if ((control & 0x80U) != 0) return stream.Feed({direction, record, 100, 0, KFK_HINT_PACKED});
  stream.Feed({direction, record.substr(0, record.size() - cut), cut});
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static Driver driver(probe_module_entry, R"({"server_spans":true,"group_spans":true,"cluster_spans":true})");
  driver.Restart();
  StreamDriver stream = driver.NewStream();
  if (size % 3 != 0) stream.Open();
  FeedRecords(
      driver, {reinterpret_cast<const char*>(data), size}, 2,
      [](const std::uint8_t* head) { return std::size_t{head[1]}; },
      [&](std::uint8_t control, std::string_view bytes) { FeedRecord(stream, control, bytes); });
  stream.Close(static_cast<probe_close_reason>(size % 7));
  RequireNothingLeft(driver);
  return 0;
}
