// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// A module's manifest, read from its file without running any of its code.
#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <string>
#include <vector>

namespace probed::cli {

struct ModuleFile {
  struct Section {
    std::string name;
    std::uint64_t size = 0;
  };
  std::string manifest;               // section .probed.manifest, JSON
  std::vector<Section> bpf_sections;  // .probed.bpf.<n>
};

/// INVALID_ARGUMENT when it is no ELF file or no module.
absl::StatusOr<ModuleFile> ReadModuleFile(const std::string& path);

}  // namespace probed::cli
