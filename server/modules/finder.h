// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Finds modules by name in the configured directories and opens their files only if nobody but root could have put them
// there: every component of a directory's path and the file itself are checked on the descriptors that are then used.
// Knows paths and owners; nothing of what is in the files.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/base/fd.h"
#include "server/base/status.h"

namespace probed::modules {

/// Who may own what the daemon runs.
struct TrustPolicy {
  /// Besides root the daemon's own user is trusted. For tests and for a daemon that a developer runs unprivileged.
  bool trust_own_user = false;
};

/// How a module lies in a directory.
enum class ModuleForm : std::uint8_t { kSharedObject /* NAME.so */, kFolder /* NAME/manifest.json, NAME/NAME.bpf.o */ };

/// A name found, with its place; not yet opened or trusted.
struct Candidate {
  std::string name;
  std::string directory;
  std::string path;
  ModuleForm form = ModuleForm::kSharedObject;
};

class Finder {
 public:
  Finder(std::vector<std::string> directories, TrustPolicy policy)
      : directories_(std::move(directories)), policy_(policy) {}

  const std::vector<std::string>& directories() const { return directories_; }

  /// Every name in the directories, sorted; of one name the first directory's. Directories that are missing or cannot
  /// be read hold nothing.
  std::vector<Candidate> List() const;

  /// Errors: MODULE_NAME_INVALID, MODULE_NOT_FOUND with the nearest name.
  Result<Candidate> Find(std::string_view name) const;

  /// Opens a file of the candidate for reading: the shared object, or `file` of the folder.
  /// Errors: MODULE_UNTRUSTED_PATH, MODULE_NOT_FOUND, MODULE_UNREADABLE.
  Result<Fd> Open(const Candidate& candidate, std::string_view file = "") const;

  /// Opens a directory without following a symbolic link, checking owner and mode of every component from the root.
  /// Errors: MODULE_UNTRUSTED_PATH, MODULE_NOT_FOUND.
  Result<Fd> OpenDirectory(const std::string& directory) const;

 private:
  std::vector<std::string> directories_;
  TrustPolicy policy_;
};

}  // namespace probed::modules
