// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/bpf/kernel_functions.h"

#include <bpf/btf.h>

#include <memory>

namespace probed::bpf {

std::set<std::string, std::less<>> KernelFunctionsAmong(std::span<const char* const> names) {
  std::set<std::string, std::less<>> found;
  const std::unique_ptr<btf, decltype(&btf__free)> types(btf__load_vmlinux_btf(), btf__free);
  if (types == nullptr) return found;
  for (const char* name : names)
    if (btf__find_by_name_kind(types.get(), name, BTF_KIND_FUNC) > 0) found.insert(name);
  return found;
}

}  // namespace probed::bpf
