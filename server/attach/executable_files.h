// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Which files a process has mapped to be executed, and how to get at them: a file is opened through the process that
// maps it, because its path means something in that process's mount namespace only, and may be gone.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/base/fd.h"
#include "server/base/status.h"

namespace probed::attach {

/// A file as the mappings of a process name it.
struct FileKey {
  std::uint64_t device = 0;  // major << 32 | minor
  std::uint64_t inode = 0;
  auto operator<=>(const FileKey&) const = default;
};

struct MappedFile {
  FileKey key;
  std::string range;  // of one of its mappings, as /proc/PID/map_files names it
  std::string path;   // in the process's namespace; for messages, and where map_files may not be used
};

/// Distinct files of a /proc/PID/maps text, in order. Lines that are no file's, or are malformed, are left out.
std::vector<MappedFile> ParseExecutableFiles(std::string_view maps);

/// Nothing when the process is gone or may not be looked at.
std::optional<std::vector<MappedFile>> ReadExecutableFiles(std::uint32_t pid);

/// Errors: NOT_FOUND when the process ended or unmapped it meanwhile, PERMISSION_DENIED and others as they come.
Result<Fd> OpenMappedFile(std::uint32_t pid, const MappedFile& file);

}  // namespace probed::attach
