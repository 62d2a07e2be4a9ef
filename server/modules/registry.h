// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// The modules there are: describes all of them without running any, and opens one by name. All [control].
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "server/base/status.h"
#include "server/modules/finder.h"
#include "server/modules/inspect.h"
#include "server/modules/library.h"
#include "server/modules/manifest.h"
#include "server/modules/sealed_image.h"

namespace probed::modules {

/// A module in the configured directories, read from its manifest. With a problem, what could be read is still there.
struct ModuleInfo {
  std::string name;
  std::string version;
  std::string description;
  std::string path;
  std::string status;         // alpha, beta, stable
  std::string digest;         // sha256 of the file, hex; of a folder: of the digests of its two files
  std::string manifest_json;  // whole
  std::string problem;        // why it cannot be used; empty: it can
  std::string reason;         // the problem as a word of the contract: "MODULE_CORRUPT"
  bool codeless = false;
};

/// A module found, checked and loaded; nothing of it has been called yet.
class OpenedModule {
 public:
  OpenedModule(std::string path, SealedImage image, Inspection inspection, Library library);

  const std::string& name() const { return inspection_.manifest.name; }
  const std::string& path() const { return path_; }
  const std::string& digest() const { return image_.sha256(); }
  const Manifest& manifest() const { return inspection_.manifest; }
  Library& library() { return library_; }
  const probe_module_entry_t& entry() const { return library_.entry(); }

  std::vector<std::string> BpfPrototypes() const;

  /// A copy of the kernel object compiled for `prototype`, from the sealed image whose digests were checked.
  /// Errors: NOT_FOUND when the module has none for it.
  Result<std::vector<std::uint8_t>> BpfObject(std::string_view prototype) const;

 private:
  std::string path_;
  SealedImage image_;
  Inspection inspection_;
  Library library_;
};

class Registry {
 public:
  explicit Registry(std::vector<std::string> directories, TrustPolicy policy = {})
      : finder_(std::move(directories), policy) {}

  /// Every module in the directories, sorted by name. A file unchanged since the last call is not read again.
  std::vector<ModuleInfo> Discover();

  /// Only the manifest, checked; no code runs. Errors: those of Open but for the loader's.
  Result<Manifest> ReadManifest(std::string_view name) const;

  /// Errors: MODULE_NAME_INVALID, MODULE_NOT_FOUND, MODULE_UNTRUSTED_PATH, MODULE_UNREADABLE, MODULE_CORRUPT,
  /// MANIFEST_INVALID, MODULE_ABI_MISMATCH, MODULE_DIGEST_MISMATCH, MODULE_LOAD_FAILED, MODULE_CODELESS.
  Result<OpenedModule> Open(std::string_view name) const;

  const Finder& finder() const { return finder_; }

 private:
  /// What tells that a file has changed; of a folder, both of its files.
  using Stamp = std::vector<std::uint64_t>;
  struct Known {
    Stamp stamp;
    ModuleInfo info;
  };

  ModuleInfo Describe(const Candidate& candidate);

  Finder finder_;
  std::map<std::string, Known> known_;  // by path
};

}  // namespace probed::modules
