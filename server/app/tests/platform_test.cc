// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/app/platform.h"

#include <gmock/gmock.h>
#include <linux/capability.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cctype>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <string>
#include <utility>

namespace probed::app {
namespace {

using ::testing::AnyOf;
using ::testing::Contains;
using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(Platform, SaysWhatTheKernelHasWithoutACore) {
  const state::PlatformInfo info = ReadPlatform(nullptr);
  utsname name{};
  ASSERT_EQ(uname(&name), 0);
  EXPECT_EQ(info.kernel_release, name.release);
  EXPECT_EQ(info.backend, "");
  if (access("/sys/kernel/btf/vmlinux", R_OK) != 0) {
    EXPECT_THAT(info.backends_available, IsEmpty());
    EXPECT_THAT(info.missing_features, Contains(HasSubstr("BTF")));
    return;
  }
  EXPECT_THAT(info.backends_available, Each(AnyOf("sock", "fexit")));
  for (const char* backend : {"sock", "fexit"}) {
    const bool missing = std::any_of(info.missing_features.begin(), info.missing_features.end(), [&](const auto& text) {
      return text.ends_with(std::string("backend ") + backend);
    });
    const bool available = std::count(info.backends_available.begin(), info.backends_available.end(), backend) == 1;
    EXPECT_NE(missing, available) << backend;
  }
}

TEST(Platform, NamesCapabilitiesAsTheUnitDoes) {
  const state::PlatformInfo info = ReadPlatform(nullptr);
  for (const std::string& name : info.capabilities) {
    EXPECT_TRUE(name.starts_with("CAP_")) << name;
    for (const char c : name) EXPECT_FALSE(std::islower(static_cast<unsigned char>(c))) << name;
  }
  std::ifstream status("/proc/self/status");
  std::uint64_t effective = 0;
  for (std::string word; status >> word;) {
    if (word == "CapEff:") status >> std::hex >> effective;
  }
  // Those that the unit grants, and those that stand for some of them.
  for (const auto& [name, number] :
       {std::pair("CAP_BPF", CAP_BPF), std::pair("CAP_PERFMON", CAP_PERFMON), std::pair("CAP_NET_ADMIN", CAP_NET_ADMIN),
        std::pair("CAP_SYS_ADMIN", CAP_SYS_ADMIN), std::pair("CAP_SYS_PTRACE", CAP_SYS_PTRACE),
        std::pair("CAP_DAC_READ_SEARCH", CAP_DAC_READ_SEARCH), std::pair("CAP_SYS_RESOURCE", CAP_SYS_RESOURCE),
        std::pair("CAP_CHECKPOINT_RESTORE", CAP_CHECKPOINT_RESTORE), std::pair("CAP_CHOWN", CAP_CHOWN)}) {
    const auto held = std::count(info.capabilities.begin(), info.capabilities.end(), name);
    EXPECT_EQ(held, static_cast<std::ptrdiff_t>(effective >> number & 1U)) << name;
  }
}

TEST(Platform, ShardsAreAPowerOfTwo) {
  EXPECT_TRUE(std::has_single_bit(ShardCount()));
  EXPECT_LE(ShardCount(), static_cast<std::uint32_t>(PB_MAX_SHARDS));
}

}  // namespace
}  // namespace probed::app
