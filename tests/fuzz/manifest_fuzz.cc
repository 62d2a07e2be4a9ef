// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Everything that is read of a module before its code runs: the file as ELF, and the manifest's text by itself. A
// manifest that passes must also be able to complete a configuration.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "server/modules/config_schema.h"
#include "server/modules/elf_sections.h"
#include "server/modules/inspect.h"
#include "server/modules/manifest.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace probed::modules;  // NOLINT(google-build-using-namespace)
  const Bytes bytes(data, size);
  static_cast<void>(InspectImage(bytes, "http").ok());
  if (const auto elf = ElfImage::Parse(bytes); elf.ok()) {
    static_cast<void>(elf->DynamicSymbols().ok());
    static_cast<void>(elf->NeededLibraries().ok());
  }
  const auto manifest = ParseManifest({reinterpret_cast<const char*>(data), size});
  if (manifest.ok()) static_cast<void>(CompleteConfig(manifest->config_schema, "{}").ok());
  return 0;
}
