// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/export/utf8.h"

#include <gmock/gmock.h>

namespace probed::exporter {
namespace {

constexpr const char* kReplaced = "\xEF\xBF\xBD";

TEST(Utf8, AcceptsTheEdgesOfEachLength) {
  for (const char* text : {"", "ascii \x7f", "\xC2\x80\xDF\xBF", "\xE0\xA0\x80\xED\x9F\xBF\xEE\x80\x80\xEF\xBF\xBF",
                           "\xF0\x90\x80\x80\xF4\x8F\xBF\xBF"}) {
    EXPECT_TRUE(IsValidUtf8(text)) << text;
    EXPECT_EQ(ToValidUtf8(text), text);
  }
  EXPECT_TRUE(IsValidUtf8(std::string_view("\0", 1)));
}

struct Bad {
  std::string_view text;
  int replacements;
};

TEST(Utf8, ReplacesEachMaximalInvalidPartOnce) {
  const Bad cases[] = {
      {"\x80", 1},              // continuation alone
      {"\xC0\xAF", 2},          // overlong: C0 never leads
      {"\xE0\x80\x80", 3},      // overlong: E0 80 is no prefix of anything
      {"\xED\xA0\x80", 3},      // surrogate
      {"\xF4\x90\x80\x80", 4},  // beyond U+10FFFF
      {"\xF5", 1},
      {"\xE2\x82", 1},      // cut short: one maximal part
      {"\xF0\x9F\x98", 1},  // the same, four bytes long
  };
  for (const Bad& bad : cases) {
    EXPECT_FALSE(IsValidUtf8(bad.text));
    std::string expected = "a";
    for (int i = 0; i < bad.replacements; ++i) expected += kReplaced;
    EXPECT_EQ(ToValidUtf8("a" + std::string(bad.text) + "b"), expected + "b");
  }
}

}  // namespace
}  // namespace probed::exporter
