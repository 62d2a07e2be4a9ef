// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/state/store.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "server/base/error_details.h"
#include "server/base/fd.h"
#include "server/config/yaml.h"
#include "server/state/hash.h"
#include "server/state/planner.h"
#include "server/state/snapshot.h"

namespace probed::state {
namespace {

using nlohmann::json;

constexpr int kSchema = 1;
constexpr const char* kSchemaKey = "probed_state";

Status Refuse(absl::StatusCode code, std::string_view reason, const std::string& path, const std::string& why) {
  return MakeError(code, "the stored state " + path + " " + why + "; it is kept: move it away to start without it",
                   {.reason = std::string(reason), .metadata = {{"path", path}}, .fields = {}, .log_tail = {}});
}

Status NotSaved(const std::string& path, const char* step, int error) {
  return MakeError(absl::StatusCode::kUnavailable,
                   "cannot save the state to " + path + ": " + step + ": " + std::strerror(error),
                   {.reason = "STATE_NOT_SAVED", .metadata = {{"path", path}}, .fields = {}, .log_tail = {}});
}

/// Over everything but itself.
std::string Checksum(json header, const std::string& body) {
  header.erase("checksum");
  return Sha256(header.dump() + "\n" + body);
}

Status WriteAll(int fd, std::string_view bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return NotSaved(path, "write", errno);
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return ::fsync(fd) == 0 ? OkStatus() : NotSaved(path, "fsync", errno);
}

/// Makes the rename itself survive a crash.
Status SyncDirectoryOf(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  const std::string directory = slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
  const Fd fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid() || ::fsync(fd.get()) != 0) return NotSaved(path, "sync of the directory", errno);
  return OkStatus();
}

Result<StoredState> Decode(const std::string& path, const std::string& text) {
  const auto corrupt = [&](const std::string& why) {
    return Refuse(absl::StatusCode::kDataLoss, "STATE_CORRUPT", path, "is damaged (" + why + ")");
  };
  const std::size_t end = text.find('\n');
  if (end == std::string::npos) return corrupt("no header");
  const json header = json::parse(text.substr(0, end), nullptr, false);
  if (!header.is_object() || !header.contains(kSchemaKey) || !header[kSchemaKey].is_number_integer()) {
    return corrupt("no header");
  }
  if (header[kSchemaKey] > kSchema) {
    return Refuse(absl::StatusCode::kFailedPrecondition, "STATE_TOO_NEW", path,
                  "was written by a newer version (schema " + header[kSchemaKey].dump() + ", this one knows " +
                      std::to_string(kSchema) + ")");
  }
  const std::string body = text.substr(end + 1);
  if (header.value("checksum", json()) != Checksum(header, body)) return corrupt("the checksum does not match");
  // What the checksum covers was written by Save, environment references are escaped in it.
  const auto file = config::ParseYaml(body, [](const std::string&) { return std::nullopt; });
  if (!file.ok()) return corrupt(std::string(Message(file.status())));
  return StoredState{header.value("generation", std::uint64_t{0}), header.value("changed_at_utc_ns", std::uint64_t{0}),
                     header.value("file_hash", std::string()), file->state};
}

}  // namespace

Result<std::optional<StoredState>> StateStore::Load() const {
  std::ifstream stream(path_, std::ios::binary);
  if (!stream) {
    if (errno == ENOENT) return std::optional<StoredState>();
    return Refuse(absl::StatusCode::kPermissionDenied, "STATE_UNREADABLE", path_,
                  std::string("cannot be read: ") + std::strerror(errno));
  }
  std::ostringstream text;
  text << stream.rdbuf();
  ASSIGN_OR_RETURN(StoredState stored, Decode(path_, text.str()));
  return std::optional<StoredState>(std::move(stored));
}

Status StateStore::Save(const StoredState& stored) const {
  const std::string body = config::ToYaml(stored.state);
  json header = {{kSchemaKey, kSchema},
                 {"generation", stored.generation},
                 {"changed_at_utc_ns", stored.changed_at_utc_ns},
                 {"file_hash", stored.file_hash}};
  header["checksum"] = Checksum(header, body);
  const std::string temporary = path_ + ".new";
  const Fd fd(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd.valid()) return NotSaved(temporary, "open", errno);
  RETURN_IF_ERROR(WriteAll(fd.get(), header.dump() + "\n" + body, temporary));
  if (::rename(temporary.c_str(), path_.c_str()) != 0) return NotSaved(path_, "rename", errno);
  return SyncDirectoryOf(path_);
}

StartState ChooseStart(const std::optional<StoredState>& stored, const std::optional<config::State>& file) {
  const std::string file_hash = file ? StateHash(*file) : "";
  if (!stored) return {{0, 0, file_hash, file.value_or(config::State{})}, {}};
  if (stored->file_hash == file_hash) return {*stored, {}};
  StartState start{*stored, {}};
  start.stored.file_hash = file_hash;
  start.stored.state = file.value_or(config::State{});
  for (const Change& change : Plan(stored->state, start.stored.state)) {
    start.differences.push_back("the configuration file changed and wins over what was stored: " + Describe(change));
  }
  return start;
}

}  // namespace probed::state
