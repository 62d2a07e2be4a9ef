// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/export/sink.h"

#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

#include "server/export/tests/fake_transport.h"

namespace probed::exporter {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;

SteadyTime In(milliseconds time) { return std::chrono::steady_clock::now() + time; }

SinkSettings Fast() {
  SinkSettings settings;
  settings.retry.initial_interval = milliseconds(1);
  settings.retry.max_interval = milliseconds(2);
  settings.retry.randomization = 0;
  settings.queue_batches = 10;
  settings.timeout = seconds(7);
  return settings;
}

class SinkTest : public testing::Test {
 protected:
  void ExpectClosed(const Sink& sink) {
    const RetryCounts counts = sink.stats().items;
    EXPECT_EQ(counts.offered, counts.queued + counts.sent + counts.rejected + counts.AllDropped());
  }

  FakeReceiver receiver_;
  Sink sink_{"s", Fast(), std::make_unique<FakeTransport>(receiver_)};
};

TEST_F(SinkTest, SendsWhatIsOffered) {
  EXPECT_EQ(sink_.stats().state, "idle");
  for (std::uint32_t items = 1; items <= 5; ++items) sink_.Offer(FakeBatch(items));
  EXPECT_TRUE(sink_.Flush(In(seconds(10))).ok());
  EXPECT_THAT(receiver_.Attempts(), ElementsAre(1, 2, 3, 4, 5));
  EXPECT_EQ(sink_.stats().items.sent, 15U);
  EXPECT_EQ(sink_.stats().state, "ok");
  EXPECT_EQ(receiver_.Timeouts()[0], seconds(7));
}

TEST_F(SinkTest, DoesNotTakeEmptyBatches) {
  sink_.Offer(nullptr);
  sink_.Offer(FakeBatch(0));
  EXPECT_TRUE(sink_.Flush(In(seconds(1))).ok());
  EXPECT_THAT(receiver_.Attempts(), testing::IsEmpty());
}

TEST_F(SinkTest, RetriesAndRecovers) {
  receiver_.Answer(AttemptResult::Retryable("connection refused"));
  receiver_.Answer(AttemptResult::Timeout("no answer"));
  sink_.Offer(FakeBatch(4));
  EXPECT_TRUE(sink_.Flush(In(seconds(10))).ok());
  EXPECT_THAT(receiver_.Attempts(), ElementsAre(4, 4, 4));
  const SinkStats stats = sink_.stats();
  EXPECT_EQ(stats.state, "ok");
  EXPECT_EQ(stats.last_error, "no answer");
  EXPECT_EQ(stats.attempts, 3U);
  EXPECT_EQ(stats.items.sent, 4U);
}

TEST_F(SinkTest, CountsPartialSuccessAndRefusals) {
  receiver_.Answer(AttemptResult::Partial(2, "old"));
  receiver_.Answer(AttemptResult::Permanent("bad request"));
  sink_.Offer(FakeBatch(5));
  EXPECT_TRUE(sink_.Flush(In(seconds(10))).ok());
  EXPECT_EQ(sink_.stats().state, "ok");
  EXPECT_THAT(sink_.stats().last_error, testing::HasSubstr("old"));
  sink_.Offer(FakeBatch(6));
  EXPECT_TRUE(sink_.Flush(In(seconds(10))).ok());
  EXPECT_EQ(sink_.stats().state, "failing");
  EXPECT_EQ(sink_.stats().items.rejected, 2U);
  EXPECT_EQ(sink_.stats().items.Dropped(DropReason::kPermanent), 6U);
  ExpectClosed(sink_);
}

TEST_F(SinkTest, OfferNeverWaitsForAHangingReceiver) {
  receiver_.Hold(true);
  sink_.Offer(FakeBatch(1));
  receiver_.WaitForAttempts(1);
  EXPECT_EQ(sink_.stats().in_flight_items, 1U);
  for (int i = 0; i < 1000; ++i) sink_.Offer(FakeBatch(1));
  EXPECT_EQ(sink_.stats().items.queued, 10U);
  EXPECT_EQ(sink_.stats().items.Dropped(DropReason::kQueueFull), 991U);
  receiver_.Hold(false);
  EXPECT_TRUE(sink_.Flush(In(seconds(10))).ok());
  ExpectClosed(sink_);
}

TEST_F(SinkTest, FlushSaysHowMuchIsLeft) {
  receiver_.Hold(true);
  sink_.Offer(FakeBatch(3));
  const Status status = sink_.Flush(In(milliseconds(20)));
  EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_THAT(std::string(Message(status)), testing::HasSubstr("3 items"));
  receiver_.Hold(false);
}

TEST_F(SinkTest, StopFlushesFirst) {
  for (int i = 0; i < 5; ++i) sink_.Offer(FakeBatch(2));
  EXPECT_TRUE(sink_.Stop(In(seconds(10))).ok());
  EXPECT_EQ(sink_.stats().items.sent, 10U);
  sink_.Offer(FakeBatch(3));
  EXPECT_EQ(sink_.stats().items.Dropped(DropReason::kShutdown), 3U);
  EXPECT_TRUE(sink_.Stop(In(seconds(1))).ok());
}

TEST_F(SinkTest, StopCancelsWhatHangsAtTheDeadline) {
  receiver_.Hold(true);
  sink_.Offer(FakeBatch(2));
  sink_.Offer(FakeBatch(3));
  receiver_.WaitForAttempts(1);
  const auto began = std::chrono::steady_clock::now();
  EXPECT_EQ(sink_.Stop(In(milliseconds(50))).code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_LT(std::chrono::steady_clock::now() - began, seconds(5));
  EXPECT_EQ(sink_.stats().items.Dropped(DropReason::kShutdown), 5U);
  ExpectClosed(sink_);
}

TEST_F(SinkTest, AttemptsDuringAStopEndAtItsDeadline) {
  receiver_.Hold(true);
  sink_.Offer(FakeBatch(1));
  sink_.Offer(FakeBatch(2));
  receiver_.WaitForAttempts(1);
  std::thread stopper([&] { IgnoreError(sink_.Stop(In(seconds(3))), "counted"); });
  while (true) {  // the deadline is set once Offer is refused
    sink_.Offer(FakeBatch(1));
    if (sink_.stats().items.Dropped(DropReason::kShutdown) > 0) break;
    std::this_thread::yield();
  }
  receiver_.Hold(false);
  stopper.join();
  EXPECT_LE(receiver_.Timeouts().at(1), seconds(3));
}

TEST_F(SinkTest, ReconfigureKeepsTheQueueAndSwitchesTheTransport) {
  receiver_.Hold(true);
  for (std::uint32_t items = 1; items <= 3; ++items) sink_.Offer(FakeBatch(items));
  receiver_.WaitForAttempts(1);
  FakeReceiver second;
  sink_.Reconfigure(Fast(), std::make_unique<FakeTransport>(second));
  receiver_.Hold(false);
  EXPECT_TRUE(sink_.Flush(In(seconds(10))).ok());
  EXPECT_THAT(receiver_.Attempts(), ElementsAre(1));
  EXPECT_THAT(second.Attempts(), ElementsAre(2, 3));
  EXPECT_EQ(sink_.stats().items.sent, 6U);
  EXPECT_TRUE(sink_.Stop(In(seconds(1))).ok());
}

TEST_F(SinkTest, ReconfigureEndsALongBackoff) {
  SinkSettings slow = Fast();
  slow.retry.initial_interval = slow.retry.max_interval = seconds(3600);
  slow.retry.max_elapsed = seconds(0);
  sink_.Reconfigure(slow, std::make_unique<FakeTransport>(receiver_));
  receiver_.Answer(AttemptResult::Retryable("down"));
  sink_.Offer(FakeBatch(1));
  receiver_.WaitForAttempts(1);
  while (sink_.stats().state != "retrying") std::this_thread::yield();
  sink_.Reconfigure(Fast(), std::make_unique<FakeTransport>(receiver_));
  EXPECT_TRUE(sink_.Flush(In(seconds(10))).ok());
  EXPECT_EQ(sink_.stats().items.sent, 1U);
}

TEST_F(SinkTest, ManyThreadsOfferAtOnce) {
  SinkSettings large = Fast();
  large.queue_batches = 100000;
  sink_.Reconfigure(large, std::make_unique<FakeTransport>(receiver_));
  std::vector<std::thread> threads;
  threads.reserve(4);
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < 1000; ++n) sink_.Offer(FakeBatch(1));
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_TRUE(sink_.Flush(In(seconds(30))).ok());
  EXPECT_EQ(sink_.stats().items.sent, 4000U);
}

/// How often the thread of that name went to sleep so far; each wake-up adds one.
std::uint64_t SleepsOf(const std::string& thread_name) {
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    std::ifstream comm(task.path() / "comm");
    std::string name;
    if (!std::getline(comm, name) || name != thread_name) continue;
    std::ifstream status(task.path() / "status");
    for (std::string line; std::getline(status, line);) {
      if (line.starts_with("voluntary_ctxt_switches:")) return std::stoull(line.substr(line.find(':') + 1));
    }
  }
  return 0;
}

TEST(SinkIdle, SleepsWithoutWakingUp) {
  FakeReceiver receiver;
  Sink sink("idle", Fast(), std::make_unique<FakeTransport>(receiver));
  sink.Offer(FakeBatch(1));
  ASSERT_TRUE(sink.Flush(In(seconds(10))).ok());
  // Three equal readings in a row over 300 ms; a thread that polls never gives them.
  std::uint64_t sleeps = 0;
  int equal = 0;
  for (int i = 0; i < 50 && equal < 3; ++i) {
    const std::uint64_t now = SleepsOf("sink:idle");
    equal = now == sleeps ? equal + 1 : 0;
    sleeps = now;
    std::this_thread::sleep_for(milliseconds(100));
  }
  EXPECT_GT(sleeps, 0U);
  EXPECT_EQ(equal, 3);
}

}  // namespace
}  // namespace probed::exporter
