// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/config/units.h"

#include <gtest/gtest.h>

namespace probed::config {
namespace {

using std::chrono::milliseconds;

TEST(Units, ReadsDurations) {
  EXPECT_EQ(ParseDuration("5s"), milliseconds(5000));
  EXPECT_EQ(ParseDuration("200ms"), milliseconds(200));
  EXPECT_EQ(ParseDuration("1h30m"), milliseconds(5'400'000));
  EXPECT_EQ(ParseDuration("0"), milliseconds(0));
}

TEST(Units, RefusesWhatIsNoDuration) {
  for (const char* text : {"", "5", "s", "5 s", "-5s", "5x", "1.5s", "99999999999999999999s", "9999999h"}) {
    EXPECT_EQ(ParseDuration(text), std::nullopt) << text;
  }
}

TEST(Units, ReadsSizes) {
  EXPECT_EQ(ParseSize("4096"), 4096U);
  EXPECT_EQ(ParseSize("2MiB"), 2U << 20U);
  EXPECT_EQ(ParseSize("64 KiB"), 64U << 10U);
  EXPECT_EQ(ParseSize("1MB"), 1'000'000U);
}

TEST(Units, RefusesWhatIsNoSize) {
  for (const char* text : {"", "MiB", "2mib", "2XiB", "-1", "99999999999999999999", "18446744073709551615KiB"}) {
    EXPECT_EQ(ParseSize(text), std::nullopt) << text;
  }
}

TEST(Units, FormatsSoThatItReadsBack) {
  for (const int ms : {0, 1, 200, 1500, 5000, 60'000, 5'400'000}) {
    EXPECT_EQ(ParseDuration(FormatDuration(milliseconds(ms))), milliseconds(ms));
  }
  for (const std::uint64_t bytes : {0ULL, 1ULL, 4095ULL, 4096ULL, 100ULL << 20U, 3ULL << 30U}) {
    EXPECT_EQ(ParseSize(FormatSize(bytes)), bytes);
  }
}

}  // namespace
}  // namespace probed::config
