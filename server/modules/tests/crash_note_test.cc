// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/modules/crash_note.h"

#include <gmock/gmock.h>
#include <signal.h>

#include <cstdlib>
#include <thread>

#include "server/modules/quarantine.h"
#include "server/modules/tests/test_files.h"

namespace probed::modules {
namespace {

using testing::ReadFile;
using testing::TempDir;

TEST(CallScope, NestsAndEnds) {
  EXPECT_EQ(CurrentCallModule(), "");
  {
    const CallScope outer(CrashSubjectOf("outer"), 1, CallPhase::kSegment);
    EXPECT_EQ(CurrentCallModule(), "outer");
    {
      const CallScope inner(CrashSubjectOf("inner"), 2, CallPhase::kCreate);
      EXPECT_EQ(CurrentCallModule(), "inner");
    }
    EXPECT_EQ(CurrentCallModule(), "outer");
    std::thread([] { EXPECT_EQ(CurrentCallModule(), ""); }).join();
  }
  EXPECT_EQ(CurrentCallModule(), "");
}

TEST(CrashSubject, IsOnePerName) {
  EXPECT_EQ(CrashSubjectOf("a"), CrashSubjectOf("a"));
  EXPECT_NE(CrashSubjectOf("a"), CrashSubjectOf("b"));
}

#ifndef PROBED_SANITIZED

[[noreturn]] void DieIn(const std::string& path, void (*die)()) {
  const SignalStack stack;
  if (!InstallCrashHandler(path).ok()) std::_Exit(3);
  const CallScope scope(CrashSubjectOf("http"), 7, CallPhase::kSegment);
  die();
  std::_Exit(4);
}

void WriteToNull() { *static_cast<volatile int*>(nullptr) = 1; }
void SendToSelf() { raise(SIGSEGV); }

// Endless on purpose; the array keeps each frame on the stack.
int Recurse(int depth) {  // NOLINT(misc-no-recursion)
  volatile char frame[4096];
  frame[0] = static_cast<char>(depth);
  return depth < 0 ? 0 : Recurse(depth + 1) + frame[0];
}
void OverflowStack() { std::_Exit(Recurse(0)); }

class CrashHandlerDeathTest : public ::testing::Test {
 protected:
  CrashHandlerDeathTest() { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
};

TEST_F(CrashHandlerDeathTest, NotesTheModuleAndDiesOfTheSignal) {
  const std::string path = ::testing::TempDir() + "probed_crash_fault";
  std::filesystem::remove(path);
  EXPECT_EXIT(DieIn(path, WriteToNull), ::testing::KilledBySignal(SIGSEGV), "");
  EXPECT_EQ(ReadFile(path), "crash http 7 on_segment 11\n");
  const auto entries = ReadQuarantine(path);
  ASSERT_EQ(entries.size(), 1U);
  EXPECT_TRUE(entries[0].Holds());
  std::filesystem::remove(path);
}

TEST_F(CrashHandlerDeathTest, NotesAbort) {
  const std::string path = ::testing::TempDir() + "probed_crash_abort";
  std::filesystem::remove(path);
  EXPECT_EXIT(DieIn(path, std::abort), ::testing::KilledBySignal(SIGABRT), "");
  EXPECT_EQ(ReadFile(path), "crash http 7 on_segment 6\n");
  std::filesystem::remove(path);
}

TEST_F(CrashHandlerDeathTest, NotesASignalThatWasSent) {
  const std::string path = ::testing::TempDir() + "probed_crash_sent";
  std::filesystem::remove(path);
  EXPECT_EXIT(DieIn(path, SendToSelf), ::testing::KilledBySignal(SIGSEGV), "");
  EXPECT_EQ(ReadFile(path), "crash http 7 on_segment 11\n");
  std::filesystem::remove(path);
}

TEST_F(CrashHandlerDeathTest, NotesAnOverflownStack) {
  const std::string path = ::testing::TempDir() + "probed_crash_stack";
  std::filesystem::remove(path);
  EXPECT_EXIT(DieIn(path, OverflowStack), ::testing::KilledBySignal(SIGSEGV), "");
  EXPECT_EQ(ReadFile(path), "crash http 7 on_segment 11\n");
  std::filesystem::remove(path);
}

[[noreturn]] void DieOutside(const std::string& path) {
  if (!InstallCrashHandler(path).ok()) std::_Exit(3);
  WriteToNull();
  std::_Exit(4);
}

TEST_F(CrashHandlerDeathTest, BlamesNobodyForACrashOutsideOfModules) {
  const std::string path = ::testing::TempDir() + "probed_crash_own";
  std::filesystem::remove(path);
  EXPECT_EXIT(DieOutside(path), ::testing::KilledBySignal(SIGSEGV), "");
  EXPECT_FALSE(std::filesystem::exists(path));
}

#endif

TEST(CrashHandler, RefusesAPathItCannotKeep) { EXPECT_FALSE(InstallCrashHandler(std::string(5000, 'x')).ok()); }

}  // namespace
}  // namespace probed::modules
