// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/discovery/process_table.h"

#include <gmock/gmock.h>

#include <thread>

#include "server/discovery/tests/fake_proc.h"

namespace probed::discovery {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr std::uint64_t kSecond = 1'000'000'000;

class ProcessTableTest : public ::testing::Test {
 protected:
  ProcessPtr Find(std::uint32_t pid, std::uint64_t ticks) {
    return table_.Find(pid, ProcessKey{pid, ticks}.start_ns() + 7);
  }
  ProcessPtr Send(ProcessEventType type, std::uint32_t pid, std::uint64_t ticks, std::uint32_t parent = 0,
                  std::uint64_t now_ns = kSecond) {
    return table_.OnEvent({type, pid, parent, ProcessKey{pid, ticks}.start_ns() + 7}, now_ns);
  }
  ProcessPtr Fork(std::uint32_t parent, std::uint32_t pid, std::uint64_t ticks) {
    return Send(ProcessEventType::kFork, pid, ticks, parent);
  }
  ProcessPtr Exec(std::uint32_t pid, std::uint64_t ticks) { return Send(ProcessEventType::kExec, pid, ticks); }
  void Exit(std::uint32_t pid, std::uint64_t ticks, std::uint64_t now_ns) {
    Send(ProcessEventType::kExit, pid, ticks, 0, now_ns);
  }

