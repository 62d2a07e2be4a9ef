// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Attaches a loaded program to places in a file, for every process that maps it: one uprobe_multi link for all of them
// where the kernel has it (6.6 and newer), else a perf event each. [control]
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "server/base/status.h"
#include "server/bpf/object.h"

namespace probed::bpf {

enum class UprobeKind { kMulti, kPerf };

/// What `wanted` says ("multi", "perf"), or when it is empty the better one of this kernel's.
UprobeKind ChooseUprobes(std::string_view wanted);

/// To be called before the object is loaded: a program is loaded for one kind of link.
void PrepareUprobes(const Object& object, UprobeKind kind);

/// Attaches all or nothing. `path` may be one of /proc/self/fd: the kernel keeps the file, not the name.
Result<std::vector<Link>> AttachUprobes(const Object& object, const std::string& program, UprobeKind kind,
                                        const std::string& path, std::span<const std::uint64_t> offsets,
                                        bool is_return);

}  // namespace probed::bpf
