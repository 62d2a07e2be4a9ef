// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Which modules brought the process down, over restarts. The crash handler appends lines to the file; a start reads and
// compacts it. One crash: the module is held for the next run and tried again in the one after. Two in a row: held
// until a user clears it. All [control].
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "server/base/status.h"

namespace probed::modules {

struct QuarantineEntry {
  std::string module;
  std::uint32_t count = 0;  // crashes in a row
  bool served = false;      // a run without it has passed since the last one
  std::uint32_t instance = 0;
  std::string phase;  // of the last one: "on_segment"
  int signal = 0;

  bool operator==(const QuarantineEntry&) const = default;

  /// Whether the module must stay out of this run.
  bool Holds() const { return count >= 2 || (count == 1 && !served); }

  /// Text for a condition: "it crashed the daemon in on_segment (signal 11, Segmentation fault), 2 times in a row".
  std::string Reason() const;
};

/// What the file says now. A missing file is empty; a line nobody understands is skipped.
std::vector<QuarantineEntry> ReadQuarantine(const std::string& path);

/// At the start of the daemon: returns what is held in this run, and marks single crashes as served by it.
/// Errors: QUARANTINE_UNWRITABLE (the entries then hold again at the next start).
Result<std::vector<QuarantineEntry>> BeginRun(const std::string& path);

/// A user wants the module back: forgets its crashes. Errors: QUARANTINE_UNWRITABLE.
Status ClearQuarantine(const std::string& path, std::string_view module);

/// The module was unloaded, or the daemon stopped with it, without a crash: its next crash is a first one again.
/// Writes only when there is something to forget. Errors: QUARANTINE_UNWRITABLE.
Status NoteCleanRun(const std::string& path, std::string_view module);

/// The record as one run of the daemon uses it. Without Begin, or without a file, nothing is held and nothing is
/// remembered.
class Quarantine {
 public:
  /// Begins this run. Also after an error what the file says holds in this run. Errors: QUARANTINE_UNWRITABLE.
  Status Begin(std::string path);

  /// The module must stay out of this run; null: it may come up. LIFETIME: until the next Clear.
  const QuarantineEntry* Held(std::string_view module) const;

  /// As ClearQuarantine; the module is held no longer.
  Status Clear(std::string_view module);
  /// As probed::modules::NoteCleanRun.
  Status NoteClean(std::string_view module) const;

 private:
  std::string path_;  // empty: none
  std::vector<QuarantineEntry> held_;
};

}  // namespace probed::modules
