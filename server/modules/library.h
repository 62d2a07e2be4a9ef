// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// A module's code in memory: dlopen of the sealed image by Boost.DLL, the ABI check of its one symbol, and an unload
// that looks whether the code has really gone. All [control].
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "api/module/probe_module.h"
#include "server/base/status.h"
#include "server/modules/sealed_image.h"

namespace probed::modules {

/// What unload could verify.
struct UnloadOutcome {
  bool kept_for_sanitizer = false;       // a sanitizer build keeps code: its reports need the symbols
  std::vector<std::string> left_behind;  // lines of /proc/self/maps that still show the image
};

/// Checks an entry as found in a library and copies what both sides know; a field beyond theirs is null in `*ours`.
/// `available` is the size of the object that holds the entry (0: unknown). Errors: MODULE_ABI_MISMATCH,
/// MODULE_CORRUPT.
[[nodiscard]] Status AdoptEntry(const void* theirs, std::uint64_t available, const std::string& name,
                                probe_module_entry_t* ours);

class Library {
 public:
  /// Loads the code of `image`; `entry_size` is the size of the symbol as the ELF file has it.
  /// Errors: MODULE_LOAD_FAILED with the loader's text, MODULE_ABI_MISMATCH, MODULE_CORRUPT. Nothing stays loaded then.
  static Result<Library> Load(const SealedImage& image, const std::string& name, std::uint64_t entry_size);

  Library(Library&&) noexcept;
  Library& operator=(Library&&) noexcept;
  ~Library();  // unloads if Unload was not called

  /// Valid until Unload. Its struct_size is the host's, its abi_minor the module's.
  const probe_module_entry_t& entry() const { return entry_; }

  /// Gives the code back; everything of the module must be gone before (instance, extensions, error texts).
  UnloadOutcome Unload();

 private:
  struct Handle;
  Library(std::unique_ptr<Handle> handle, dev_t device, ino_t inode);

  std::unique_ptr<Handle> handle_;
  dev_t device_ = 0;
  ino_t inode_ = 0;
  probe_module_entry_t entry_{};
};

/// A spelling of /proc/self/fd/`fd` that no call before returned: the loader takes a path it knows for the library it
/// already has, whatever the descriptor is by then.
std::string UnusedPathOf(int fd);

/// Lines of `maps` (the text of /proc/self/maps) that map this file.
std::vector<std::string> MappingsOf(const std::string& maps, dev_t device, ino_t inode);

}  // namespace probed::modules
