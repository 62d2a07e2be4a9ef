// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/bpf/kernel_features.h"

#include <bpf/btf.h>
#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <memory>

#include "server/base/fd.h"
#include "server/bpf/options.h"
#include "server/bpf/trial.h"

namespace probed::bpf {
namespace {

struct BtfCloser {
  void operator()(btf* types) const { btf__free(types); }
};

bool Has(const btf* types, const char* name, std::uint32_t kind) {
  return btf__find_by_name_kind(types, name, kind) > 0;
}

/// What a backend hooks, as the kernel's types have it.
struct Needs {
  const char* backend;
  const char* sentence;  // that these are missing
  bpf_attach_type attach;
  std::uint32_t kind;
  const char* hooks[2];
};
// The kernel's name for the type of a tracepoint's arguments is btf_trace_<tracepoint>.
constexpr Needs kBackends[] = {
    {"sock",
     "tracepoints sock_recv_length and sock_send_length (6.3)",
     BPF_TRACE_RAW_TP,
     BTF_KIND_TYPEDEF,
     {"btf_trace_sock_recv_length", "btf_trace_sock_send_length"}},
    {"fexit",
     "functions tcp_recvmsg and tcp_sendmsg in its BTF",
     BPF_TRACE_FEXIT,
     BTF_KIND_FUNC,
     {"tcp_recvmsg", "tcp_sendmsg"}},
};

/// The errno with which the kernel refuses an empty program at a hook, or 0. Lockdown refuses what its types offer.
int Refusal(const btf* types, const Needs& needs, const char* hook) {
  auto options = NoOptions<bpf_prog_load_opts>();
  options.expected_attach_type = needs.attach;
  options.attach_btf_id = static_cast<std::uint32_t>(btf__find_by_name_kind(types, hook, needs.kind));
  const Fd program = LoadNothing(BPF_PROG_TYPE_TRACING, options);
  return program.valid() ? 0 : errno;
}

/// Why a backend does not work here, or nothing.
std::string WhyNot(const btf* types, const Needs& needs) {
  for (const char* hook : needs.hooks)
    if (!Has(types, hook, needs.kind)) return needs.sentence;
  for (const char* hook : needs.hooks)
    if (const int error = Refusal(types, needs, hook); error != 0)
      return fmt::format("programs at {} ({})", hook, std::strerror(error));
  return {};
}

}  // namespace

KernelFeatures ReadKernelFeatures() {
  KernelFeatures features;
  const std::unique_ptr<btf, BtfCloser> types(btf__load_vmlinux_btf());
  if (types == nullptr) {
    features.missing.emplace_back("kernel BTF (/sys/kernel/btf/vmlinux): nothing can be captured");
    return features;
  }
  for (const Needs& needs : kBackends) {
    if (const std::string why = WhyNot(types.get(), needs); why.empty())
      features.backends.emplace_back(needs.backend);
    else
      features.missing.push_back(fmt::format("{}: backend {}", why, needs.backend));
  }
  if (Has(types.get(), kTcpSendpage, BTF_KIND_FUNC)) std::reverse(features.backends.begin(), features.backends.end());
  if (!Has(types.get(), "bpf_uprobe_multi_link", BTF_KIND_STRUCT))
    features.missing.emplace_back("uprobe_multi links (6.6): probes are attached one by one");
  return features;
}

KernelFunctions KernelFunctionsAmong(std::span<const char* const> names) {
  KernelFunctions found;
  const std::unique_ptr<btf, BtfCloser> types(btf__load_vmlinux_btf());
  if (types == nullptr) return found;
  for (const char* name : names)
    if (Has(types.get(), name, BTF_KIND_FUNC)) found.insert(name);
  return found;
}

}  // namespace probed::bpf
