// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/discovery/process_info.h"

#include <gmock/gmock.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "server/discovery/host_info.h"
#include "server/discovery/tests/fake_proc.h"

namespace probed::discovery {
namespace {

using ::testing::ElementsAre;
using ::testing::UnorderedElementsAre;

const std::string kId(64, 'a');

TEST(ProcReader, ReadsAProcess) {
  FakeProc fake;
  fake.Write("/etc/passwd", "root:x:0:0:root:/root:/bin/sh\nshop:x:1001:1001::/home:/bin/sh\n");
  fake.Put({.pid = 42,
            .parent = 7,
            .start_ticks = 123456,
            .comm = "a) (b",
            .exe = "/opt/shop/bin/shop",
            .cmdline = std::string("shop\0--port\0080\0", 15),
            .environ_text = std::string("OTEL_SERVICE_NAME=store\0", 24),
            .cgroup = "0::/docker/" + kId + "\n",
            .uid = 1001});
  const std::optional<ProcessInfo> info = ProcReader(fake.root()).Read(42);
  ASSERT_TRUE(info);
  EXPECT_EQ(info->key, (ProcessKey{42, 123456}));
  EXPECT_EQ(info->parent, 7U);
  EXPECT_EQ(info->comm, "a) (b");
  EXPECT_EQ(info->exe_path, fake.root() + "/opt/shop/bin/shop");
  EXPECT_THAT(info->command, ElementsAre("shop", "--port", "80"));
  EXPECT_EQ(info->owner, "shop");
  EXPECT_EQ(info->cgroup_path, "/docker/" + kId);
  EXPECT_EQ(info->container_id, kId);
  EXPECT_EQ(info->env.service_name, "store");
  EXPECT_FALSE(info->is_go);
}

TEST(ProcReader, NamesTheExecutableAsTheKernelDoes) {
  FakeProc fake;
  fake.Put({.pid = 42, .exe = "/bin/app"});
  struct stat file{};
  ASSERT_EQ(stat((fake.root() + "/bin/app").c_str(), &file), 0);
  const std::optional<ProcessInfo> info = ProcReader(fake.root()).Read(42);
  ASSERT_TRUE(info);
  EXPECT_EQ(info->exe, (FileId{KernelDevice(file.st_dev), file.st_ino}));
}

TEST(ProcReader, GoneProcessIsNothing) {
  FakeProc fake;
  EXPECT_EQ(ProcReader(fake.root()).Read(42), std::nullopt);
  fake.Write("/proc/42/stat", "42 garbage");
  EXPECT_EQ(ProcReader(fake.root()).Read(42), std::nullopt);
}

TEST(ProcReader, UnknownOwnerIsItsNumber) {
  FakeProc fake;
  fake.Write("/etc/passwd", "broken line\nroot:x:0:0::/:\n");
  fake.Put({.pid = 42, .uid = 77});
  EXPECT_EQ(ProcReader(fake.root()).Read(42)->owner, "77");
}

TEST(ProcReader, OldCgroupHierarchiesNameTheContainerToo) {
  FakeProc fake;
  fake.Put({.pid = 42, .cgroup = "12:pids:/user.slice\n5:cpu,cpuacct:/docker/" + kId + "\n0::/\n"});
  EXPECT_EQ(ProcReader(fake.root()).Read(42)->container_id, kId);
}

TEST(ProcReader, ListsNumbersOnly) {
  FakeProc fake;
  fake.Put({.pid = 1});
  fake.Put({.pid = 42});
  fake.Write("/proc/self/stat", "");
  fake.Write("/proc/4x/stat", "");
  EXPECT_THAT(ProcReader(fake.root()).ListProcesses(), UnorderedElementsAre(1U, 42U));
}

TEST(ProcReader, ReadsThisVeryProcess) {
  ProcReader reader;
  const auto info = reader.Read(static_cast<std::uint32_t>(getpid()));
  ASSERT_TRUE(info);
  EXPECT_EQ(info->uid, getuid());
  EXPECT_TRUE(info->exe_path.ends_with("discovery_process_test")) << info->exe_path;
  EXPECT_GT(info->key.start_ticks, 0U);
}

TEST(ProcessKey, NanosecondsAndTicksNameTheSameProcess) {
  EXPECT_EQ(ProcessKey::FromBootTime(1, 1'239'999'999), (ProcessKey{1, 123}));
  EXPECT_EQ((ProcessKey{1, 123}).start_ns(), 1'230'000'000U);
}

TEST(KernelDevice, PutsTheMajorNumberAboveTwentyBits) { EXPECT_EQ(KernelDevice(makedev(8, 1)), 8U << 20U | 1U); }

TEST(HostInfo, ReadsTheMachinesFiles) {
  FakeProc fake;
  fake.Write("/proc/sys/kernel/hostname", "box\n");
  fake.Write("/var/lib/dbus/machine-id", "d1d2\n");
  fake.Write("/proc/sys/kernel/random/boot_id", "b1\n");
  fake.Write("/proc/stat", "cpu  1 2 3\nintr 5\nbtime 1700000000\nprocesses 4\n");
  const HostInfo host = ReadHostInfo(fake.root());
  EXPECT_EQ(host.name, "box");
  EXPECT_EQ(host.id, "d1d2");
  EXPECT_EQ(host.boot_id, "b1");
  EXPECT_EQ(host.boot_utc_ns, 1'700'000'000'000'000'000U);
  EXPECT_FALSE(host.arch.empty());
  fake.Write("/etc/machine-id", "e1e2\n");
  EXPECT_EQ(ReadHostInfo(fake.root()).id, "e1e2");
}

}  // namespace
}  // namespace probed::discovery
