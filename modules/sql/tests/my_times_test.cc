// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "modules/sql/decode/my_times.h"

#include <gmock/gmock.h>

#include <string>

#include "modules/sql/tests/my_messages.h"

namespace probed::mod::sql::my {
namespace {

using testing::my::L;

std::string Date(unsigned year, unsigned month, unsigned day) { return L(year, 2) + L(month, 1) + L(day, 1); }
std::string Clock(unsigned hour, unsigned minute, unsigned second) { return L(hour, 1) + L(minute, 1) + L(second, 1); }
std::string Duration(unsigned negative, unsigned days, const std::string& clock) {
  return L(negative, 1) + L(days, 4) + clock;
}

std::string Of(std::string_view (*write)(std::string_view, TimeText&), const std::string& bytes) {
  TimeText text;
  return std::string(write(bytes, text));
}

TEST(MyTimes, DatesOfEachLength) {
  EXPECT_EQ(Of(DateText, ""), "0000-00-00");
  EXPECT_EQ(Of(DateText, Date(2024, 2, 29)), "2024-02-29");
  EXPECT_EQ(Of(DateText, Date(33, 1, 0)), "0033-01-00");
  EXPECT_EQ(Of(DateText, Date(2024, 2, 29) + Clock(1, 2, 3)), "2024-02-29");
  EXPECT_EQ(Of(DateText, Date(2024, 2, 29) + Clock(1, 2, 3) + L(4, 4)), "2024-02-29");
}

TEST(MyTimes, DatesWithTimesOfEachLength) {
  EXPECT_EQ(Of(DateTimeText, ""), "0000-00-00 00:00:00");
  EXPECT_EQ(Of(DateTimeText, Date(2024, 2, 29)), "2024-02-29 00:00:00");
  EXPECT_EQ(Of(DateTimeText, Date(2024, 2, 29) + Clock(13, 4, 5)), "2024-02-29 13:04:05");
  EXPECT_EQ(Of(DateTimeText, Date(2024, 2, 29) + Clock(13, 4, 5) + L(60, 4)), "2024-02-29 13:04:05.000060");
  EXPECT_EQ(Of(DateTimeText, Date(9999, 12, 31) + Clock(23, 59, 59) + L(999'999, 4)), "9999-12-31 23:59:59.999999");
  EXPECT_EQ(Of(DateTimeText, Date(2024, 2, 29) + Clock(0, 0, 0) + L(0, 4)), "2024-02-29 00:00:00");
}

TEST(MyTimes, DurationsOfEachLength) {
  EXPECT_EQ(Of(DurationText, ""), "00:00:00");
  EXPECT_EQ(Of(DurationText, Duration(0, 0, Clock(1, 2, 3))), "01:02:03");
  EXPECT_EQ(Of(DurationText, Duration(1, 0, Clock(1, 2, 3))), "-01:02:03");
  EXPECT_EQ(Of(DurationText, Duration(1, 5, Clock(1, 2, 3)) + L(450'000, 4)), "-121:02:03.450000");
  EXPECT_EQ(Of(DurationText, Duration(1, 0, Clock(121, 2, 3))), "-121:02:03");
  EXPECT_EQ(Of(DurationText, Duration(0, 34, Clock(22, 59, 59)) + L(999'999, 4)), "838:59:59.999999");
}

TEST(MyTimes, OtherLengthsAreNone) {
  for (std::size_t size = 1; size < 300; ++size) {
    const std::string zeros(size, '\0');
    EXPECT_EQ(Of(DateText, zeros).empty(), size != 4 && size != 7 && size != 11) << size;
    EXPECT_EQ(Of(DateTimeText, zeros).empty(), size != 4 && size != 7 && size != 11) << size;
    EXPECT_EQ(Of(DurationText, zeros).empty(), size != 8 && size != 12) << size;
  }
}

TEST(MyTimes, NumbersThatNoTimeHas) {
  EXPECT_EQ(Of(DateText, Date(10'000, 1, 1)), "");
  EXPECT_EQ(Of(DateText, Date(2024, 13, 1)), "");
  EXPECT_EQ(Of(DateText, Date(2024, 1, 32)), "");
  EXPECT_EQ(Of(DateTimeText, Date(2024, 1, 1) + Clock(24, 0, 0)), "");
  EXPECT_EQ(Of(DateTimeText, Date(2024, 1, 1) + Clock(0, 60, 0)), "");
  EXPECT_EQ(Of(DateTimeText, Date(2024, 1, 1) + Clock(0, 0, 60)), "");
  EXPECT_EQ(Of(DateTimeText, Date(2024, 1, 1) + Clock(0, 0, 0) + L(1'000'000, 4)), "");
  EXPECT_EQ(Of(DurationText, Duration(0, 34, Clock(23, 0, 0))), "");
  EXPECT_EQ(Of(DurationText, Duration(0, 35, Clock(0, 0, 0))), "");
  EXPECT_EQ(Of(DurationText, Duration(0, 0xffffffff, Clock(23, 59, 59)) + L(0xffffffff, 4)), "");
  for (const std::size_t size : {4U, 7U, 11U}) EXPECT_EQ(Of(DateTimeText, std::string(size, '\xff')), "");
}

}  // namespace
}  // namespace probed::mod::sql::my
