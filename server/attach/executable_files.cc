// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/attach/executable_files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>

namespace probed::attach {
namespace {

/// Cuts the next word off `line`.
std::string_view Word(std::string_view& line) {
  line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
  const std::size_t end = std::min(line.find(' '), line.size());
  const std::string_view word = line.substr(0, end);
  line.remove_prefix(end);
  return word;
}

bool Number(std::string_view text, int base, std::uint64_t* out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *out, base);
  return error == std::errc() && end == text.data() + text.size();
}

bool Device(std::string_view text, std::uint64_t* out) {
  const std::size_t colon = text.find(':');
  std::uint64_t major_number = 0;
  std::uint64_t minor_number = 0;
  if (colon == std::string_view::npos || !Number(text.substr(0, colon), 16, &major_number) ||
      !Number(text.substr(colon + 1), 16, &minor_number)) {
    return false;
  }
  *out = major_number << 32U | minor_number;
  return true;
}

/// What a JIT compiler writes its code to is no ELF file, and there may be many of them.
bool IsMemory(std::string_view path) { return path.starts_with("/memfd:") || path.starts_with("/SYSV"); }

/// The name map_files has for a range: without the zeros that maps fills low addresses up with.
std::string MapFilesName(std::string_view range) {
  const auto number = [](std::string_view text) {
    return text.empty() ? text : text.substr(std::min(text.find_first_not_of('0'), text.size() - 1));
  };
  const std::size_t dash = std::min(range.find('-'), range.size());
  return fmt::format("{}-{}", number(range.substr(0, dash)), number(range.substr(std::min(dash + 1, range.size()))));
}

// 7f1c2a600000-7f1c2a7a8000 r-xp 00026000 fd:01 1049  /usr/lib/x86_64-linux-gnu/libc.so.6      (proc(5))
std::optional<MappedFile> ParseLine(std::string_view line) {
  MappedFile file;
  file.range = MapFilesName(Word(line));
  const std::string_view permissions = Word(line);
  Word(line);  // offset
  const std::string_view device = Word(line);
  const std::string_view inode = Word(line);
  if (permissions.size() != 4 || permissions[2] != 'x') return std::nullopt;
  if (!Device(device, &file.key.device) || !Number(inode, 10, &file.key.inode) || file.key.inode == 0)
    return std::nullopt;
  line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
  file.path = line;
  if (!line.starts_with('/') || IsMemory(line)) return std::nullopt;
  return file;
}

Fd OpenForReading(const std::string& path) { return Fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY)); }

/// Not by a stream: reading fails in the middle when the process ends, and a stream would throw.
std::optional<std::string> ReadAll(const Fd& file) {
  std::string text;
  std::array<char, 16384> part;
  for (;;) {
    const ssize_t got = read(file.get(), part.data(), part.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return std::nullopt;
    if (got == 0) return text;
    text.append(part.data(), static_cast<std::size_t>(got));
  }
}

bool IsRegular(const Fd& file, std::uint64_t inode) {
  struct stat facts{};
  return fstat(file.get(), &facts) == 0 && S_ISREG(facts.st_mode) && facts.st_ino == inode;
}

Status OpenError(const MappedFile& file, int error) {
  const auto code = error == ENOENT || error == ESRCH   ? absl::StatusCode::kNotFound
                    : error == EACCES || error == EPERM ? absl::StatusCode::kPermissionDenied
                                                        : absl::StatusCode::kUnavailable;
  return MakeStatus(code, fmt::format("cannot open {}: {}", file.path, std::strerror(error)));
}

}  // namespace

std::vector<MappedFile> ParseExecutableFiles(std::string_view maps) {
  std::vector<MappedFile> files;
  while (!maps.empty()) {
    const std::size_t end = std::min(maps.find('\n'), maps.size());
    std::optional<MappedFile> file = ParseLine(maps.substr(0, end));
    maps.remove_prefix(std::min(end + 1, maps.size()));
    if (!file) continue;
    const auto same = [&](const MappedFile& other) { return other.key == file->key; };
    if (std::none_of(files.begin(), files.end(), same)) files.push_back(*std::move(file));
  }
  return files;
}

std::optional<std::vector<MappedFile>> ReadExecutableFiles(std::uint32_t pid) {
  const Fd maps = OpenForReading(fmt::format("/proc/{}/maps", pid));
  if (!maps.valid()) return std::nullopt;
  const std::optional<std::string> text = ReadAll(maps);
  if (!text) return std::nullopt;
  return ParseExecutableFiles(*text);
}

// map_files gives the very file that is mapped, though it be replaced or deleted. It asks for CAP_SYS_ADMIN (5.9 and
// newer: CAP_CHECKPOINT_RESTORE); without, the path below the process's root will do if it is still the same inode.
Result<Fd> OpenMappedFile(std::uint32_t pid, const MappedFile& file) {
  Fd mapped = OpenForReading(fmt::format("/proc/{}/map_files/{}", pid, file.range));
  if (mapped.valid()) return mapped;
  const int error = errno;
  if (error != EPERM && error != EACCES) return OpenError(file, error);
  Fd named = OpenForReading(fmt::format("/proc/{}/root{}", pid, file.path));
  if (!named.valid()) return OpenError(file, errno);
  if (!IsRegular(named, file.key.inode)) return OpenError(file, error);
  return named;
}

}  // namespace probed::attach
