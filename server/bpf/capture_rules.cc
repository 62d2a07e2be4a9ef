// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// What user space tells the kernel of single processes, ports and streams: targets, the daemon's own ports, hints.
#include <bpf/bpf.h>

#include <atomic>
#include <cerrno>

#include "server/bpf/capture_core.h"
#include "server/bpf/map_io.h"

namespace probed::bpf {

Status CaptureCore::SetRules(const KernelRules& rules) {
  std::map<std::array<std::uint64_t, 2>, std::uint64_t> exes;
  for (const auto& [key, mask] : rules.exes) exes[{key.second, key.first}] = mask;
  static_assert(sizeof(pb_exe_key) == 2 * sizeof(std::uint64_t));
  RETURN_IF_ERROR(Replace(core_.MapFd("pb_rule_exes"), exes, "cannot write exe rules"));
  RETURN_IF_ERROR(Replace(core_.MapFd("pb_rule_ports"), rules.ports, "cannot write port rules"));
  RETURN_IF_ERROR(Replace(core_.MapFd("pb_rule_pids"), rules.pids, "cannot write pid rules"));
  RETURN_IF_ERROR(Replace(core_.MapFd("pb_rule_cgrps"), rules.cgroups, "cannot write cgroup rules"));
  RETURN_IF_ERROR(Update(core_.MapFd("pb_rules"), std::uint32_t{0}, rules.masks, "cannot write rules"));
  std::atomic_ref<__u32>(control_->target_generation).fetch_add(1, std::memory_order_release);
  ForgetRoutes();
  return OkStatus();
}

Status CaptureCore::AddExeRule(std::uint32_t device, std::uint64_t inode, std::uint64_t mask) {
  const int map = core_.MapFd("pb_rule_exes");
  const pb_exe_key key{.inode = inode, .device = device, .reserved = 0};
  std::uint64_t known = 0;
  if (bpf_map_lookup_elem(map, &key, &known) == 0 && known == mask) return OkStatus();
  RETURN_IF_ERROR(Update(map, key, mask, "cannot write an exe rule"));
  std::atomic_ref<__u32>(control_->target_generation).fetch_add(1, std::memory_order_release);
  ForgetRoutes();
  return OkStatus();
}

Status CaptureCore::AddSelfPort(std::uint16_t port) {
  return Update(core_.MapFd("pb_self_ports"), std::uint32_t{port}, std::uint32_t{1}, "cannot note an own port");
}

Status CaptureCore::RemoveSelfPort(std::uint16_t port) {
  const std::uint32_t key = port;
  if (bpf_map_delete_elem(core_.MapFd("pb_self_ports"), &key) == 0 || errno == ENOENT) return OkStatus();
  return MapError("cannot forget an own port", errno);
}

// The word moves after the hint is there, so who sees it move finds the hint.
Status CaptureCore::PutHint(std::uint64_t cookie, const pb_hint& hint) {
  RETURN_IF_ERROR(Update(core_.MapFd("pb_hints"), cookie, hint, "cannot release a stream"));
  std::atomic_ref<__u32>(control_->hint_generation).fetch_add(1, std::memory_order_release);
  ForgetRoutes();
  return OkStatus();
}

}  // namespace probed::bpf
