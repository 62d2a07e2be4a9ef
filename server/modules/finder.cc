// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/modules/finder.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <memory>

#include "server/modules/manifest.h"
#include "server/modules/reasons.h"

namespace probed::modules {
namespace {

constexpr std::string_view kSuffix = ".so";

struct CloseDir {
  void operator()(DIR* dir) const { closedir(dir); }
};
using Dir = std::unique_ptr<DIR, CloseDir>;

/// A component below `parent`: never above it, never through a link, never through /proc magic.
Result<Fd> OpenBeneath(int parent, const std::string& name, std::uint64_t flags) {
  open_how how{};
  how.flags = flags | O_CLOEXEC | O_NOFOLLOW;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  const long fd = syscall(SYS_openat2, parent, name.c_str(), &how, sizeof(how));
  if (fd >= 0) return Fd(static_cast<int>(fd));
  return absl::ErrnoToStatus(errno, ToAbsl(name));
}

Status Untrusted(std::string_view subject, std::string_view path, std::string_view why) {
  return Refused(kModuleUntrustedPath, subject, fmt::format("{} {}", path, why));
}

bool IsTrustedOwner(uid_t owner, TrustPolicy policy) {
  return owner == 0 || (policy.trust_own_user && owner == geteuid());
}

Status CheckOwner(const struct stat& info, std::string_view subject, std::string_view path, TrustPolicy policy) {
  if (IsTrustedOwner(info.st_uid, policy)) return OkStatus();
  return Untrusted(subject, path, fmt::format("belongs to user {}, not to root", info.st_uid));
}

Status CheckMode(const struct stat& info, std::string_view subject, std::string_view path) {
  if ((info.st_mode & S_IWOTH) != 0) return Untrusted(subject, path, "is world-writable");
  if ((info.st_mode & S_IWGRP) != 0) return Untrusted(subject, path, "is group-writable");
  return OkStatus();
}

/// A parent may be writable if it is sticky, like /tmp: in it others can neither rename nor replace what is not
/// theirs, and what lies in it is checked next.
Status CheckComponent(int fd, const std::string& path, bool is_last, TrustPolicy policy) {
  struct stat info{};
  if (fstat(fd, &info) != 0) return Untrusted(path, path, "cannot be examined: " + ErrnoText(errno));
  RETURN_IF_ERROR(CheckOwner(info, path, path, policy));
  if (!is_last && (info.st_mode & S_ISVTX) != 0) return OkStatus();
  return CheckMode(info, path, path);
}

/// Whether `name` in `parent` is a symbolic link: the kernel's answer to the attempt to open one is not the same for
/// directories and files.
bool IsLink(int parent, const std::string& name) {
  struct stat info{};
  return fstatat(parent, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(info.st_mode);
}

Status CannotOpen(int parent, const std::string& name, std::string_view subject, const std::string& path,
                  const Status& error) {
  if (IsLink(parent, name)) return Untrusted(subject, path, "is a symbolic link, which is not followed");
  if (absl::IsNotFound(error)) {
    return ModuleError(absl::StatusCode::kNotFound, kModuleNotFound, subject, fmt::format("{} does not exist", path));
  }
  return Refused(kModuleUnreadable, subject, fmt::format("cannot open {}: {}", path, Message(error)));
}

std::vector<std::string> Components(std::string_view path) {
  std::vector<std::string> components;
  while (!path.empty()) {
    const std::size_t end = std::min(path.find('/'), path.size());
    if (end > 0 && path.substr(0, end) != ".") components.emplace_back(path.substr(0, end));
    path.remove_prefix(std::min(end + 1, path.size()));
  }
  return components;
}

/// NAME of NAME.so, or of a folder NAME; empty for anything that is no module.
std::string NameOf(const dirent& entry, int directory, ModuleForm& form) {
  const std::string_view file = entry.d_name;
  if (file.size() > kSuffix.size() && file.ends_with(kSuffix)) {
    form = ModuleForm::kSharedObject;
    const std::string_view name = file.substr(0, file.size() - kSuffix.size());
    return IsModuleName(name) ? std::string(name) : "";
  }
  form = ModuleForm::kFolder;
  if (!IsModuleName(file)) return "";
  const std::string manifest = fmt::format("{}/manifest.json", file);
  return faccessat(directory, manifest.c_str(), F_OK, AT_SYMLINK_NOFOLLOW) == 0 ? std::string(file) : "";
}

void ListDirectory(const std::string& directory, std::map<std::string, Candidate>& found) {
  const Dir dir(opendir(directory.c_str()));
  if (!dir) return;
  std::map<std::string, Candidate> here;  // NAME.so goes before a folder NAME, whatever the order of the directory
  while (const dirent* entry = readdir(dir.get())) {
    Candidate candidate;
    candidate.name = NameOf(*entry, dirfd(dir.get()), candidate.form);
    if (candidate.name.empty()) continue;
    candidate.directory = directory;
    candidate.path = directory + "/" + entry->d_name;
    const std::string name = candidate.name;
    if (candidate.form == ModuleForm::kSharedObject) {
      here.insert_or_assign(name, std::move(candidate));
    } else {
      here.emplace(name, std::move(candidate));
    }
  }
  found.merge(here);
}

}  // namespace

std::vector<Candidate> Finder::List() const {
  std::map<std::string, Candidate> found;
  for (const std::string& directory : directories_) ListDirectory(directory, found);
  std::vector<Candidate> list;
  list.reserve(found.size());
  for (auto& [name, candidate] : found) list.push_back(std::move(candidate));
  return list;
}

Result<Candidate> Finder::Find(std::string_view name) const {
  if (!IsModuleName(name)) {
    return ModuleError(absl::StatusCode::kInvalidArgument, kModuleNameInvalid, name,
                       fmt::format("\"{}\" is no module name: it must match [a-z][a-z0-9_]{{0,31}}", name));
  }
  std::vector<std::string> names;
  for (Candidate& candidate : List()) {
    if (candidate.name == name) return std::move(candidate);
    names.push_back(candidate.name);
  }
  const std::string near = NearestWord(name, names);
  const std::string hint = near.empty() ? "" : fmt::format(", did you mean {}?", near);
  return ModuleError(absl::StatusCode::kNotFound, kModuleNotFound, name,
                     fmt::format("no module {} in {}{}", name, fmt::join(directories_, ", "), hint));
}

Result<Fd> Finder::OpenDirectory(const std::string& directory) const {
  if (directory.empty() || directory[0] != '/') {
    return Untrusted(directory, directory, "is no absolute path, so its parents cannot be checked");
  }
  Fd current(open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
  std::string path;
  const std::vector<std::string> components = Components(directory);
  RETURN_IF_ERROR(CheckComponent(current.get(), "/", components.empty(), policy_));
  for (std::size_t i = 0; i < components.size(); ++i) {
    path += "/" + components[i];
    if (components[i] == "..") return Untrusted(directory, directory, "must not contain \"..\"");
    Result<Fd> next = OpenBeneath(current.get(), components[i], O_PATH | O_DIRECTORY);
    if (!next.ok()) return CannotOpen(current.get(), components[i], directory, path, next.status());
    current = std::move(next).value();
    RETURN_IF_ERROR(CheckComponent(current.get(), path, i + 1 == components.size(), policy_));
  }
  return current;
}

Result<Fd> Finder::Open(const Candidate& candidate, std::string_view file) const {
  ASSIGN_OR_RETURN(Fd directory, OpenDirectory(candidate.directory));
  std::string path = candidate.path;
  std::string leaf = path.substr(path.rfind('/') + 1);
  if (candidate.form == ModuleForm::kFolder) {
    ASSIGN_OR_RETURN(directory, OpenDirectory(candidate.path));
    leaf = std::string(file);
    path += "/" + leaf;
  }
  // Non-blocking: a FIFO of that name must not hang the daemon.
  Result<Fd> opened = OpenBeneath(directory.get(), leaf, O_RDONLY | O_NONBLOCK);
  if (!opened.ok()) return CannotOpen(directory.get(), leaf, candidate.name, path, opened.status());
  struct stat info{};
  if (fstat(opened->get(), &info) != 0 || !S_ISREG(info.st_mode)) {
    return Untrusted(candidate.name, path, "is no regular file");
  }
  RETURN_IF_ERROR(CheckOwner(info, candidate.name, path, policy_));
  RETURN_IF_ERROR(CheckMode(info, candidate.name, path));
  return std::move(opened).value();
}

}  // namespace probed::modules
