// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/modules/finder.h"

#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/base/error_details.h"
#include "server/modules/reasons.h"
#include "server/modules/tests/test_files.h"

namespace probed::modules {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::TempDir;
using testing::TestTrust;
using testing::WriteFile;
namespace fs = std::filesystem;

std::string ReasonOf(const Status& status) { return GetErrorDetails(status).reason; }
std::string TextOf(const Status& status) { return std::string(Message(status)); }

class FinderTest : public ::testing::Test {
 protected:
  Finder Make() const { return Finder({dir_.path()}, TestTrust()); }

  /// Opens module http the way the registry does.
  Status OpenHttp() const {
    const Finder finder = Make();
    const auto candidate = finder.Find("http");
    return candidate.ok() ? finder.Open(*candidate).status() : candidate.status();
  }

  TempDir dir_;
};

TEST_F(FinderTest, ListsModulesOfBothFormsByName) {
  WriteFile(dir_ / "http.so", "");
  WriteFile(dir_ / "dns.so", "");
  WriteFile(dir_ / "README", "");
  WriteFile(dir_ / "Bad-Name.so", "");
  fs::create_directory(dir_ / "runq");
  WriteFile(dir_ / "runq/manifest.json", "{}");
  fs::create_directory(dir_ / "no_manifest");
  const auto list = Make().List();
  std::vector<std::string> names;
  names.reserve(list.size());
  for (const Candidate& candidate : list) names.push_back(candidate.name);
  EXPECT_THAT(names, ElementsAre("dns", "http", "runq"));
  EXPECT_EQ(list[2].form, ModuleForm::kFolder);
}

TEST_F(FinderTest, TakesTheFirstDirectoryThatHasTheName) {
  const TempDir second;
  WriteFile(second / "http.so", "");
  const Finder both({dir_.path(), "/nonexistent/probed", second.path()}, TestTrust());
  EXPECT_EQ(both.Find("http")->path, second / "http.so");
  WriteFile(dir_ / "http.so", "");
  EXPECT_EQ(both.Find("http")->path, dir_ / "http.so");
  EXPECT_EQ(both.List().size(), 1U);
}

TEST_F(FinderTest, SuggestsTheNearestName) {
  WriteFile(dir_ / "http.so", "");
  const Status status = Make().Find("htpp").status();
  EXPECT_TRUE(absl::IsNotFound(status));
  EXPECT_EQ(ReasonOf(status), kModuleNotFound);
  EXPECT_THAT(TextOf(status), HasSubstr("did you mean http?"));
}

TEST_F(FinderTest, RefusesNamesThatCouldBePaths) {
  for (const char* name : {"../http", "/etc/passwd", "http.so", "", "a/b"}) {
    EXPECT_EQ(ReasonOf(Make().Find(name).status()), kModuleNameInvalid) << name;
  }
}

TEST_F(FinderTest, OpensATrustedFile) {
  WriteFile(dir_ / "http.so", "content");
  EXPECT_TRUE(OpenHttp().ok()) << OpenHttp();
}

TEST_F(FinderTest, RefusesWritableFiles) {
  WriteFile(dir_ / "http.so", "");
  fs::permissions(dir_ / "http.so", fs::perms(0646));
  EXPECT_EQ(ReasonOf(OpenHttp()), kModuleUntrustedPath);
  EXPECT_THAT(TextOf(OpenHttp()), HasSubstr("http.so is world-writable"));
  fs::permissions(dir_ / "http.so", fs::perms(0664));
  EXPECT_THAT(TextOf(OpenHttp()), HasSubstr("http.so is group-writable"));
}

TEST_F(FinderTest, RefusesSymbolicLinks) {
  WriteFile(dir_ / "real", "");
  fs::create_symlink(dir_ / "real", dir_ / "http.so");
  EXPECT_EQ(ReasonOf(OpenHttp()), kModuleUntrustedPath);
  EXPECT_THAT(TextOf(OpenHttp()), HasSubstr("http.so is a symbolic link"));
}

TEST_F(FinderTest, RefusesWhatIsNoRegularFile) {
  fs::create_directory(dir_ / "http.so");
  EXPECT_THAT(TextOf(OpenHttp()), HasSubstr("is no regular file"));
  fs::remove(dir_ / "http.so");
  ASSERT_EQ(mkfifo((dir_ / "http.so").c_str(), 0600), 0);
  EXPECT_THAT(TextOf(OpenHttp()), HasSubstr("is no regular file")) << "and does not wait for a writer";
}

TEST_F(FinderTest, RefusesWritableDirectories) {
  WriteFile(dir_ / "http.so", "");
  fs::permissions(dir_.path(), fs::perms(0777));
  EXPECT_EQ(ReasonOf(OpenHttp()), kModuleUntrustedPath);
  EXPECT_THAT(TextOf(OpenHttp()), HasSubstr(dir_.path() + " is world-writable"));
  fs::permissions(dir_.path(), fs::perms(01777));
  EXPECT_EQ(ReasonOf(OpenHttp()), kModuleUntrustedPath) << "sticky does not help: anybody can add a module";
  fs::permissions(dir_.path(), fs::perms(0775));
  EXPECT_THAT(TextOf(OpenHttp()), HasSubstr("is group-writable"));
}

TEST_F(FinderTest, ChecksEveryComponentOfThePath) {
  fs::create_directories(dir_ / "a/b");
  WriteFile(dir_ / "a/b/http.so", "");
  const Finder finder({dir_ / "a/b"}, TestTrust());
  const Candidate candidate = *finder.Find("http");
  EXPECT_TRUE(finder.Open(candidate).ok());
  fs::permissions(dir_ / "a", fs::perms(0777));
  EXPECT_THAT(TextOf(finder.Open(candidate).status()), HasSubstr((dir_ / "a") + " is world-writable"));
}

TEST_F(FinderTest, RefusesLinksAndDotsOnTheWay) {
  fs::create_directory(dir_ / "real");
  WriteFile(dir_ / "real/http.so", "");
  fs::create_directory_symlink(dir_ / "real", dir_ / "link");
  const Finder through_link({dir_ / "link"}, TestTrust());
  EXPECT_THAT(TextOf(through_link.Open(*through_link.Find("http")).status()), HasSubstr("is a symbolic link"));
  const Finder through_dots({dir_ / "real/../real"}, TestTrust());
  EXPECT_THAT(TextOf(through_dots.Open(*through_dots.Find("http")).status()), HasSubstr("\"..\""));
  EXPECT_EQ(ReasonOf(Make().OpenDirectory("relative").status()), kModuleUntrustedPath);
}

TEST_F(FinderTest, RefusesOtherOwners) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can give a file away";
  WriteFile(dir_ / "http.so", "");
  ASSERT_EQ(chown((dir_ / "http.so").c_str(), 12345, 12345), 0);
  EXPECT_EQ(ReasonOf(OpenHttp()), kModuleUntrustedPath);
  EXPECT_THAT(TextOf(OpenHttp()), HasSubstr("belongs to user 12345, not to root"));
  ASSERT_EQ(chown((dir_ / "http.so").c_str(), 0, 0), 0);
  ASSERT_EQ(chown(dir_.path().c_str(), 12345, 12345), 0);
  EXPECT_THAT(TextOf(OpenHttp()), HasSubstr("belongs to user 12345"));
}

TEST_F(FinderTest, OpensTheFilesOfAFolder) {
  fs::create_directory(dir_ / "runq");
  WriteFile(dir_ / "runq/manifest.json", "{}");
  const Finder finder = Make();
  const Candidate candidate = *finder.Find("runq");
  EXPECT_TRUE(finder.Open(candidate, "manifest.json").ok());
  const Status missing = finder.Open(candidate, "runq.bpf.o").status();
  EXPECT_EQ(ReasonOf(missing), kModuleNotFound);
  EXPECT_THAT(TextOf(missing), HasSubstr("runq/runq.bpf.o does not exist"));
}

}  // namespace
}  // namespace probed::modules
