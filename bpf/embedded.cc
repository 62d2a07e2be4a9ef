// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "bpf/embedded.h"

extern "C" const char probed_core_begin[];
extern "C" const char probed_core_end[];

namespace probed::bpf {

std::string_view EmbeddedCore() {
  return {probed_core_begin, static_cast<std::size_t>(probed_core_end - probed_core_begin)};
}

}  // namespace probed::bpf
