// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "clients/cli/lib/host_checks.h"

#include <gmock/gmock.h>

#include <filesystem>

#include "clients/cli/tests/fake_daemon.h"

namespace probed::cli {
namespace {

/// A folder that looks like a healthy host.
class Host {
 public:
  Host() {
    Put("sys/kernel/btf", "vmlinux", "btf");
    Put("sys/kernel/tracing/events", "enable", "0");
    Put("sys/fs/cgroup", "cgroup.controllers", "cpu");
    Put("proc/sys/net/core", "bpf_jit_enable", "1\n");
    Put("sys/kernel/security", "lockdown", "[none] integrity confidentiality\n");
    Put("proc/self", "status", "Name:\tx\nCapEff:\t000001ffffffffff\n");
  }

  void Put(const std::string& folder, const std::string& name, const std::string& text) {
    std::filesystem::create_directories(folder_.Path(folder));
    folder_.Write(folder + "/" + name, text);
  }
  void Remove(const std::string& name) { std::filesystem::remove_all(folder_.Path(name)); }

  Check Find(const std::string& name, const std::string& kernel = "6.1.0-1-amd64") const {
    for (const Check& check : CheckHost({folder_.Path(""), kernel})) {
      if (check.name == name) return check;
    }
    ADD_FAILURE() << "no check " << name;
    return {};
  }

 private:
  TempFolder folder_;
};

TEST(HostChecks, AHealthyHostIsHealthy) {
  const Host host;
  for (const char* name :
       {"kernel", "kernel types (BTF)", "tracefs", "cgroup v2", "BPF JIT", "kernel lockdown", "this user"}) {
    EXPECT_EQ(host.Find(name).verdict, Verdict::kGood) << name;
  }
}

TEST(HostChecks, OldKernelsAreTooOld) {
  const Host host;
  EXPECT_EQ(host.Find("kernel", "5.15.0").verdict, Verdict::kBad);
  EXPECT_EQ(host.Find("kernel", "6.0.9").verdict, Verdict::kBad);
  EXPECT_EQ(host.Find("kernel", "10.0").verdict, Verdict::kGood);
  EXPECT_EQ(host.Find("kernel", "").verdict, Verdict::kBad);
}

TEST(HostChecks, WhatIsMissingHasAdvice) {
  Host host;
  for (const char* name : {"sys/kernel/btf", "sys/kernel/tracing", "sys/fs/cgroup"}) host.Remove(name);
  EXPECT_EQ(host.Find("kernel types (BTF)").verdict, Verdict::kBad);
  EXPECT_EQ(host.Find("tracefs").verdict, Verdict::kWarning);
  EXPECT_EQ(host.Find("cgroup v2").verdict, Verdict::kWarning);
  for (const char* name : {"kernel types (BTF)", "tracefs", "cgroup v2"}) EXPECT_NE(host.Find(name).advice, "");
}

TEST(HostChecks, JitLockdownAndCapabilities) {
  Host host;
  host.Put("proc/sys/net/core", "bpf_jit_enable", "0\n");
  host.Put("sys/kernel/security", "lockdown", "none integrity [confidentiality]\n");
  host.Put("proc/self", "status", "CapEff:\t0000000000000000\n");
  EXPECT_EQ(host.Find("BPF JIT").verdict, Verdict::kBad);
  EXPECT_EQ(host.Find("kernel lockdown").verdict, Verdict::kBad);
  EXPECT_EQ(host.Find("this user").verdict, Verdict::kUnknown);
}

TEST(HostChecks, TheRealHostCanBeAsked) {
  EXPECT_FALSE(RealHost().kernel_release.empty());
  EXPECT_EQ(CheckHost(RealHost()).size(), 7U);
}

}  // namespace
}  // namespace probed::cli
