// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// The desired state on disk: one header line of JSON (schema, generation, checksum), then the document as YAML. Written
// to a temporary file, synced and renamed, so that a crash leaves the old or the new one. The file may hold secrets of
// sinks: mode 0600.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "server/base/status.h"
#include "server/config/model.h"

namespace probed::state {

struct StoredState {
  std::uint64_t generation = 0;
  std::uint64_t changed_at_utc_ns = 0;
  std::string file_hash;  // StateHash of the probed.yaml this began from; empty: there was none
  config::State state;
};

class StateStore {
 public:
  explicit StateStore(std::string path) : path_(std::move(path)) {}

  /// Nothing when there is no file. FAILED_PRECONDITION with STATE_TOO_NEW, DATA_LOSS with STATE_CORRUPT: the file is
  /// kept as it is.
  Result<std::optional<StoredState>> Load() const;
  /// UNAVAILABLE with STATE_NOT_SAVED; the old file is then still there.
  Status Save(const StoredState& stored) const;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

/// With what the daemon starts.
struct StartState {
  StoredState stored;
  std::vector<std::string> differences;  // what the file changes against what was stored, one sentence each
};

/// What was stored goes on, unless the file changed since: then the file wins. `file`: nothing when there is none.
StartState ChooseStart(const std::optional<StoredState>& stored, const std::optional<config::State>& file);

}  // namespace probed::state
