// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/modules/watcher.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <chrono>

#include "server/modules/tests/test_files.h"

namespace probed::modules {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::TempDir;
using testing::WriteFile;
namespace fs = std::filesystem;

class WatcherTest : public ::testing::Test {
 protected:
  void Watch(std::vector<std::string> directories) {
    watcher_ = std::move(Watcher::Start(io_.get_executor(), std::move(directories), [this](const auto& names) {
                 ++calls_;
                 everything_ = everything_ || names.empty();
                 names_.insert(names.begin(), names.end());
               })).value();
  }

  /// What was reported for the events so far. inotify queues an event before the system call that causes it returns,
  /// so nothing has to be waited for.
  std::set<std::string> Reported() {
    names_.clear();
    everything_ = false;
    io_.restart();
    while (io_.poll() != 0) io_.restart();
    return names_;
  }

  TempDir dir_;
  boost::asio::io_context io_;
  std::unique_ptr<Watcher> watcher_;
  std::set<std::string> names_;
  bool everything_ = false;
  int calls_ = 0;
};

TEST_F(WatcherTest, ReportsAFileWhenItIsWrittenToItsEnd) {
  Watch({dir_.path()});
  const int file = open((dir_ / "http.so").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
  ASSERT_EQ(write(file, "half", 4), 4);
  EXPECT_THAT(Reported(), IsEmpty()) << "half-written";
  close(file);
  EXPECT_THAT(Reported(), ElementsAre("http"));
}

TEST_F(WatcherTest, ReportsMovesDeletionsAndModes) {
  WriteFile(dir_ / "upload.tmp", "x");
  Watch({dir_.path()});
  fs::rename(dir_ / "upload.tmp", dir_ / "http.so");
  EXPECT_THAT(Reported(), ElementsAre("http"));
  fs::permissions(dir_ / "http.so", fs::perms(0666));
  EXPECT_THAT(Reported(), ElementsAre("http"));
  fs::rename(dir_ / "http.so", dir_ / "dns.so");
  EXPECT_THAT(Reported(), ElementsAre("dns", "http"));
  fs::remove(dir_ / "dns.so");
  EXPECT_THAT(Reported(), ElementsAre("dns"));
  fs::create_symlink("/etc/passwd", dir_ / "link.so");
  EXPECT_THAT(Reported(), ElementsAre("link"));
}

TEST_F(WatcherTest, IgnoresWhatIsNoModule) {
  Watch({dir_.path()});
  WriteFile(dir_ / "README.md", "x");
  WriteFile(dir_ / ".http.so.swp", "x");
  EXPECT_THAT(Reported(), IsEmpty());
  EXPECT_EQ(calls_, 0);
}

TEST_F(WatcherTest, CallsOncePerBatch) {
  Watch({dir_.path()});
  for (const char* name : {"a.so", "b.so", "c.so"}) WriteFile(dir_ / name, "x");
  EXPECT_THAT(Reported(), ElementsAre("a", "b", "c"));
  EXPECT_EQ(calls_, 1);
}

TEST_F(WatcherTest, LooksIntoFoldersOfModules) {
  fs::create_directory(dir_ / "old");
  Watch({dir_.path()});
  WriteFile(dir_ / "old/manifest.json", "{}");
  EXPECT_THAT(Reported(), ElementsAre("old"));
  fs::create_directory(dir_ / "runq");
  EXPECT_THAT(Reported(), ElementsAre("runq"));
  WriteFile(dir_ / "runq/manifest.json", "{}");
  EXPECT_THAT(Reported(), ElementsAre("runq"));
}

TEST_F(WatcherTest, WaitsForADirectoryThatIsNotThereYet) {
  Watch({dir_ / "lib/probed"});
  fs::create_directories(dir_ / "lib/probed");
  WriteFile(dir_ / "lib/probed/http.so", "x");
  Reported();
  EXPECT_TRUE(everything_);
  WriteFile(dir_ / "lib/probed/dns.so", "x");
  EXPECT_THAT(Reported(), ElementsAre("dns"));
}

TEST_F(WatcherTest, FollowsADirectoryThatIsReplaced) {
  fs::create_directory(dir_ / "mods");
  Watch({dir_ / "mods"});
  fs::remove(dir_ / "mods");
  Reported();
  EXPECT_TRUE(everything_);
  fs::create_directory(dir_ / "mods");
  Reported();
  EXPECT_TRUE(everything_);
  WriteFile(dir_ / "mods/http.so", "x");
  EXPECT_THAT(Reported(), ElementsAre("http"));
  fs::rename(dir_ / "mods", dir_ / "moved");
  Reported();
  EXPECT_TRUE(everything_);
  WriteFile(dir_ / "moved/http.so", "x");
  EXPECT_THAT(Reported(), IsEmpty()) << "it is not the directory of that name any more";
}

TEST_F(WatcherTest, CallsNothingAfterItsEnd) {
  Watch({dir_.path()});
  WriteFile(dir_ / "http.so", "x");
  watcher_.reset();
  EXPECT_THAT(Reported(), IsEmpty());
}

TEST_F(WatcherTest, MayBeEndedByItsOwnCallback) {
  watcher_ = std::move(Watcher::Start(io_.get_executor(), {dir_.path()}, [this](const auto&) {
               ++calls_;
               watcher_.reset();
             })).value();
  WriteFile(dir_ / "a.so", "x");
  Reported();
  WriteFile(dir_ / "b.so", "x");
  Reported();
  EXPECT_EQ(calls_, 1);
}

TEST_F(WatcherTest, SetsNoTimer) {
  Watch({dir_.path()});
  // With a timer the loop would run a handler by itself.
  EXPECT_EQ(io_.run_for(50ms), 0U);
}

}  // namespace
}  // namespace probed::modules
