// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/bpf/kernel_features.h"

#include <bpf/btf.h>

#include <algorithm>
#include <cstdint>
#include <memory>

namespace probed::bpf {
namespace {

struct BtfCloser {
  void operator()(btf* types) const { btf__free(types); }
};

bool Has(const btf* types, const char* name, std::uint32_t kind) {
  return btf__find_by_name_kind(types, name, kind) > 0;
}

}  // namespace

KernelFeatures ReadKernelFeatures() {
  KernelFeatures features;
  const std::unique_ptr<btf, BtfCloser> types(btf__load_vmlinux_btf());
  if (types == nullptr) {
    features.missing.emplace_back("kernel BTF (/sys/kernel/btf/vmlinux): nothing can be captured");
    return features;
  }
  // The kernel's name for the type of a tracepoint's arguments.
  const bool sock = Has(types.get(), "btf_trace_sock_recv_length", BTF_KIND_TYPEDEF) &&
                    Has(types.get(), "btf_trace_sock_send_length", BTF_KIND_TYPEDEF);
  const bool fexit = Has(types.get(), "tcp_recvmsg", BTF_KIND_FUNC) && Has(types.get(), "tcp_sendmsg", BTF_KIND_FUNC);
  if (sock) features.backends.emplace_back("sock");
  if (fexit) features.backends.emplace_back("fexit");
  if (Has(types.get(), kTcpSendpage, BTF_KIND_FUNC)) std::reverse(features.backends.begin(), features.backends.end());
  if (!sock) features.missing.emplace_back("tracepoints sock_recv_length and sock_send_length (6.3): backend sock");
  if (!fexit) features.missing.emplace_back("functions tcp_recvmsg and tcp_sendmsg in its BTF: backend fexit");
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
