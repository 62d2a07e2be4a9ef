// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/attach/attach_engine.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace probed::attach {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// Processes and the files they execute, which are real files in a folder.
class FakeMappings final : public MappingSource {
 public:
  FakeMappings() {
    std::string name = (std::filesystem::temp_directory_path() / "attach_engine.XXXXXX").string();
    folder_ = mkdtemp(name.data());
  }
  ~FakeMappings() override { std::filesystem::remove_all(folder_); }

  std::vector<std::uint32_t> Targets() override {
    std::vector<std::uint32_t> pids;
    pids.reserve(processes.size());
    for (const auto& [pid, files] : processes) pids.push_back(pid);
    return pids;
  }
  bool IsTarget(std::uint32_t pid) override { return processes.contains(pid); }
  std::optional<std::vector<MappedFile>> Files(std::uint32_t pid) override {
    std::vector<MappedFile> mapped;
    if (!processes.contains(pid)) return std::nullopt;
    for (const std::string& file : processes.at(pid))
      mapped.push_back({.key = {.device = 1, .inode = std::hash<std::string>()(file)}, .range = "", .path = file});
    return mapped;
  }
  Result<Fd> Open(std::uint32_t /*pid*/, const MappedFile& file) override {
    if (!open_error.ok()) return open_error;
    const std::string path = folder_ + "/" + file.path;
    if (!std::filesystem::exists(path)) std::ofstream(path) << std::string(4096, 'x');
    return Fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  }

  std::map<std::uint32_t, std::vector<std::string>> processes;
  Status open_error;

 private:
  std::string folder_;
};

/// A module that wants `sites` in each file that begins with "lib", and counts what is attached.
struct FakeModule {
  AttachPort Port() {
    AttachPort port;
    port.plan = [this](int, const std::string& path, const std::function<void(Site)>& emit) {
      asked.push_back(path);
      if (!path.starts_with("lib")) return MakeStatus(absl::StatusCode::kNotFound, "not mine");
      for (const Site& site : sites) emit(site);
      return plan_result;
    };
    port.attach = [this](int, std::span<const Site> wanted) -> Result<std::unique_ptr<Attachment>> {
      if (!attach_error.ok()) return attach_error;
      return std::unique_ptr<Attachment>(std::make_unique<Held>(attached, wanted.size()));
    };
    return port;
  }

  struct Held final : Attachment {
    Held(int& count, std::size_t links) : count_(count), links_(links) { ++count_; }
    ~Held() override { --count_; }
    std::size_t links() const override { return links_; }
    int& count_;
    std::size_t links_;
  };

  std::vector<Site> sites = {{.program = "in", .offset = 16}, {.program = "out", .offset = 16, .is_return = true}};
  Status plan_result;
  Status attach_error;
  std::vector<std::string> asked;
  int attached = 0;
};

class AttachEngineTest : public ::testing::Test {
 protected:
  std::uint64_t Refused(Refusal refusal) { return engine.Report("m")->refused[static_cast<std::size_t>(refusal)]; }

  FakeMappings mappings;
  FakeModule module;
  AttachEngine engine{mappings, {.sites_per_file = 4, .sites_per_module = 6, .plans_per_module = 100}};
};

TEST_F(AttachEngineTest, AttachesWhatTargetsExecuteWhenAModuleComes) {
  mappings.processes = {{1, {"app", "libx"}}, {2, {"libx", "liby"}}};
  engine.Add("m", module.Port());
  EXPECT_EQ(module.attached, 2);
  EXPECT_THAT(module.asked, ElementsAre("app", "libx", "liby"));
  const AttachReport report = *engine.Report("m");
  EXPECT_EQ(report.files, 2U);
  EXPECT_EQ(report.sites, 4U);
  EXPECT_EQ(report.links, 4U);
  EXPECT_EQ(report.total_refused(), 0U);
}

