// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/discovery/process_info.h"

#include <dirent.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <climits>
#include <memory>
#include <string_view>

#include "server/discovery/container_id.h"
#include "server/discovery/file_text.h"
#include "server/discovery/go_binary.h"

namespace probed::discovery {
namespace {

constexpr std::size_t kMaxCommandBytes = 4096;
constexpr std::size_t kMaxCachedFiles = 4096;

template <typename T>
bool ParseNumber(std::string_view text, T& out) {
  return std::from_chars(text.data(), text.data() + text.size(), out).ec == std::errc();
}

// The n-th blank-separated field, from 0.
std::string_view Field(std::string_view text, int n) {
  for (; n > 0; --n) {
    const std::size_t blank = text.find(' ');
    if (blank == std::string_view::npos) return {};
    text.remove_prefix(blank + 1);
  }
  return text.substr(0, text.find(' '));
}

// proc(5), /proc/pid/stat: "pid (comm) state ppid ... starttime": comm may hold blanks and parentheses, so fields are
// counted from the last ')'. After it, state is field 0, ppid 1, starttime 19.
bool ParseStat(std::string_view stat, ProcessInfo& info) {
  const std::size_t open = stat.find('(');
  const std::size_t close = stat.rfind(')');
  if (open == std::string_view::npos || close == std::string_view::npos || close < open) return false;
  info.comm = stat.substr(open + 1, close - open - 1);
  const std::string_view rest = stat.substr(std::min(close + 2, stat.size()));
  return ParseNumber(Field(rest, 1), info.parent) && ParseNumber(Field(rest, 19), info.key.start_ticks);
}

std::uint32_t ParseUid(std::string_view status) {
  constexpr std::string_view kKey = "\nUid:\t";
  const std::size_t at = status.find(kKey);
  std::uint32_t uid = 0;
  if (at != std::string_view::npos) ParseNumber(status.substr(at + kKey.size()), uid);
  return uid;
}

// Lines are "hierarchy:controllers:path"; hierarchy 0 is cgroup2. With cgroup1 the first path that names a container
// will do, else the first path.
std::string ParseCgroup(std::string_view text) {
  std::string first;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    const std::size_t colon = line.find(':', line.find(':') + 1);
    if (line.find(':') == std::string_view::npos || colon == std::string_view::npos) continue;
    const std::string path(line.substr(colon + 1));
    if (!ContainerIdOf(path).empty()) return path;
    if (first.empty() || line.starts_with("0::")) first = path;
  }
  return first;
}

std::vector<std::string> ParseCommand(std::string_view text) {
  std::vector<std::string> command;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\0'), text.size());
    command.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return command;
}

std::string ReadLink(const std::string& path) {
  std::array<char, PATH_MAX> target;
  const ssize_t size = readlink(path.c_str(), target.data(), target.size());
  if (size <= 0) return {};
  std::string text(target.data(), static_cast<std::size_t>(size));
  constexpr std::string_view kDeleted = " (deleted)";
  if (text.ends_with(kDeleted)) text.resize(text.size() - kDeleted.size());
  return text;
}

// passwd(5): name:password:uid:...
std::string FindOwner(std::string_view passwd, std::uint32_t uid) {
  while (!passwd.empty()) {
    const std::string_view line = passwd.substr(0, passwd.find('\n'));
    passwd.remove_prefix(std::min(line.size() + 1, passwd.size()));
    const std::size_t name_end = line.find(':');
    const std::size_t password_end = line.find(':', name_end == std::string_view::npos ? name_end : name_end + 1);
    if (password_end == std::string_view::npos) continue;
    std::uint32_t number = 0;
    if (ParseNumber(line.substr(password_end + 1), number) && number == uid)
      return std::string(line.substr(0, name_end));
  }
  return std::to_string(uid);
}

}  // namespace

std::uint32_t KernelDevice(std::uint64_t device) {
  return static_cast<std::uint32_t>(major(device) << 20U | minor(device));
}

ProcReader::ProcReader(std::string root) : root_(std::move(root)) {}

std::optional<ProcessInfo> ProcReader::Read(std::uint32_t tgid) {
  const std::string dir = root_ + "/proc/" + std::to_string(tgid);
  ProcessInfo info;
  info.key.tgid = tgid;
  const std::optional<std::string> stat = ReadText(dir + "/stat");
  if (!stat || !ParseStat(*stat, info)) return std::nullopt;
  ReadExecutable(dir, info);
  info.command = ParseCommand(ReadText(dir + "/cmdline", kMaxCommandBytes).value_or(""));
  info.uid = ParseUid(ReadText(dir + "/status").value_or(""));
  info.owner = OwnerName(info.uid);
  info.cgroup_path = ParseCgroup(ReadText(dir + "/cgroup").value_or(""));
  info.container_id = ContainerIdOf(info.cgroup_path);
  info.env = ParseEnviron(ReadText(dir + "/environ").value_or(""));
  return info;
}

void ProcReader::ReadExecutable(const std::string& dir, ProcessInfo& info) {
  const std::string link = dir + "/exe";
  struct stat file{};
  info.exe_path = ReadLink(link);
  if (stat(link.c_str(), &file) != 0) return;
  info.exe = {KernelDevice(file.st_dev), file.st_ino};
  const std::int64_t modified = file.st_mtim.tv_sec * 1'000'000'000LL + file.st_mtim.tv_nsec;
  {
    const std::lock_guard lock(mutex_);
    const auto it = go_answers_.find(info.exe);
    if (it != go_answers_.end() && it->second.modified_ns == modified && it->second.size == file.st_size) {
      info.is_go = it->second.is_go;
      return;
    }
  }
  info.is_go = IsGoBinary(link);
  const std::lock_guard lock(mutex_);
  if (go_answers_.size() >= kMaxCachedFiles) go_answers_.clear();
  go_answers_[info.exe] = {modified, file.st_size, info.is_go};
}

std::string ProcReader::OwnerName(std::uint32_t uid) {
  const std::lock_guard lock(mutex_);
  if (const auto it = owners_.find(uid); it != owners_.end()) return it->second;
  if (owners_.size() >= kMaxCachedFiles) owners_.clear();
  return owners_[uid] = FindOwner(ReadText(root_ + "/etc/passwd").value_or(""), uid);
}

std::vector<std::uint32_t> ProcReader::ListProcesses() const {
  std::vector<std::uint32_t> found;
  const std::unique_ptr<DIR, int (*)(DIR*)> dir(opendir((root_ + "/proc").c_str()), &closedir);
  if (!dir) return found;
  while (const dirent* entry = readdir(dir.get())) {
    std::uint32_t tgid = 0;
    const std::string_view name = entry->d_name;
    const auto parsed = std::from_chars(name.data(), name.data() + name.size(), tgid);
    if (parsed.ec == std::errc() && parsed.ptr == name.data() + name.size()) found.push_back(tgid);
  }
  return found;
}

}  // namespace probed::discovery
