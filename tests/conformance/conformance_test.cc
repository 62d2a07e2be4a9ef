// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// The kit itself: passes a good module, and notices each rule that a bad one breaks.
#include "tests/conformance/conformance.h"

#include <fcntl.h>
#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>
#include <map>

#include "tests/conformance/isolate.h"

namespace probed::conformance {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Key;
using ::testing::Not;
namespace fs = std::filesystem;

std::string Fixture(const std::string& name) { return std::string(PROBED_FIXTURE_MODULE_DIR) + "/" + name + ".so"; }

Options Quick() {
  Options options;
  options.cycles = 10;
  options.rounds = 40;
  options.timeout_seconds = 20;
  return options;
}

/// Failed checks with their words.
std::map<std::string, std::string> Failures(const std::string& path, const Options& options = Quick()) {
  std::map<std::string, std::string> failures;
  RunAll(path, options, [&](const Check& check, const Report& report) {
    if (!report.failures().empty()) failures[check.id] = report.failures()[0];
  });
  return failures;
}

/// One check alone, for modules that need long to fail all of them.
Report RunOne(const std::string& id, const std::string& name, const Options& options = Quick()) {
  for (const Check& check : AllChecks()) {
    if (check.id == id) return RunIsolated(check, {Fixture(name), name, options});
  }
  Report report;
  report.Skip("there is no check " + id);
  return report;
}

std::string Words(const Report& report) { return report.failures().empty() ? "" : report.failures()[0]; }

TEST(Conformance, PassesAGoodModule) {
  Options options = Quick();
  options.cycles = 50;
  EXPECT_THAT(Failures(Fixture("echo"), options), IsEmpty());
  EXPECT_THAT(Failures(Fixture("echo_long")), IsEmpty());
  EXPECT_THAT(Failures(Fixture("echo_short")), IsEmpty());
}

TEST(Conformance, NoticesAWrongEntry) {
  EXPECT_THAT(Words(RunOne("entry", "bad_magic")), HasSubstr("wrong magic"));
  EXPECT_THAT(Words(RunOne("entry", "bad_major")), HasSubstr("built for ABI 2"));
}

TEST(Conformance, NoticesWrongExports) {
  EXPECT_THAT(Words(RunOne("exports", "bad_nosymbol")), HasSubstr("does not export probe_module_entry"));
  EXPECT_THAT(RunOne("exports", "bad_export").failures(), Contains("exports probe_extra_export"));
}

TEST(Conformance, NoticesExceptionsThatLeaveTheModule) {
  EXPECT_THAT(Words(RunOne("life", "bad_create")), HasSubstr("an exception left create"));
  EXPECT_THAT(Words(RunOne("random-streams", "bad_throw")), HasSubstr("an exception left on_segment"));
}

TEST(Conformance, SurvivesACrashAndSaysWhere) {
  const auto failures = Failures(Fixture("bad_crash"));
  EXPECT_THAT(failures, AllOf(Contains(Key("random-streams")), Not(Contains(Key("cycles")))));
#ifndef PROBED_SANITIZED
  EXPECT_THAT(failures.at("random-streams"), HasSubstr("crashed in on_segment (signal 11"));
#endif
}

TEST(Conformance, EndsAModuleThatDoesNotComeBack) {
  Options options = Quick();
  options.timeout_seconds = 1;
  EXPECT_THAT(Words(RunOne("random-streams", "bad_loop", options)), HasSubstr("did not come back within 1 s"));
}

TEST(Conformance, NoticesExchangesThatStayOpen) {
  EXPECT_THAT(Words(RunOne("random-streams", "bad_leak")), HasSubstr("exchanges are still open"));
  EXPECT_THAT(Words(RunOne("flush", "bad_leak")), HasSubstr("exchanges are still open"));
}

TEST(Conformance, NoticesAModuleThatTakesAnyConfiguration) {
  EXPECT_THAT(Words(RunOne("garbage-config", "bad_config")), HasSubstr("accepts"));
}

TEST(Conformance, NoticesReadsBeyondTheBytes) {
  EXPECT_THAT(Words(RunOne("random-streams", "bad_overread")), HasSubstr("crashed"));
}

TEST(Conformance, NoticesReadsBeyondTheHostsTable) {
  EXPECT_THAT(Words(RunOne("shorter-host", "bad_host")), HasSubstr("crashed"));
}

#ifndef PROBED_SANITIZED
TEST(Conformance, NoticesMemoryThatIsLost) {
  Options options = Quick();
  options.cycles = 150;
  EXPECT_THAT(Words(RunOne("cycles", "bad_heap", options)), HasSubstr("bytes of heap lost"));
}

TEST(Conformance, NoticesThreadLocalsWithDestructors) {
  EXPECT_THAT(Words(RunOne("unloadable", "echo_sticky")), HasSubstr("thread_local with a destructor"));
}
#endif

class DamagedFile : public ::testing::Test {
 public:
  DamagedFile() {
    std::string pattern = (fs::temp_directory_path() / "probed-conformance-XXXXXX").string();
    dir_ = mkdtemp(pattern.data());
    std::ifstream file(Fixture("echo"), std::ios::binary);
    content_.assign(std::istreambuf_iterator<char>(file), {});
  }
  ~DamagedFile() override { fs::remove_all(dir_); }

