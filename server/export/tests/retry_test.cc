// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Scripts: an event, the next action, the next event. Time is a number.
#include "server/export/retry.h"

#include <gmock/gmock.h>

#include <memory>

namespace probed::exporter {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Kind = RetryAction::Kind;

BatchPtr Items(std::uint32_t items) {
  auto batch = std::make_shared<Batch>();
  batch->items = items;
  return batch;
}

config::Retry Exact() {
  config::Retry retry;
  retry.initial_interval = seconds(1);
  retry.max_interval = seconds(8);
  retry.max_elapsed = seconds(60);
  retry.multiplier = 2;
  retry.randomization = 0;
  return retry;
}

class RetryTest : public testing::Test {
 public:
  explicit RetryTest(config::Retry retry = Exact(), std::uint64_t capacity = 3) : queue_(retry, capacity, 1) {}

  ~RetryTest() override {
    const RetryCounts& counts = queue_.counts();
    EXPECT_EQ(counts.offered, counts.queued + counts.sent + counts.rejected + counts.AllDropped());
  }

  Kind Next() { return queue_.Next(now_).kind; }
  std::uint32_t Sends() {
    const RetryAction action = queue_.Next(now_);
    return action.kind == Kind::kSend ? action.batch->items : 0;
  }
  Time WaitsUntil() {
    const RetryAction action = queue_.Next(now_);
    EXPECT_EQ(action.kind, Kind::kWaitUntil);
    return action.until;
  }
  void Result(const AttemptResult& result) { queue_.OnResult(result, now_); }
  /// Fails the head once and says how long it then waits.
  Time FailAndWait(std::optional<milliseconds> after = std::nullopt) {
    EXPECT_GT(Sends(), 0U);
    Result(AttemptResult::Retryable("down", after));
    return WaitsUntil() - now_;
  }
  std::uint64_t Dropped(DropReason reason) const { return queue_.counts().Dropped(reason); }