TEST_F(AttachEngineTest, AttachesALibraryLoadedLater) {
  mappings.processes = {{1, {"app"}}};
  engine.Add("m", module.Port());
  mappings.processes[1].push_back("libx");
  engine.OnProcess(1);
  EXPECT_EQ(module.attached, 1);
  engine.OnProcess(7);  // no target
  EXPECT_EQ(module.attached, 1);
}

TEST_F(AttachEngineTest, DetachesWhatNoTargetMapsAnyMore) {
  mappings.processes = {{1, {"libx"}}, {2, {"libx"}}};
  engine.Add("m", module.Port());
  mappings.processes.erase(1);
  engine.Rescan();
  EXPECT_EQ(module.attached, 1);
  mappings.processes.erase(2);
  engine.Rescan();
  EXPECT_EQ(module.attached, 0);
  EXPECT_EQ(engine.Report("m")->detached, 1U);
  EXPECT_EQ(engine.Report("m")->sites, 0U);
}

TEST_F(AttachEngineTest, NamesProcessesThatCannotBeLookedInto) {
  using ::testing::Pair;
  mappings.processes = {{1, {"app"}}, {2, {"other"}}, {3, {"third", "libx"}}};
  engine.Add("m", module.Port());
  for (const std::uint32_t pid : {1U, 2U, 3U, 4U}) engine.OnUnread("m", pid);  // 3 has probes, 4 was never seen
  engine.OnUnread("another", 1);
  EXPECT_EQ(engine.Report("m")->unread, 2U);
  EXPECT_THAT(engine.Report("m")->unread_now, ElementsAre(Pair(1, "app"), Pair(2, "other")));
  mappings.processes.erase(1);
  engine.Rescan();
  EXPECT_EQ(engine.Report("m")->unread, 2U);
  EXPECT_THAT(engine.Report("m")->unread_now, ElementsAre(Pair(2, "other")));
}

TEST_F(AttachEngineTest, NamesProcessesThatUseWhatCannotBeReadBesideWhatCan) {
  AttachLimits limits;
  limits.settled = std::chrono::nanoseconds(0);
  AttachEngine believing(mappings, limits);
  mappings.processes = {{1, {"app", "libx"}}};
  believing.Add("m", module.Port());
  believing.OnUnread("m", 1);
  believing.OnUnread("m", 1);  // told again
  EXPECT_EQ(believing.Report("m")->unread, 1U);
  mappings.processes.erase(1);
  believing.Rescan();
  mappings.processes = {{1, {"app", "libx"}}};  // another one of that number
  believing.OnUnread("m", 1);
  EXPECT_EQ(believing.Report("m")->unread, 2U);
}

TEST_F(AttachEngineTest, CountsProcessesThatAreGoneMeanwhile) {
  mappings.processes = {{1, {"app"}}, {2, {"app", "libx"}}};
  engine.Add("m", module.Port());
  mappings.processes.clear();
  engine.OnUnread("m", 1);
  engine.OnUnread("m", 2);
  EXPECT_EQ(engine.Report("m")->unread, 1U);
  EXPECT_THAT(engine.Report("m")->unread_now, IsEmpty());
}

TEST_F(AttachEngineTest, AsksAgainOnlyForAChangedFile) {
  mappings.processes = {{1, {"libx"}}};
  engine.Add("m", module.Port());
  mappings.processes.clear();
  engine.Rescan();
  mappings.processes = {{3, {"libx"}}};
  engine.Rescan();
  EXPECT_EQ(module.attached, 1);
  EXPECT_THAT(module.asked, ElementsAre("libx"));
}

TEST_F(AttachEngineTest, DetachesAllWhenTheModuleGoes) {
  mappings.processes = {{1, {"libx", "liby"}}};
  FakeModule other;
  engine.Add("m", module.Port());
  engine.Add("other", other.Port());
  engine.Remove("m");
  EXPECT_EQ(module.attached, 0);
  EXPECT_EQ(other.attached, 2);
  EXPECT_TRUE(engine.active());
  engine.Remove("other");
  EXPECT_FALSE(engine.active());
  EXPECT_FALSE(engine.Report("m").has_value());
}

