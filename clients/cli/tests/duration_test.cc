// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "clients/cli/lib/duration.h"

#include <gmock/gmock.h>

namespace probed::cli {
namespace {

using namespace std::chrono_literals;

TEST(ParseDuration, TakesUnitsAndSums) {
  EXPECT_EQ(ParseDuration("200ms"), 200ms);
  EXPECT_EQ(ParseDuration("5s"), 5s);
  EXPECT_EQ(ParseDuration("1m30s"), 90s);
  EXPECT_EQ(ParseDuration("1.5h"), 90min);
  EXPECT_EQ(ParseDuration("2d"), 48h);
  EXPECT_EQ(ParseDuration("0"), 0s);
}

TEST(ParseDuration, RefusesTheRest) {
  for (const char* text : {"", "5", "s", "-1s", "5 s", "5x", "1s5", "ms", "1e3s", "400000d"}) {
    EXPECT_EQ(ParseDuration(text), std::nullopt) << text;
  }
}

TEST(FormatDuration, IsExactAndReadsBack) {
  EXPECT_EQ(FormatDuration(200ms), "200ms");
  EXPECT_EQ(FormatDuration(5s), "5s");
  EXPECT_EQ(FormatDuration(90s), "90s");
  EXPECT_EQ(FormatDuration(300s), "5m");
  EXPECT_EQ(FormatDuration(0s), "0s");
  for (const std::chrono::nanoseconds value : {1ns, std::chrono::nanoseconds(1001us), std::chrono::nanoseconds(86400s)})
    EXPECT_EQ(ParseDuration(FormatDuration(value)), value);
}

TEST(HumanDuration, HasThreeDigits) {
  EXPECT_EQ(HumanDuration(999ns), "999ns");
  EXPECT_EQ(HumanDuration(1234567ns), "1.23ms");
  EXPECT_EQ(HumanDuration(100300us), "100ms");
  EXPECT_EQ(HumanDuration(45600us), "45.6ms");
  EXPECT_EQ(HumanDuration(2500ms), "2.50s");
}

}  // namespace
}  // namespace probed::cli
