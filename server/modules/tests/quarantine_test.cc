// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/modules/quarantine.h"

#include <gmock/gmock.h>

#include "server/base/error_details.h"
#include "server/modules/reasons.h"
#include "server/modules/tests/test_files.h"

namespace probed::modules {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::TempDir;
using testing::WriteFile;

class QuarantineTest : public ::testing::Test {
 protected:
  /// As the signal handler does.
  void Crash(const std::string& module) const {
    std::ofstream(path_, std::ios::app) << "crash " << module << " 1 on_segment 11\n";
  }

  /// Names held in the run that begins now.
  std::vector<std::string> Begin() const {
    std::vector<std::string> names;
    const auto held = BeginRun(path_);
    for (const QuarantineEntry& entry : *held) names.push_back(entry.module);
    return names;
  }

  TempDir dir_;
  std::string path_ = dir_ / "crashes";
};

TEST_F(QuarantineTest, IsEmptyWithoutAFile) {
  EXPECT_THAT(ReadQuarantine(path_), IsEmpty());
  EXPECT_THAT(Begin(), IsEmpty());
  EXPECT_FALSE(std::filesystem::exists(path_)) << "nothing to write down";
}

TEST_F(QuarantineTest, HoldsAModuleForOneRunAfterOneCrash) {
  Crash("http");
  EXPECT_THAT(Begin(), ElementsAre("http"));
  EXPECT_THAT(Begin(), IsEmpty()) << "tried again";
}

TEST_F(QuarantineTest, HoldsAModuleUntilClearedAfterTwoInARow) {
  Crash("http");
  EXPECT_THAT(Begin(), ElementsAre("http"));
  EXPECT_THAT(Begin(), IsEmpty());
  Crash("http");
  for (int run = 0; run < 3; ++run) EXPECT_THAT(Begin(), ElementsAre("http"));
  ASSERT_TRUE(ClearQuarantine(path_, "http").ok());
  EXPECT_THAT(Begin(), IsEmpty());
}

TEST_F(QuarantineTest, ForgetsACrashAfterACleanRun) {
  Crash("http");
  EXPECT_THAT(Begin(), ElementsAre("http"));
  EXPECT_THAT(Begin(), IsEmpty());
  ASSERT_TRUE(NoteCleanRun(path_, "http").ok());
  Crash("http");
  EXPECT_THAT(Begin(), ElementsAre("http"));
  EXPECT_THAT(Begin(), IsEmpty()) << "it was the first again";
}

TEST_F(QuarantineTest, KeepsModulesApart) {
  Crash("http");
  Crash("dns");
  Crash("http");
  EXPECT_THAT(Begin(), ElementsAre("http", "dns"));
  EXPECT_THAT(Begin(), ElementsAre("http"));
  ASSERT_TRUE(ClearQuarantine(path_, "dns").ok());
  EXPECT_THAT(Begin(), ElementsAre("http"));
}

TEST_F(QuarantineTest, SkipsLinesItDoesNotUnderstand) {
  WriteFile(path_, "\ncrash\ncrash ../x 1 a 11\nhello world\nheld http\ncrash dns 1 on_open 6\ncrash dns 1 on_o");
  const auto entries = ReadQuarantine(path_);
  ASSERT_EQ(entries.size(), 1U);
  EXPECT_EQ(entries[0].module, "dns");
  EXPECT_EQ(entries[0].count, 1U);
}

TEST_F(QuarantineTest, GivesTheReasonInWords) {
  Crash("http");
  Crash("http");
  EXPECT_THAT(ReadQuarantine(path_)[0].Reason(),
              HasSubstr("in on_segment (signal 11, Segmentation fault), 2 times in a row"));
}

TEST_F(QuarantineTest, RunHoldsWhatCrashedTheLastOneUntilAUserClearsIt) {
  Crash("http");
  Quarantine run;
  ASSERT_TRUE(run.Begin(path_).ok());
  ASSERT_NE(run.Held("http"), nullptr);
  EXPECT_THAT(run.Held("http")->Reason(), HasSubstr("on_segment"));
  EXPECT_EQ(run.Held("dns"), nullptr);
  ASSERT_TRUE(run.Clear("http").ok());
  EXPECT_EQ(run.Held("http"), nullptr);
  EXPECT_THAT(ReadQuarantine(path_), IsEmpty());
}

TEST_F(QuarantineTest, CleanRunBetweenTwoCrashesMakesTheSecondAFirst) {
  Crash("http");
  Quarantine held, tried;
  ASSERT_TRUE(held.Begin(path_).ok());
  ASSERT_TRUE(tried.Begin(path_).ok());
  ASSERT_TRUE(tried.NoteClean("http").ok());
  Crash("http");
  EXPECT_EQ(ReadQuarantine(path_).at(0).count, 1U);
}

TEST_F(QuarantineTest, RunWithoutAFileHoldsNothing) {
  Quarantine run;
  EXPECT_EQ(run.Held("http"), nullptr);
  EXPECT_TRUE(run.Clear("http").ok());
  EXPECT_TRUE(run.NoteClean("http").ok());
}

TEST_F(QuarantineTest, RunHoldsAlsoWhatCannotBeWrittenDown) {
  Crash("http");
  std::filesystem::create_directories(path_ + ".new");
  Quarantine run;
  EXPECT_EQ(GetErrorDetails(run.Begin(path_)).reason, kQuarantineUnwritable);
  EXPECT_NE(run.Held("http"), nullptr);
}

TEST_F(QuarantineTest, SaysWhenItCannotWrite) {
  Crash("http");
  std::filesystem::create_directory(path_ + ".new");
  EXPECT_EQ(GetErrorDetails(BeginRun(path_).status()).reason, kQuarantineUnwritable);
}

}  // namespace
}  // namespace probed::modules