TEST_F(AttachEngineTest, RefusesTooManySitesOfAFile) {
  module.sites.clear();
  for (std::uint64_t i = 0; i < 1000; ++i) module.sites.push_back({.program = "in", .offset = i});
  mappings.processes = {{1, {"libx"}}};
  engine.Add("m", module.Port());
  EXPECT_EQ(module.attached, 0);
  EXPECT_EQ(Refused(Refusal::kTooManySites), 1U);
  EXPECT_THAT(engine.Report("m")->last_refusal, HasSubstr("more than 4 sites"));
  engine.Rescan();
  EXPECT_EQ(Refused(Refusal::kTooManySites), 1U);  // a file is refused once
}

TEST_F(AttachEngineTest, SitesNamedTwiceAreOne) {
  const std::vector<Site> once = module.sites;
  module.sites.insert(module.sites.end(), once.begin(), once.end());
  mappings.processes = {{1, {"libx"}}};
  engine.Add("m", module.Port());
  EXPECT_EQ(engine.Report("m")->sites, 2U);
}

TEST_F(AttachEngineTest, FullModuleTriesAgainWhenThereIsRoom) {
  mappings.processes = {{1, {"liba"}}, {2, {"libb"}}, {3, {"libc"}}, {4, {"libd"}}};
  engine.Add("m", module.Port());
  EXPECT_EQ(module.attached, 3);
  EXPECT_EQ(Refused(Refusal::kModuleFull), 1U);
  mappings.processes.erase(1);
  engine.Rescan();  // gives room back
  engine.Rescan();
  EXPECT_EQ(module.attached, 3);
  EXPECT_EQ(Refused(Refusal::kModuleFull), 1U);
}

TEST_F(AttachEngineTest, CountsEveryOtherRefusalWithItsReason) {
  mappings.processes = {{1, {"libx"}}};
  module.sites = {{.program = "in", .offset = 4096}};
  engine.Add("m", module.Port());
  EXPECT_EQ(Refused(Refusal::kBadSite), 1U);
  module.sites = {{.program = "in", .offset = 4095}};
  module.attach_error = MakeStatus(absl::StatusCode::kInternal, "the kernel says no");
  mappings.processes = {{1, {"liby"}}};
  engine.Rescan();
  EXPECT_EQ(Refused(Refusal::kKernel), 1U);
  EXPECT_THAT(engine.Report("m")->last_refusal, HasSubstr("the kernel says no"));
  module.plan_result = MakeStatus(absl::StatusCode::kInternal, "threw");
  mappings.processes = {{1, {"libz"}}};
  engine.Rescan();
  EXPECT_EQ(Refused(Refusal::kPlanFailed), 1U);
  mappings.open_error = MakeStatus(absl::StatusCode::kPermissionDenied, "not yours");
  mappings.processes = {{1, {"libv"}}};
  engine.Rescan();
  EXPECT_EQ(Refused(Refusal::kUnreadable), 1U);
  EXPECT_EQ(engine.Report("m")->total_refused(), 4U);
}

TEST_F(AttachEngineTest, AProcessThatIsGoneIsNoRefusal) {
  mappings.processes = {{1, {"libx"}}};
  mappings.open_error = MakeStatus(absl::StatusCode::kNotFound, "gone");
  engine.Add("m", module.Port());
  EXPECT_EQ(engine.Report("m")->total_refused(), 0U);
  mappings.open_error = OkStatus();
  engine.OnProcess(1);
  EXPECT_EQ(module.attached, 1);
}

TEST_F(AttachEngineTest, NothingHappensWithoutModules) {
  mappings.processes = {{1, {"libx"}}};
  engine.Rescan();
  engine.OnProcess(1);
  EXPECT_THAT(module.asked, IsEmpty());
}

}  // namespace
}  // namespace probed::attach
