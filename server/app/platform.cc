// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/app/platform.h"

#include <absl/strings/ascii.h>
#include <sys/capability.h>
#include <sys/utsname.h>

#include <algorithm>
#include <bit>
#include <thread>
#include <utility>

#include "server/bpf/kernel_features.h"

namespace probed::app {
namespace {

constexpr std::uint32_t kCpusPerShard = 8;

std::vector<std::string> HeldCapabilities() {
  std::vector<std::string> names;
  for (const cap_value_t value : {CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN, CAP_SYS_ADMIN, CAP_SYS_PTRACE,
                                  CAP_DAC_READ_SEARCH, CAP_SYS_RESOURCE, CAP_CHECKPOINT_RESTORE, CAP_CHOWN}) {
    cap_t held = cap_get_proc();
    cap_flag_value_t set = CAP_CLEAR;
    if (held != nullptr && cap_get_flag(held, value, CAP_EFFECTIVE, &set) == 0 && set == CAP_SET) {
      char* name = cap_to_name(value);
      names.emplace_back(name);
      absl::AsciiStrToUpper(&names.back());
      cap_free(name);
    }
    cap_free(held);
  }
  return names;
}

}  // namespace

std::uint32_t ShardCount() {
  const std::uint32_t cpus = std::max(1U, std::thread::hardware_concurrency());
  const std::uint32_t wanted = (cpus + kCpusPerShard - 1) / kCpusPerShard;
  return std::min<std::uint32_t>(std::bit_ceil(wanted), PB_MAX_SHARDS);
}

state::PlatformInfo ReadPlatform(const bpf::CaptureCore* core) {
  state::PlatformInfo info;
  utsname name{};
  if (uname(&name) == 0) info.kernel_release = name.release;
  info.capabilities = HeldCapabilities();
  info.shards = ShardCount();
  bpf::KernelFeatures features = bpf::ReadKernelFeatures();
  info.missing_features = std::move(features.missing);
  info.backends_available = std::move(features.backends);
  if (core != nullptr) info.backend = std::string(bpf::BackendName(core->backend()));
  return info;
}

}  // namespace probed::app