  std::string Write(const std::string& name, const std::string& content) {
    const std::string path = (dir_ / (name + ".so")).string();
    std::ofstream(path, std::ios::binary) << content;
    return path;
  }

  fs::path dir_;
  std::string content_;
};

TEST_F(DamagedFile, IsNoticedWhenTruncated) {
  const auto failures = Failures(Write("echo", content_.substr(0, content_.size() / 3)));
  EXPECT_THAT(failures.at("elf"), HasSubstr("truncated"));
  EXPECT_THAT(failures.at("entry"), HasSubstr("truncated")) << "and no code of it was run";
}

TEST_F(DamagedFile, IsNoticedUnderAnotherName) {
  EXPECT_THAT(Failures(Write("other", content_)).at("manifest"), HasSubstr("says \"echo\""));
}

TEST_F(DamagedFile, IsNoticedWhenTheManifestIsNoJson) {
  const std::size_t at = content_.find("\"abi\"");
  ASSERT_NE(at, std::string::npos);
  content_[at] = '}';
  EXPECT_THAT(Failures(Write("echo", content_)).at("manifest"), HasSubstr("the manifest is invalid"));
}

TEST_F(DamagedFile, IsNoticedWhenADigestLies) {
  // Points the manifest to a section that is there, with the digest of something else.
  const std::string none = "\"bpf_objects\":[]";
  const std::size_t at = content_.find(none);
  ASSERT_NE(at, std::string::npos);
  const std::size_t end = content_.find("\"config\"");
  const std::size_t start = content_.rfind("{\"name\":\"echo\"", at);
  ASSERT_LT(start, end);
  std::string manifest =
      R"({"name":"echo","version":"1","abi":{"major":1},"license":"x","bpf_objects":[{"section":".text",)"
      R"("prototype":"sock","sha256":")" +
      std::string(64, '0') + "\"}]}";
  const std::size_t room = at + none.size() + 1 - start;
  ASSERT_LE(manifest.size(), room);
  manifest.resize(room, ' ');
  EXPECT_THAT(Failures(Write("echo", content_.replace(start, room, manifest))).at("manifest"),
              HasSubstr(".text has digest"));
}

TEST(ResultLine, IsOneLineThatBeginsWithTheVerdict) {
  const Check check = {"id", "does something", nullptr};
  Report report;
  EXPECT_EQ(ResultLine(check, report), "PASS id: does something");
  report.Skip("no need");
  EXPECT_EQ(ResultLine(check, report), "SKIP id: does something: no need");
  report.Fail("one");
  report.Fail("two");
  EXPECT_EQ(ResultLine(check, report), "FAIL id: does something: one; two");
}

}  // namespace
}  // namespace probed::conformance