  RetryQueue queue_;
  Time now_ = seconds(1000);
};

TEST_F(RetryTest, SendsInOrderAndGoesIdle) {
  EXPECT_EQ(Next(), Kind::kIdle);
  queue_.Offer(Items(1));
  queue_.Offer(Items(2));
  EXPECT_EQ(Sends(), 1U);
  Result(AttemptResult::Ok());
  EXPECT_EQ(Sends(), 2U);
  EXPECT_EQ(queue_.counts().queued, 2U);
  Result(AttemptResult::Ok());
  EXPECT_EQ(Next(), Kind::kIdle);
  EXPECT_EQ(queue_.counts().sent, 3U);
}

TEST_F(RetryTest, BacksOffExponentiallyUpToTheLongest) {
  queue_.Offer(Items(5));
  for (const int expected : {1, 2, 4, 8, 8}) {
    const Time wait = FailAndWait();
    EXPECT_EQ(wait, seconds(expected));
    now_ += wait;
  }
  EXPECT_EQ(queue_.failures(), 5U);
  EXPECT_EQ(Sends(), 5U);
  Result(AttemptResult::Ok());
  EXPECT_EQ(queue_.counts().sent, 5U);
}

TEST_F(RetryTest, StartsTheBackoffAnewForTheNextBatch) {
  queue_.Offer(Items(1));
  queue_.Offer(Items(2));
  now_ += FailAndWait();
  now_ += FailAndWait();
  EXPECT_EQ(Sends(), 1U);
  Result(AttemptResult::Ok());
  EXPECT_EQ(FailAndWait(), seconds(1));
}

TEST_F(RetryTest, WaitsToTheNanosecond) {
  queue_.Offer(Items(1));
  const Time until = now_ + FailAndWait();
  now_ = until - Time(1);
  EXPECT_EQ(Next(), Kind::kWaitUntil);
  now_ = until;
  EXPECT_EQ(Next(), Kind::kSend);
}

TEST_F(RetryTest, TheReceiversWishIsALowerBoundOnly) {
  queue_.Offer(Items(1));
  EXPECT_EQ(FailAndWait(milliseconds(7500)), milliseconds(7500));
  now_ += milliseconds(7500);
  EXPECT_EQ(FailAndWait(milliseconds(10)), seconds(2));
}

TEST_F(RetryTest, TimeoutsAreRetried) {
  queue_.Offer(Items(1));
  EXPECT_EQ(Sends(), 1U);
  Result(AttemptResult::Timeout("no answer"));
  EXPECT_EQ(WaitsUntil() - now_, seconds(1));
}

TEST_F(RetryTest, PartialSuccessIsNeverRetried) {
  queue_.Offer(Items(10));
  EXPECT_EQ(Sends(), 10U);
  Result(AttemptResult::Partial(3, "three too old"));
  EXPECT_EQ(Next(), Kind::kIdle);
  EXPECT_EQ(queue_.counts().sent, 7U);
  EXPECT_EQ(queue_.counts().rejected, 3U);
}

TEST_F(RetryTest, AReceiverCannotRejectMoreThanItGot) {
  queue_.Offer(Items(4));
  EXPECT_EQ(Sends(), 4U);
  Result(AttemptResult::Partial(1'000'000, ""));
  EXPECT_EQ(queue_.counts().rejected, 4U);
  EXPECT_EQ(queue_.counts().sent, 0U);
}

TEST_F(RetryTest, PermanentErrorsDropAtOnceAndTheNextGoesOut) {
  queue_.Offer(Items(4));
  queue_.Offer(Items(5));
  EXPECT_EQ(Sends(), 4U);
  Result(AttemptResult::Permanent("400"));
  EXPECT_EQ(Dropped(DropReason::kPermanent), 4U);
  EXPECT_EQ(Sends(), 5U);
}

TEST_F(RetryTest, AFullQueueDropsTheOldest) {
  for (std::uint32_t items = 1; items <= 5; ++items) queue_.Offer(Items(items));
  EXPECT_EQ(Dropped(DropReason::kQueueFull), 1U + 2U);
  EXPECT_EQ(Sends(), 3U);
}

TEST_F(RetryTest, AFullQueueNeverDropsWhatIsBeingSent) {
  queue_.Offer(Items(1));
  EXPECT_EQ(Sends(), 1U);
  for (std::uint32_t items = 2; items <= 5; ++items) queue_.Offer(Items(items));
  EXPECT_EQ(Dropped(DropReason::kQueueFull), 2U + 3U);
  Result(AttemptResult::Ok());
  EXPECT_EQ(Sends(), 4U);
}

TEST_F(RetryTest, DroppingTheHeadKeepsTheWaitButForgetsItsAge) {
  queue_.Offer(Items(1));
  const Time until = now_ + FailAndWait(milliseconds(30000));
  for (std::uint32_t items = 2; items <= 4; ++items) queue_.Offer(Items(items));
  EXPECT_EQ(Dropped(DropReason::kQueueFull), 1U);
  EXPECT_EQ(WaitsUntil(), until);
  now_ = until;
  EXPECT_EQ(queue_.failures(), 0U);
  EXPECT_EQ(FailAndWait(milliseconds(50000)), seconds(50));  // 80 s after the first head's attempt: not expired
}

TEST_F(RetryTest, ExpiresWhenTheNextAttemptWouldBeTooLate) {
  queue_.Offer(Items(6));
  queue_.Offer(Items(7));
  for (Time waited{}; waited + seconds(8) <= seconds(60);) {
    const Time wait = FailAndWait();
    waited += wait;
    now_ += wait;
  }
  EXPECT_EQ(Sends(), 6U);
  Result(AttemptResult::Retryable("down"));
  EXPECT_EQ(Dropped(DropReason::kRetryExpired), 6U);
  EXPECT_EQ(Sends(), 7U);
}

TEST_F(RetryTest, AWishBeyondTheEndExpiresTheBatchAndBindsTheNext) {
  queue_.Offer(Items(6));
  queue_.Offer(Items(7));
  EXPECT_EQ(Sends(), 6U);
  Result(AttemptResult::Retryable("busy", seconds(100)));
  EXPECT_EQ(Dropped(DropReason::kRetryExpired), 6U);
  EXPECT_EQ(WaitsUntil() - now_, seconds(100));
}

TEST_F(RetryTest, ShutdownFlushesThenStops) {
  queue_.Offer(Items(1));
  queue_.Shutdown(now_ + seconds(5));
  EXPECT_EQ(Sends(), 1U);
  Result(AttemptResult::Ok());
  EXPECT_EQ(Next(), Kind::kStopped);
}

TEST_F(RetryTest, ShutdownDropsWhatIsLeftAtTheDeadline) {
  queue_.Offer(Items(1));
  queue_.Offer(Items(2));
  FailAndWait(milliseconds(30000));
  queue_.Shutdown(now_ + seconds(5));
  EXPECT_EQ(WaitsUntil() - now_, seconds(5));
  now_ += seconds(5);
  EXPECT_EQ(Next(), Kind::kStopped);
  EXPECT_EQ(Dropped(DropReason::kShutdown), 3U);
  queue_.Offer(Items(9));
  EXPECT_EQ(Dropped(DropReason::kShutdown), 12U);
}

TEST_F(RetryTest, AnAttemptUnderWayAtTheDeadlineStillCounts) {
  queue_.Offer(Items(1));
  queue_.Offer(Items(2));
  EXPECT_EQ(Sends(), 1U);
  queue_.Shutdown(now_);
  Result(AttemptResult::Ok());
  EXPECT_EQ(Next(), Kind::kStopped);
  EXPECT_EQ(queue_.counts().sent, 1U);
  EXPECT_EQ(Dropped(DropReason::kShutdown), 2U);
}

TEST_F(RetryTest, ReconfigureTriesAtOnceAndTrims) {
  for (std::uint32_t items = 1; items <= 3; ++items) queue_.Offer(Items(items));
  FailAndWait();
  queue_.Reconfigure(Exact(), 2);
  EXPECT_EQ(Dropped(DropReason::kQueueFull), 1U);
  EXPECT_EQ(Sends(), 2U);
}

TEST_F(RetryTest, ReconfigureDuringAnAttemptKeepsIt) {
  for (std::uint32_t items = 1; items <= 3; ++items) queue_.Offer(Items(items));
  EXPECT_EQ(Sends(), 1U);
  queue_.Reconfigure(Exact(), 1);
  Result(AttemptResult::Retryable("down"));
  EXPECT_EQ(queue_.counts().queued, 1U);
}

class NoRetryTest : public RetryTest {
 protected:
  NoRetryTest() : RetryTest(Disabled()) {}
  static config::Retry Disabled() {
    config::Retry retry = Exact();
    retry.enabled = false;
    return retry;
  }
};

TEST_F(NoRetryTest, DropsAfterOneFailureButHonoursTheWishForTheNext) {
  queue_.Offer(Items(1));
  queue_.Offer(Items(2));
  queue_.Offer(Items(3));
  EXPECT_EQ(Sends(), 1U);
  Result(AttemptResult::Retryable("down"));
  EXPECT_EQ(Dropped(DropReason::kRetryDisabled), 1U);
  EXPECT_EQ(Sends(), 2U);
  Result(AttemptResult::Retryable("busy", seconds(3)));
  EXPECT_EQ(WaitsUntil() - now_, seconds(3));
}

class ForeverTest : public RetryTest {
 protected:
  ForeverTest() : RetryTest(Forever()) {}
  static config::Retry Forever() {
    config::Retry retry = Exact();
    retry.max_elapsed = seconds(0);
    return retry;
  }
};

TEST_F(ForeverTest, NeverExpires) {
  queue_.Offer(Items(1));
  for (int i = 0; i < 1000; ++i) now_ += FailAndWait();
  EXPECT_EQ(queue_.counts().queued, 1U);
}

class JitterTest : public RetryTest {
 protected:
  JitterTest() : RetryTest(Jittered()) {}
  static config::Retry Jittered() {
    config::Retry retry = Exact();
    retry.randomization = 0.5;
    retry.multiplier = 1;
    retry.max_elapsed = seconds(0);
    return retry;
  }
};

TEST_F(JitterTest, SpreadsAroundTheInterval) {
  queue_.Offer(Items(1));
  Time shortest = Time::max();
  Time longest = Time::min();
  for (int i = 0; i < 500; ++i) {
    const Time wait = FailAndWait();
    shortest = std::min(shortest, wait);
    longest = std::max(longest, wait);
    now_ += wait;
  }
  EXPECT_GE(shortest, milliseconds(500));
  EXPECT_LE(longest, milliseconds(1500));
  EXPECT_LT(shortest, milliseconds(600));
  EXPECT_GT(longest, milliseconds(1400));
}

TEST(RetryQueue, EveryItemEndsInExactlyOnePlaceWhateverHappens) {
  std::mt19937_64 random(7);
  config::Retry retry = Exact();
  RetryQueue queue(retry, 4, 3);
  Time now = seconds(1);
  bool sending = false;
  for (int step = 0; step < 20000; ++step) {
    const auto choice = random() % 8;
    if (choice < 2) queue.Offer(Items(static_cast<std::uint32_t>(1 + random() % 9)));
    if (choice == 2) now += milliseconds(random() % 20000);
    if (!sending && choice >= 3) sending = queue.Next(now).kind == Kind::kSend;
    if (sending && choice >= 5) {
      const AttemptResult results[] = {AttemptResult::Ok(), AttemptResult::Partial(random() % 12, ""),
                                       AttemptResult::Retryable(""), AttemptResult::Permanent(""),
                                       AttemptResult::Timeout("")};
      queue.OnResult(results[random() % 5], now);
      sending = false;
    }
    if (step == 19000) queue.Shutdown(now + seconds(30));
    const RetryCounts& counts = queue.counts();
    ASSERT_EQ(counts.offered, counts.queued + counts.sent + counts.rejected + counts.AllDropped()) << step;
  }
  for (std::size_t i = 0; i < kDropReasons; ++i) {
    if (static_cast<DropReason>(i) == DropReason::kRetryDisabled) continue;
    EXPECT_GT(queue.counts().dropped[i], 0U) << DropReasonName(static_cast<DropReason>(i));
  }
}

}  // namespace
}  // namespace probed::exporter
