// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "api/sdk/text.h"

#include <gmock/gmock.h>

#include <string>
#include <vector>

#include "api/sdk/byte_reader.h"

namespace probed::sdk {
namespace {

TEST(FindByte, FindsEveryPlaceInEverySize) {
  for (std::size_t size = 0; size < 70; ++size) {
    for (std::size_t place = 0; place <= size; ++place) {
      std::vector<char> block(size, 'x');
      if (place < size) block[place] = '\n';
      for (std::size_t from = 0; from <= place; ++from) {
        const char* p = block.data();
        EXPECT_EQ(FindByte(p, p + from, p + size, '\n'), p + place) << size << " " << place << " " << from;
      }
    }
  }
}

TEST(LineEnds, WalksAllLineFeedsInOrder) {
  for (std::size_t size = 0; size < 200; ++size) {
    std::vector<char> block(size, 'x');
    std::vector<const char*> expected;
    for (std::size_t i = size % 7; i < size; i += 1 + i % 13) {
      if (block[i] == '\n') continue;
      block[i] = '\n';
      expected.push_back(block.data() + i);
    }
    LineEnds ends({block.data(), size});
    for (const char* place : expected) EXPECT_EQ(ends.Next(), place) << size;
    EXPECT_EQ(ends.Next(), nullptr) << size;
  }
}

TEST(NameIs, ComparesInAnyCase) {
  EXPECT_TRUE(NameIs("HoSt", "host"));
  EXPECT_FALSE(NameIs("hose", "host"));
  EXPECT_TRUE(NameIs("CONTENT-Length", "content-length"));
  EXPECT_FALSE(NameIs("content-lengtH ", "content-lengtx"));
  EXPECT_FALSE(NameIs("xontent-length", "content-length"));
}

TEST(ParseDecimal, TakesDigitsOnly) {
  std::uint64_t value = 0;
  EXPECT_TRUE(ParseDecimal("9999999999999999999", &value));
  EXPECT_EQ(value, 9999999999999999999ULL);
  for (const char* text : {"", "+1", "-1", " 1", "1 ", "0x1", "10000000000000000000"}) {
    EXPECT_FALSE(ParseDecimal(text, &value)) << text;
  }
}

TEST(ByteReader, ConsumesNothingWhenItFails) {
  ByteReader reader(std::string_view("\x01\x02\x03line\r\n", 9));
  std::uint16_t word = 0;
  ASSERT_TRUE(reader.ReadBigEndian(&word));
  EXPECT_EQ(word, 0x0102);
  std::uint64_t big = 0;
  EXPECT_FALSE(reader.ReadLittleEndian(&big));
  EXPECT_EQ(reader.position(), 2U);
  ASSERT_TRUE(reader.Skip(1));
  std::string_view line;
  ASSERT_TRUE(reader.ReadLine(&line));
  EXPECT_EQ(line, "line");
  EXPECT_FALSE(reader.ReadLine(&line));
}

}  // namespace
}  // namespace probed::sdk
