// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// The file, one line each, read from top to bottom:
//   crash MODULE INSTANCE PHASE SIGNAL    one crash more (appended by the signal handler)
//   held MODULE COUNT SERVED INSTANCE PHASE SIGNAL    what a compaction made of the lines before it
#include "server/modules/quarantine.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <sstream>

#include "server/base/fd.h"
#include "server/modules/manifest.h"
#include "server/modules/reasons.h"

namespace probed::modules {
namespace {

QuarantineEntry& EntryOf(std::vector<QuarantineEntry>& entries, const std::string& module) {
  const auto found = std::find_if(entries.begin(), entries.end(), [&](const auto& e) { return e.module == module; });
  if (found != entries.end()) return *found;
  entries.push_back({});
  entries.back().module = module;
  return entries.back();
}

void ApplyLine(const std::string& line, std::vector<QuarantineEntry>& entries) {
  std::istringstream words(line);
  std::string verb;
  QuarantineEntry read;
  words >> verb >> read.module;
  if (verb == "held") words >> read.count >> read.served;
  words >> read.instance >> read.phase >> read.signal;
  if (!words || !IsModuleName(read.module)) return;
  if (verb == "held") {
    EntryOf(entries, read.module) = read;
  } else if (verb == "crash") {
    read.count = EntryOf(entries, read.module).count + 1;
    EntryOf(entries, read.module) = read;
  }
}

Status Unwritable(const std::string& path, int error) {
  return ModuleError(absl::StatusCode::kInternal, kQuarantineUnwritable, path,
                     fmt::format("cannot write {}: {}", path, ErrnoText(error)));
}

Status WriteAll(const std::string& path, const std::string& text) {
  const std::string temporary = path + ".new";
  const Fd file(open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file.valid()) return Unwritable(temporary, errno);
  const ssize_t written = write(file.get(), text.data(), text.size());
  if (written != static_cast<ssize_t>(text.size())) return Unwritable(temporary, written < 0 ? errno : ENOSPC);
  if (fsync(file.get()) != 0) return Unwritable(temporary, errno);
  if (rename(temporary.c_str(), path.c_str()) != 0) return Unwritable(path, errno);
  return OkStatus();
}

Status Write(const std::string& path, const std::vector<QuarantineEntry>& entries) {
  std::string text;
  for (const QuarantineEntry& entry : entries) {
    text += fmt::format("held {} {} {} {} {} {}\n", entry.module, entry.count, static_cast<int>(entry.served),
                        entry.instance, entry.phase, entry.signal);
  }
  return WriteAll(path, text);
}

}  // namespace

std::string QuarantineEntry::Reason() const {
  const std::string times = count > 1 ? fmt::format(", {} times in a row", count) : "";
  return fmt::format("it crashed the daemon in {} (signal {}, {}){}", phase, signal, strsignal(signal), times);
}

std::vector<QuarantineEntry> ReadQuarantine(const std::string& path) {
  std::vector<QuarantineEntry> entries;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) ApplyLine(line, entries);
  std::erase_if(entries, [](const QuarantineEntry& entry) { return entry.count == 0; });
  return entries;
}

Result<std::vector<QuarantineEntry>> BeginRun(const std::string& path) {
  std::vector<QuarantineEntry> entries = ReadQuarantine(path);
  std::vector<QuarantineEntry> held;
  for (QuarantineEntry& entry : entries) {
    if (entry.Holds()) held.push_back(entry);
    entry.served = true;
  }
  if (!entries.empty()) RETURN_IF_ERROR(Write(path, entries));
  return held;
}

Status ClearQuarantine(const std::string& path, std::string_view module) {
  std::vector<QuarantineEntry> entries = ReadQuarantine(path);
  if (std::erase_if(entries, [&](const QuarantineEntry& entry) { return entry.module == module; }) == 0) {
    return OkStatus();
  }
  return Write(path, entries);
}

Status NoteCleanRun(const std::string& path, std::string_view module) { return ClearQuarantine(path, module); }

Status Quarantine::Begin(std::string path) {
  path_ = std::move(path);
  held_ = ReadQuarantine(path_);
  std::erase_if(held_, [](const QuarantineEntry& entry) { return !entry.Holds(); });
  return BeginRun(path_).status();
}

const QuarantineEntry* Quarantine::Held(std::string_view module) const {
  const auto found =
      std::find_if(held_.begin(), held_.end(), [&](const auto& entry) { return entry.module == module; });
  return found == held_.end() ? nullptr : &*found;
}

Status Quarantine::Clear(std::string_view module) {
  if (path_.empty()) return OkStatus();
  RETURN_IF_ERROR(ClearQuarantine(path_, module));
  std::erase_if(held_, [&](const QuarantineEntry& entry) { return entry.module == module; });
  return OkStatus();
}

Status Quarantine::NoteClean(std::string_view module) const {
  return path_.empty() ? OkStatus() : NoteCleanRun(path_, module);
}

}  // namespace probed::modules
