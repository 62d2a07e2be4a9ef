// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// BPF objects that the daemon carries.
#pragma once

#include <string_view>

namespace probed::bpf {

/// The core object (bpf/core), an ELF file. LIFETIME: the program.
std::string_view EmbeddedCore();

}  // namespace probed::bpf