  FakeProc fake_;
  ProcReader reader_{fake_.root()};
  ProcessTable table_{reader_, HostInfo{}, {.keep_after_exit = std::chrono::seconds(30)}};
};

TEST_F(ProcessTableTest, ScanFindsWhatExistedBefore) {
  fake_.Put({.pid = 10, .start_ticks = 5, .exe = "/bin/a"});
  table_.Scan(kSecond);
  fake_.Remove(10);
  EXPECT_EQ(Find(10, 5)->service_name, "a");
  EXPECT_TRUE(Find(10, 5)->known);
  EXPECT_EQ(table_.Snapshot().size(), 1U);
}

TEST_F(ProcessTableTest, ShortLifeIsKnownByItsExec) {
  fake_.Put({.pid = 10, .start_ticks = 5, .exe = "/bin/brief"});
  const ProcessPtr image = Exec(10, 5);
  ASSERT_TRUE(image);
  fake_.Remove(10);
  Exit(10, 5, 2 * kSecond);
  EXPECT_EQ(Find(10, 5), image);
  EXPECT_EQ(image->service_name, "brief");
}

TEST_F(ProcessTableTest, ForkedChildThatIsGoneIsItsParentsImage) {
  fake_.Put({.pid = 10, .start_ticks = 5, .exe = "/bin/server", .environ_text = "OTEL_SERVICE_NAME=shop"});
  table_.Scan(kSecond);
  Fork(10, 11, 900);
  Exit(11, 900, 2 * kSecond);
  const ProcessPtr child = Find(11, 900);
  EXPECT_EQ(child->service_name, "shop");
  EXPECT_EQ(child->info.key, (ProcessKey{11, 900}));
  EXPECT_EQ(child->info.parent, 10U);
  EXPECT_NE(child->id, Find(10, 5)->id);
  EXPECT_NE(child->instance_id, Find(10, 5)->instance_id);
}

TEST_F(ProcessTableTest, ForkedChildThatLivesIsReadAfresh) {
  fake_.Put({.pid = 10, .start_ticks = 5, .exe = "/bin/server"});
  table_.Scan(kSecond);
  Fork(10, 11, 900);
  fake_.Put({.pid = 11, .parent = 10, .start_ticks = 900, .exe = "/bin/server", .uid = 33});
  EXPECT_EQ(Find(11, 900)->info.uid, 33U);
}

TEST_F(ProcessTableTest, GrandchildOfGoneParentsKeepsTheImage) {
  fake_.Put({.pid = 10, .start_ticks = 5, .exe = "/bin/server"});
  table_.Scan(kSecond);
  Fork(10, 11, 900);
  Fork(11, 12, 901);
  EXPECT_EQ(Find(12, 901)->service_name, "server");
}

TEST_F(ProcessTableTest, ExecReplacesTheImage) {
  fake_.Put({.pid = 10, .start_ticks = 5, .exe = "/bin/sh"});
  table_.Scan(kSecond);
  const ProcessPtr before = Find(10, 5);
  fake_.Put({.pid = 10, .start_ticks = 5, .exe = "/bin/app"});
  const ProcessPtr after = Exec(10, 5);
  EXPECT_EQ(after->service_name, "app");
  EXPECT_EQ(Find(10, 5), after);
  EXPECT_EQ(before->service_name, "sh");
  EXPECT_EQ(before->instance_id, after->instance_id);
  EXPECT_THAT(table_.Expire(100 * kSecond), ElementsAre(before->id));
  EXPECT_EQ(Find(10, 5), after);
}

TEST_F(ProcessTableTest, ExecMovesTheEpochOfItsPid) {
  fake_.Put({.pid = 10, .start_ticks = 5, .exe = "/bin/sh"});
  const std::uint32_t before = table_.ExecEpoch(10);
  Find(10, 5);
  Fork(10, 11, 900);
  EXPECT_EQ(table_.ExecEpoch(10), before);
  Exec(10, 5);
  EXPECT_NE(table_.ExecEpoch(10), before);
  EXPECT_EQ(table_.ExecEpoch(11), before);
}

TEST_F(ProcessTableTest, ReusedPidIsAnotherProcess) {
  fake_.Put({.pid = 10, .start_ticks = 5, .exe = "/bin/a"});
  table_.Scan(kSecond);
  Exit(10, 5, kSecond);
  fake_.Put({.pid = 10, .start_ticks = 700, .exe = "/bin/b"});
  Exec(10, 700);
  EXPECT_EQ(Find(10, 5)->service_name, "a");
  EXPECT_EQ(Find(10, 700)->service_name, "b");
  EXPECT_EQ(table_.FindLatest(10)->service_name, "b");
}

TEST_F(ProcessTableTest, UnannouncedProcessIsReadOnce) {
  fake_.Put({.pid = 10, .start_ticks = 5, .exe = "/bin/a"});
  const ProcessPtr found = Find(10, 5);
  EXPECT_EQ(found->service_name, "a");
  fake_.Remove(10);
  EXPECT_EQ(Find(10, 5), found);
}

TEST_F(ProcessTableTest, GoneProcessIsAnswered) {
  fake_.Put({.pid = 10, .start_ticks = 900, .exe = "/bin/another-with-that-pid"});
  const ProcessPtr found = Find(10, 5);
  EXPECT_FALSE(found->known);
  EXPECT_EQ(found->service_name, "unknown_service");
  EXPECT_EQ(found->info.key.tgid, 10U);
  EXPECT_EQ(Find(10, 5), found);
}

TEST_F(ProcessTableTest, GoneProcessIsForgottenWithoutAnExit) {
  const std::uint64_t id = Find(10, 5)->id;
  EXPECT_THAT(table_.Expire(10 * kSecond), IsEmpty());
  EXPECT_THAT(table_.Expire(40 * kSecond), ElementsAre(id));
}

TEST_F(ProcessTableTest, EndedProcessStaysForLateSpansAndThenGoes) {
  fake_.Put({.pid = 10, .start_ticks = 5, .exe = "/bin/a"});
  table_.Scan(kSecond);
  const std::uint64_t id = Find(10, 5)->id;
  Exit(10, 5, 10 * kSecond);
  EXPECT_THAT(table_.Snapshot(), IsEmpty());
  EXPECT_THAT(table_.Expire(39 * kSecond), IsEmpty());
  EXPECT_EQ(Find(10, 5)->id, id);
  EXPECT_THAT(table_.Expire(40 * kSecond), ElementsAre(id));
  EXPECT_THAT(table_.Expire(90 * kSecond), IsEmpty());
  fake_.Remove(10);
  EXPECT_FALSE(Find(10, 5)->known);
}

TEST_F(ProcessTableTest, ScanTakesTheMissingAsExited) {
  fake_.Put({.pid = 10, .start_ticks = 5, .exe = "/bin/a"});
  table_.Scan(kSecond);
  const std::uint64_t id = Find(10, 5)->id;
  fake_.Remove(10);
  table_.Scan(2 * kSecond);
  EXPECT_THAT(table_.Expire(40 * kSecond), ElementsAre(id));
}

TEST_F(ProcessTableTest, LatestOfAPidNeedsNoStart) {
  fake_.Put({.pid = 10, .start_ticks = 5, .exe = "/bin/a"});
  EXPECT_EQ(table_.Find(10, 0)->service_name, "a");
  EXPECT_FALSE(table_.Find(77, 0)->known);
}

TEST_F(ProcessTableTest, ManyThreadsGetOneImage) {
  fake_.Put({.pid = 10, .start_ticks = 5, .exe = "/bin/a"});
  std::array<ProcessPtr, 4> found;
  std::vector<std::thread> threads;
  threads.reserve(found.size());
  for (ProcessPtr& slot : found) threads.emplace_back([this, &slot] { slot = Find(10, 5); });
  for (std::thread& thread : threads) thread.join();
  for (const ProcessPtr& process : found) EXPECT_EQ(process, found[0]);
}

}  // namespace
}  // namespace probed::discovery
