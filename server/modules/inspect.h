// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Looks into the sealed image of a module without running it: manifest, ABI range, kernel objects and their digests,
// the one symbol. What passes here may be handed to the loader and the verifier.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "server/base/status.h"
#include "server/modules/elf_sections.h"
#include "server/modules/manifest.h"

namespace probed::modules {

inline constexpr std::string_view kManifestSection = ".probed.manifest";

/// Where in the image a kernel object lies.
struct BpfObjectPlace {
  std::string prototype;
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
};

struct Inspection {
  Manifest manifest;
  std::vector<BpfObjectPlace> objects;
  std::uint64_t entry_size = 0;  // of probe_module_entry; 0 for a module without code
};

/// Errors: MODULE_CORRUPT, MANIFEST_INVALID, MODULE_ABI_MISMATCH, MODULE_DIGEST_MISMATCH.
Result<Inspection> InspectImage(Bytes image, const std::string& name);

/// The same for a module without code. Its objects lie in `object`, the file NAME.bpf.o.
Result<Inspection> InspectFolder(Bytes manifest, Bytes object, const std::string& name);

}  // namespace probed::modules
