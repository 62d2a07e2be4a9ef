// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/pipeline/utc_clock.h"

#include <gmock/gmock.h>

namespace probed::pipeline {
namespace {

constexpr std::uint64_t kMs = 1'000'000;
constexpr std::uint64_t kSecond = 1000 * kMs;
constexpr std::uint64_t kEpoch = 1'700'000'000 * kSecond;

class FakeClock final : public Clock {
 public:
  std::uint64_t KtimeNs() const override {
    const std::uint64_t now = ktime_ns;
    ktime_ns += read_cost_ns;
    return now;
  }
  std::uint64_t UtcNs() const override { return ktime_ns + static_cast<std::uint64_t>(offset_ns); }

  mutable std::uint64_t ktime_ns = 100 * kSecond;
  std::uint64_t read_cost_ns = 0;
  std::int64_t offset_ns = static_cast<std::int64_t>(kEpoch);
};

TEST(UtcClock, StartsExactly) {
  FakeClock machine;
  const UtcClock clock(machine);
  EXPECT_EQ(clock.ToUtc(machine.ktime_ns), kEpoch + 100 * kSecond);
  EXPECT_EQ(clock.ToUtc(machine.ktime_ns - kSecond), kEpoch + 99 * kSecond);
}

TEST(UtcClock, FollowsAStepAtOnce) {
  for (const std::int64_t step : {std::int64_t{3600} * 1'000'000'000, std::int64_t{-3600} * 1'000'000'000}) {
    FakeClock machine;
    UtcClock clock(machine);
    machine.ktime_ns += 5 * kMs;
    machine.offset_ns += step;
    clock.Sample();
    EXPECT_EQ(clock.offset_ns(), machine.offset_ns);
    EXPECT_EQ(clock.steps(), 1U);
  }
}

TEST(UtcClock, FollowsDriftSlowlyAndArrives) {
  FakeClock machine;
  UtcClock clock(machine);
  machine.offset_ns -= static_cast<std::int64_t>(50 * kMs);
  std::int64_t before = clock.offset_ns();
  for (int i = 0; i < 20'200; ++i) {
    machine.ktime_ns += 5 * kMs;
    clock.Sample();
    ASSERT_LE(before - clock.offset_ns(), 2500);  // 500 ppm of 5 ms
    ASSERT_LE(clock.offset_ns(), before);
    before = clock.offset_ns();
  }
  EXPECT_NEAR(static_cast<double>(clock.offset_ns() - machine.offset_ns), 0, UtcClock::kNoiseNs);
  EXPECT_EQ(clock.steps(), 0U);
}

TEST(UtcClock, TimesStayInOrderWhileItFollows) {
  FakeClock machine;
  UtcClock clock(machine);
  machine.offset_ns -= static_cast<std::int64_t>(99 * kMs);
  std::uint64_t last = 0;
  for (int i = 0; i < 1000; ++i) {
    machine.ktime_ns += 5 * kMs;
    clock.Sample();
    const std::uint64_t utc = clock.ToUtc(machine.ktime_ns);
    ASSERT_GT(utc, last);
    last = utc;
  }
}

TEST(UtcClock, NoiseMovesNothing) {
  FakeClock machine;
  UtcClock clock(machine);
  const std::int64_t before = clock.offset_ns();
  for (const int noise : {9'000, -9'000, 4'000}) {
    machine.ktime_ns += kSecond;
    machine.offset_ns = before + noise;
    clock.Sample();
    EXPECT_EQ(clock.offset_ns(), before);
  }
}

// Each read of ktime takes 1 ms here: UTC belongs to the middle between the two around it.
TEST(UtcClock, TakesTheMiddleOfASlowReading) {
  FakeClock machine;
  machine.read_cost_ns = kMs;
  const UtcClock clock(machine);
  EXPECT_NEAR(static_cast<double>(clock.offset_ns() - machine.offset_ns), static_cast<double>(kMs) / 2, 1);
}

TEST(UtcClock, LivesWithTheRealClocks) {
  UtcClock clock(SystemClock());
  clock.Sample();
  const std::uint64_t utc = clock.ToUtc(SystemClock().KtimeNs());
  EXPECT_NEAR(static_cast<double>(utc), static_cast<double>(SystemClock().UtcNs()), 1e9);
  EXPECT_EQ(clock.steps(), 0U);
}

}  // namespace
}  // namespace probed::pipeline
