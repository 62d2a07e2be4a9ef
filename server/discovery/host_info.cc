// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/discovery/host_info.h"

#include <sys/utsname.h>

#include <charconv>
#include <string_view>

#include "server/discovery/file_text.h"

namespace probed::discovery {
namespace {

constexpr std::uint64_t kNsPerSecond = 1'000'000'000;

// Kernel's machine names and the values that semantic conventions give host.arch.
std::string ArchName(std::string_view machine) {
  if (machine == "x86_64") return "amd64";
  if (machine == "aarch64") return "arm64";
  if (machine.starts_with("arm")) return "arm32";
  if (machine == "ppc64le" || machine == "ppc64") return "ppc64";
  if (machine.size() == 4 && machine[0] == 'i' && machine.ends_with("86")) return "x86";
  return std::string(machine);
}

std::string MachineArch() {
  utsname names{};
  return uname(&names) == 0 ? ArchName(names.machine) : std::string();
}

std::string FirstLine(const std::string& path) {
  const std::string text = ReadText(path).value_or("");
  return text.substr(0, text.find('\n'));
}

std::uint64_t BootUtcNs(const std::string& stat) {
  constexpr std::string_view kKey = "\nbtime ";
  const std::size_t at = stat.find(kKey);
  if (at == std::string::npos) return 0;
  std::uint64_t seconds = 0;
  std::from_chars(stat.data() + at + kKey.size(), stat.data() + stat.size(), seconds);
  return seconds * kNsPerSecond;
}

}  // namespace

HostInfo ReadHostInfo(const std::string& root) {
  HostInfo host;
  host.name = FirstLine(root + "/proc/sys/kernel/hostname");
  host.id = FirstLine(root + "/etc/machine-id");
  if (host.id.empty()) host.id = FirstLine(root + "/var/lib/dbus/machine-id");
  host.arch = MachineArch();
  host.boot_id = FirstLine(root + "/proc/sys/kernel/random/boot_id");
  host.boot_utc_ns = BootUtcNs(ReadText(root + "/proc/stat").value_or(""));
  return host;
}

}  // namespace probed::discovery
