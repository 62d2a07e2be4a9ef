// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/discovery/exe_matcher.h"

#include <gmock/gmock.h>

#include "server/base/error_details.h"
#include "server/discovery/tests/fake_proc.h"

namespace probed::discovery {
namespace {

using ::testing::Pair;
using ::testing::UnorderedElementsAre;

TargetMatcher Compiled(std::vector<TargetRule> rules) {
  auto matcher = TargetMatcher::Compile(std::move(rules));
  EXPECT_TRUE(matcher.ok());
  return *std::move(matcher);
}

ProcessPtr Running(const std::string& exe, std::uint64_t inode) {
  Process process;
  process.info.exe_path = exe;
  process.info.exe = {8, inode};
  return std::make_shared<const Process>(std::move(process));
}

std::optional<std::uint64_t> NoCgroups(const std::string&) { return std::nullopt; }

TEST(TargetMatcher, StarStopsAtASlashAndTwoStarsDoNot) {
  const TargetMatcher matcher =
      Compiled({{.exe = {"/usr/bin/python3*"}}, {.exe = {"/opt/*/bin"}}, {.exe = {"/opt/**"}}});
  EXPECT_EQ(matcher.RulesOfExe("/usr/bin/python3.11"), 0b001U);
  EXPECT_EQ(matcher.RulesOfExe("/usr/bin/python3/x"), 0U);
  EXPECT_EQ(matcher.RulesOfExe("/opt/a/bin"), 0b110U);
  EXPECT_EQ(matcher.RulesOfExe("/opt/a/b/bin"), 0b100U);
}

TEST(TargetMatcher, BuildsOneMaskPerValue) {
  const TargetMatcher matcher = Compiled({{.exe = {"/bin/a", "/bin/b"}, .ports = {80}},
                                          {.exclude = true, .pids = {7}},
                                          {.exe = {"/bin/*"}, .ports = {80, 443}, .cgroups = {"/web"}}});
  const std::vector<ProcessPtr> processes = {Running("/bin/a", 1), Running("/bin/c", 3), Running("/sbin/d", 4),
                                             Running("", 0)};
  const TargetMaps maps = matcher.Build(processes, [](const std::string& path) -> std::optional<std::uint64_t> {
    if (path != "/web") return std::nullopt;
    return 99;
  });
  EXPECT_EQ(maps.include, 0b101U);
  EXPECT_EQ(maps.exclude, 0b010U);
  EXPECT_EQ(maps.any_exe, 0b010U);
  EXPECT_EQ(maps.any_port, 0b010U);
  EXPECT_EQ(maps.any_pid, 0b101U);
  EXPECT_EQ(maps.any_cgroup, 0b011U);
  EXPECT_THAT(maps.exes, UnorderedElementsAre(Pair(FileId{8, 1}, 0b101U), Pair(FileId{8, 3}, 0b100U)));
  EXPECT_THAT(maps.ports, UnorderedElementsAre(Pair(80, 0b101U), Pair(443, 0b100U)));
  EXPECT_THAT(maps.pids, UnorderedElementsAre(Pair(7U, 0b010U)));
  EXPECT_THAT(maps.cgroups, UnorderedElementsAre(Pair(99U, 0b100U)));
}

TEST(TargetMatcher, RefusesWhatCannotBe) {
  EXPECT_FALSE(TargetMatcher::Compile(std::vector<TargetRule>(65)).ok());
  EXPECT_TRUE(TargetMatcher::Compile(std::vector<TargetRule>(64)).ok());
  const auto relative = TargetMatcher::Compile({{.exe = {"/bin/a"}}, {.exe = {"/bin/a", "nginx"}}});
  ASSERT_FALSE(relative.ok());
  const ErrorDetails details = GetErrorDetails(relative.status());
  ASSERT_EQ(details.fields.size(), 1U);
  EXPECT_EQ(details.fields[0].path, "targets[1].exe[1]");
}

TEST(Decide, WithoutIncludeRuleEverythingButTheExcludedIsTraced) {
  EXPECT_EQ(Decide(Compiled({}).Build({}, NoCgroups), {}), kNoRule);
  const TargetMaps maps = Compiled({{.exclude = true, .pids = {7}}}).Build({}, NoCgroups);
  EXPECT_EQ(Decide(maps, {.pid = 7}), std::nullopt);
  EXPECT_EQ(Decide(maps, {.pid = 8}), kNoRule);
}

TEST(Decide, AllCriteriaOfARuleMustHold) {
  const std::vector<ProcessPtr> processes = {Running("/bin/a", 1)};
  const TargetMaps maps = Compiled({{.exe = {"/bin/a"}, .ports = {80}}}).Build(processes, NoCgroups);
  EXPECT_EQ(Decide(maps, {.exe = {8, 1}, .local_port = 80}), 0U);
  EXPECT_EQ(Decide(maps, {.exe = {8, 1}, .peer_port = 80}), 0U);
  EXPECT_EQ(Decide(maps, {.exe = {8, 1}, .local_port = 81}), std::nullopt);
  EXPECT_EQ(Decide(maps, {.exe = {8, 2}, .local_port = 80}), std::nullopt);
}

TEST(Decide, ExcludeWinsAndTheFirstIncludeNames) {
  const TargetMaps maps =
      Compiled({{.ports = {80}}, {.ports = {443}}, {.pids = {7}}, {.exclude = true, .pids = {9}}}).Build({}, NoCgroups);
  EXPECT_EQ(Decide(maps, {.pid = 7, .local_port = 443}), 1U);
  EXPECT_EQ(Decide(maps, {.pid = 9, .local_port = 80}), std::nullopt);
}

TEST(Decide, CgroupHoldsItsDescendants) {
  const TargetMaps maps = Compiled({{.cgroups = {"/web"}}}).Build({}, [](const std::string&) { return 99; });
  EXPECT_EQ(Decide(maps, {.cgroups = {1, 99, 120}}), 0U);
  EXPECT_EQ(Decide(maps, {.cgroups = {1, 120}}), std::nullopt);
}

TEST(Cgroups, AreResolvedToTheirInode) {
  FakeProc fake;
  fake.Write("/sys/fs/cgroup/web/cgroup.procs", "");
  const CgroupResolver resolve = CgroupsBelow(fake.root() + "/sys/fs/cgroup");
  EXPECT_NE(resolve("/web"), std::nullopt);
  EXPECT_EQ(resolve("/web"), resolve("web"));
  EXPECT_EQ(resolve("/none"), std::nullopt);
  EXPECT_EQ(resolve("/web/cgroup.procs"), std::nullopt);
}

ProcessInfo Worker() {
  ProcessInfo info;
  info.key.tgid = 7;
  info.exe_path = "/usr/bin/worker";
  info.cgroup_path = "/system.slice/app.service/inner";
  return info;
}

TEST(MayPick, LooksAtEverythingButPorts) {
  EXPECT_TRUE(Compiled({}).MayPick(Worker()));
  EXPECT_TRUE(Compiled({{.exe = {"/usr/bin/*"}, .ports = {80}}}).MayPick(Worker()));
  EXPECT_FALSE(Compiled({{.exe = {"/usr/sbin/*"}}}).MayPick(Worker()));
  EXPECT_TRUE(Compiled({{.pids = {6, 7}}}).MayPick(Worker()));
  EXPECT_FALSE(Compiled({{.exe = {"/usr/bin/*"}, .pids = {6}}}).MayPick(Worker()));
}

TEST(MayPick, ACgroupHoldsItsDescendants) {
  EXPECT_TRUE(Compiled({{.cgroups = {"system.slice/app.service"}}}).MayPick(Worker()));
  EXPECT_TRUE(Compiled({{.cgroups = {"/system.slice/"}}}).MayPick(Worker()));
  EXPECT_FALSE(Compiled({{.cgroups = {"system.slice/app"}}}).MayPick(Worker()));
}

TEST(MayPick, ExcludesOnlyWithoutPorts) {
  EXPECT_FALSE(Compiled({{.exclude = true, .exe = {"/usr/bin/worker"}}}).MayPick(Worker()));
  EXPECT_TRUE(Compiled({{.exclude = true, .exe = {"/usr/bin/worker"}, .ports = {80}}}).MayPick(Worker()));
  EXPECT_FALSE(Compiled({{.exe = {"**"}}, {.exclude = true, .pids = {7}}}).MayPick(Worker()));
}

}  // namespace
}  // namespace probed::discovery
