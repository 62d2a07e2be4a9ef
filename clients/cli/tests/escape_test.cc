// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "clients/cli/lib/escape.h"

#include <gmock/gmock.h>

namespace probed::cli {
namespace {

TEST(Escape, LeavesPlainAndAccentedTextAlone) {
  EXPECT_EQ(Escape("GET /users/7?a=b"), "GET /users/7?a=b");
  EXPECT_EQ(Escape("/caf\u00e9/\u65e5\u672c/\U0001F600"), "/caf\u00e9/\u65e5\u672c/\U0001F600");
  EXPECT_EQ(Escape("a\\b"), "a\\b");
}

TEST(Escape, DisarmsControlCharacters) {
  EXPECT_EQ(Escape("/\x1b[2J\x1b[H"), "/\\x1b[2J\\x1b[H");
  EXPECT_EQ(Escape("a\nb\rc\td"), "a\\nb\\rc\\td");
  EXPECT_EQ(Escape(std::string_view("\0\x7f", 2)), "\\x00\\x7f");
}

TEST(Escape, DisarmsC1AndBidirectionalControls) {
  EXPECT_EQ(Escape("\u009b2J"), "\\u009b2J");
  EXPECT_EQ(Escape("a\u202eb\u2066c\u200bd\ufeff"), "a\\u202eb\\u2066c\\u200bd\\ufeff");
  EXPECT_EQ(Escape("\U000E0041"), "\\U000e0041");
}

TEST(Escape, ShowsBytesThatAreNoUtf8) {
  EXPECT_EQ(Escape("\xff\xfe"), "\\xff\\xfe");
  EXPECT_EQ(Escape("\x9b"
                   "2J"),
            "\\x9b2J");
  EXPECT_EQ(Escape("\xc0\xaf"), "\\xc0\\xaf");                    // overlong
  EXPECT_EQ(Escape("\xed\xa0\x80"), "\\xed\\xa0\\x80");           // surrogate
  EXPECT_EQ(Escape("\xe2\x82"), "\\xe2\\x82");                    // cut short
  EXPECT_EQ(Escape("\xf5\x80\x80\x80"), "\\xf5\\x80\\x80\\x80");  // above U+10FFFF
}

TEST(Escape, NeverLeavesAByteThatATerminalObeys) {
  for (int first = 0; first < 256; ++first) {
    for (int second = 0; second < 256; ++second) {
      const std::string escaped = Escape(std::string{static_cast<char>(first), static_cast<char>(second)});
      for (const char c : escaped) ASSERT_TRUE(static_cast<unsigned char>(c) >= 0x20 && c != 0x7f) << first << second;
      ASSERT_EQ(Escape(escaped), escaped);
    }
  }
}

TEST(DisplayWidth, CountsColumns) {
  EXPECT_EQ(DisplayWidth("abc"), 3U);
  EXPECT_EQ(DisplayWidth("e\u0301"), 1U);
  EXPECT_EQ(DisplayWidth("\u65e5\u672c"), 4U);
}

TEST(FitWidth, CutsWithAnEllipsis) {
  EXPECT_EQ(FitWidth("abcdef", 6), "abcdef");
  EXPECT_EQ(FitWidth("abcdef", 4), "abc\u2026");
  EXPECT_EQ(FitWidth("\u65e5\u672c\u8a9e", 4), "\u65e5\u2026");
  EXPECT_EQ(FitWidth("abc", 0), "");
}

}  // namespace
}  // namespace probed::cli
