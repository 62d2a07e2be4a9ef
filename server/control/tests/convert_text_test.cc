// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/control/convert_text.h"

#include <gtest/gtest.h>

namespace probed::control {
namespace {

TEST(ValidUtf8, LeavesGoodTextAlone) {
  for (const std::string text : {"", "plain", "gr\u00fc\u00df", "\u20ac", "\U0001F600", "\U0010FFFF"}) {
    EXPECT_EQ(ValidUtf8(text), text);
  }
}

TEST(ValidUtf8, ReplacesEachBadByte) {
  const std::string bad = "\xEF\xBF\xBD";
  EXPECT_EQ(ValidUtf8("a\x80z"), "a" + bad + "z");                  // continuation without lead
  EXPECT_EQ(ValidUtf8("\xC3"), bad);                                // cut off
  EXPECT_EQ(ValidUtf8("\xC0\xAF"), bad + bad);                      // overlong
  EXPECT_EQ(ValidUtf8("\xE0\x80\xAF"), bad + bad + bad);            // overlong
  EXPECT_EQ(ValidUtf8("\xED\xA0\x80"), bad + bad + bad);            // surrogate
  EXPECT_EQ(ValidUtf8("\xF4\x90\x80\x80"), bad + bad + bad + bad);  // beyond U+10FFFF
  EXPECT_EQ(ValidUtf8("\xF0\x80\x80\x80"), bad + bad + bad + bad);  // overlong
  EXPECT_EQ(ValidUtf8("\xFFok"), bad + "ok");
}

TEST(Shortened, CutsBetweenCharacters) {
  EXPECT_EQ(Shortened("12345678", 8), "12345678");
  EXPECT_EQ(Shortened("123456789", 8), "12345...");
  EXPECT_EQ(Shortened("1234\u20ac789", 8), "1234...");
}

TEST(Time, GoesOverWithoutRounding) {
  EXPECT_EQ(ToTimestamp(1'700'000'000'123'456'789ULL).seconds(), 1'700'000'000);
  EXPECT_EQ(ToTimestamp(1'700'000'000'123'456'789ULL).nanos(), 123'456'789);
  Violations violations;
  for (const std::int64_t ms : {0L, 1L, 999L, 1000L, 90'061'001L}) {
    EXPECT_EQ(FromProto(ToProto(std::chrono::milliseconds(ms)), "x", violations).count(), ms);
  }
  EXPECT_TRUE(violations.empty());
}

TEST(Duration, RefusesWhatMillisecondsCannotHold) {
  struct Case {
    std::int64_t seconds;
    std::int32_t nanos;
  };
  for (const Case& c :
       {Case{-1, 0}, {0, -1'000'000}, {0, 1}, {0, 1'500'000}, {0, 1'000'000'000}, {315'576'000'001, 0}}) {
    google::protobuf::Duration duration;
    duration.set_seconds(c.seconds);
    duration.set_nanos(c.nanos);
    Violations violations;
    EXPECT_EQ(FromProto(duration, "sink.spec.timeout", violations).count(), 0);
    ASSERT_EQ(violations.size(), 1U) << c.seconds << " " << c.nanos;
    EXPECT_EQ(violations[0].path, "sink.spec.timeout");
  }
}

TEST(Paths, AreJoinedAsTheRequestWritesThem) {
  EXPECT_EQ(Below("", "name"), "name");
  EXPECT_EQ(Below(At(Below("table", "targets"), 2), "ports"), "table.targets[2].ports");
  const Violations moved = Under("table", {{"targets[0].name", "is required"}});
  EXPECT_EQ(moved[0].path, "table.targets[0].name");
  EXPECT_EQ(moved[0].description, "is required");
}

}  // namespace
}  // namespace probed::control
