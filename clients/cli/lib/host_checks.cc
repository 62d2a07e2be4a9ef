// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "clients/cli/lib/host_checks.h"

#include <sys/utsname.h>

#include <charconv>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string_view>
#include <system_error>

namespace probed::cli {
namespace {

namespace fs = std::filesystem;

struct Version {
  int major = 0;
  int minor = 0;
};

Version ParseRelease(std::string_view release) {
  Version version;
  const char* end = release.data() + release.size();
  const auto major = std::from_chars(release.data(), end, version.major);
  if (major.ptr != end && *major.ptr == '.') std::from_chars(major.ptr + 1, end, version.minor);
  return version;
}

std::string ReadLine(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

bool Exists(const std::string& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

Check CheckKernel(const HostFacts& facts) {
  const Version version = ParseRelease(facts.kernel_release);
  Check check{"kernel", Verdict::kGood, facts.kernel_release, ""};
  if (version.major < 6 || (version.major == 6 && version.minor < 1)) {
    check.verdict = Verdict::kBad;
    check.advice = "probed needs Linux 6.1 or newer";
  }
  return check;
}

Check CheckBtf(const HostFacts& facts) {
  const std::string path = facts.root + "/sys/kernel/btf/vmlinux";
  if (std::ifstream(path, std::ios::binary).get() != std::ifstream::traits_type::eof()) {
    return {"kernel types (BTF)", Verdict::kGood, "/sys/kernel/btf/vmlinux", ""};
  }
  return {"kernel types (BTF)", Verdict::kBad, "/sys/kernel/btf/vmlinux cannot be read",
          "use a kernel built with CONFIG_DEBUG_INFO_BTF=y"};
}

Check CheckTracefs(const HostFacts& facts) {
  for (const char* path : {"/sys/kernel/tracing", "/sys/kernel/debug/tracing"}) {
    const std::string events = facts.root + path + "/events";
    if (Exists(events)) return {"tracefs", Verdict::kGood, path, ""};
  }
  return {"tracefs", Verdict::kWarning, "not mounted, or not for this user to see",
          "mount -t tracefs nodev /sys/kernel/tracing (or run doctor as root)"};
}

Check CheckCgroup(const HostFacts& facts) {
  for (const char* path : {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"}) {
    if (Exists(facts.root + path + "/cgroup.controllers")) return {"cgroup v2", Verdict::kGood, path, ""};
  }
  return {"cgroup v2", Verdict::kWarning, "not mounted",
          "targets by cgroup and container ids need it: mount -t cgroup2 none /sys/fs/cgroup"};
}

Check CheckJit(const HostFacts& facts) {
  const std::string value = ReadLine(facts.root + "/proc/sys/net/core/bpf_jit_enable");
  if (value.empty()) return {"BPF JIT", Verdict::kUnknown, "cannot be read by this user", ""};
  if (value != "0") return {"BPF JIT", Verdict::kGood, "on", ""};
  return {"BPF JIT", Verdict::kBad, "off: programs are interpreted", "sysctl net.core.bpf_jit_enable=1"};
}

/// The file reads "none [integrity] confidentiality": brackets stand around what holds.
Check CheckLockdown(const HostFacts& facts) {
  const std::string line = ReadLine(facts.root + "/sys/kernel/security/lockdown");
  if (line.find("[confidentiality]") == std::string::npos) {
    return {"kernel lockdown", Verdict::kGood, line.empty() ? "none" : line, ""};
  }
  return {"kernel lockdown", Verdict::kBad, "confidentiality: BPF may not read memory",
          "boot with lockdown=integrity or less"};
}

/// CapEff of the current process; the daemon's own are in GetInfo.
Check CheckCapabilities(const HostFacts& facts) {
  constexpr std::string_view kKey = "CapEff:\t";
  constexpr unsigned kPerfmon = 38;
  constexpr unsigned kBpf = 39;
  std::ifstream file(facts.root + "/proc/self/status");
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with(kKey)) continue;
    std::uint64_t mask = 0;
    std::from_chars(line.data() + kKey.size(), line.data() + line.size(), mask, 16);
    if ((mask >> kPerfmon & mask >> kBpf & 1U) != 0) {
      return {"this user", Verdict::kGood, "may load BPF (CAP_BPF, CAP_PERFMON)", ""};
    }
    return {"this user", Verdict::kUnknown, "lacks CAP_BPF or CAP_PERFMON; the daemon needs both",
            "the daemon's unit grants them"};
  }
  return {"this user", Verdict::kUnknown, "capabilities cannot be read", ""};
}

}  // namespace

HostFacts RealHost() {
  utsname name{};
  ::uname(&name);
  return {"", name.release};
}

std::vector<Check> CheckHost(const HostFacts& facts) {
  return {CheckKernel(facts), CheckBtf(facts),      CheckTracefs(facts),     CheckCgroup(facts),
          CheckJit(facts),    CheckLockdown(facts), CheckCapabilities(facts)};
}

}  // namespace probed::cli
