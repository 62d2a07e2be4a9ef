// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/export/wire.h"

#include <gmock/gmock.h>

#include <string>

namespace probed::exporter {
namespace {

TEST(Wire, VarintSizeIsWhatPutVarintWrites) {
  char bytes[10];
  for (unsigned bit = 0; bit < 64; ++bit) {
    for (const std::uint64_t value : {std::uint64_t{1} << bit, (std::uint64_t{1} << bit) - 1}) {
      EXPECT_EQ(wire::VarintSize(value), static_cast<std::size_t>(wire::PutVarint(bytes, value) - bytes)) << value;
    }
  }
  EXPECT_EQ(wire::VarintSize(~std::uint64_t{0}), 10U);
}

TEST(Wire, CopyAsciiCopiesEveryLengthAndSeesEveryHighBit) {
  for (std::size_t size = 0; size < 70; ++size) {
    std::string in(size, 'x');
    std::string out(size + 8, '#');
    EXPECT_TRUE(wire::CopyAscii(out.data(), in.data(), size));
    EXPECT_EQ(out, in + "########");
    for (std::size_t at = 0; at < size; ++at) {
      in[at] = '\x80';
      EXPECT_FALSE(wire::CopyAscii(out.data(), in.data(), size)) << size << " " << at;
      EXPECT_EQ(out, in + "########");
      in[at] = 'x';
    }
  }
}

TEST(WireWriter, MovesTheBodyWhenTheLengthWasGuessedWrong) {
  for (const std::size_t guess : {1U, 2U, 3U}) {
    for (const std::size_t length : {0U, 1U, 127U, 128U, 16383U, 16384U, 100000U}) {
      WireWriter out;
      const std::size_t body = out.Open(2, guess);
      out.Append(std::string(length, 'b'));
      out.Close(body, guess);
      out.Append("after");
      WireWriter expected;
      expected.Bytes(2, std::string(length, 'b'));
      expected.Append("after");
      EXPECT_EQ(out.view(), expected.view()) << guess << " " << length;
    }
  }
}

}  // namespace
}  // namespace probed::exporter
