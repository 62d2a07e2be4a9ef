// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/modules/library.h"

#include <fmt/format.h>
#include <sys/sysmacros.h>

#include <atomic>
#include <boost/dll/shared_library.hpp>
#include <cstddef>
#include <cstring>
#include <fstream>
#include <iterator>
#include <sstream>
#include <utility>

#include "server/modules/crash_note.h"
#include "server/modules/reasons.h"

namespace probed::modules {
namespace {

/// Every field up to on_open is there since 1.0 and must be.
constexpr std::size_t kSmallestEntry = offsetof(probe_module_entry_t, on_open);

struct RequiredFunction {
  const char* name;
  bool present;
};

Status Mismatch(const std::string& name, std::string_view what) {
  return Refused(kModuleAbiMismatch, name, fmt::format("module {}: {}", name, what));
}

Status CheckFunctions(const probe_module_entry_t& entry, const std::string& name) {
  const RequiredFunction functions[] = {
      {"create", entry.create != nullptr},           {"destroy", entry.destroy != nullptr},
      {"prepare", entry.prepare != nullptr},         {"kernel_settings", entry.kernel_settings != nullptr},
      {"commit", entry.commit != nullptr},           {"abort", entry.abort != nullptr},
      {"shard_start", entry.shard_start != nullptr}, {"shard_stop", entry.shard_stop != nullptr},
  };
  for (const RequiredFunction& function : functions) {
    if (!function.present) return Mismatch(name, fmt::format("its function {} is missing", function.name));
  }
  return OkStatus();
}

[[maybe_unused]] std::string ReadWhole(const char* path) {
  std::ifstream stream(path);
  return {std::istreambuf_iterator<char>(stream), {}};
}

}  // namespace

struct Library::Handle {
  boost::dll::shared_library library;
};

Status AdoptEntry(const void* theirs, std::uint64_t available, const std::string& name, probe_module_entry_t* ours) {
  probe_module_entry_t head{};
  constexpr std::size_t kHead = offsetof(probe_module_entry_t, build_id);
  if (available != 0 && available < kHead) {
    return Refused(kModuleCorrupt, name, fmt::format("module {}: its entry has {} bytes", name, available));
  }
  std::memcpy(&head, theirs, kHead);
  if (head.magic != PROBE_MODULE_MAGIC) return Mismatch(name, fmt::format("wrong magic {:#018x}", head.magic));
  if (head.abi_major != PROBE_ABI_MAJOR) {
    return Mismatch(name, fmt::format("it is built for ABI {}.{}, this daemon has {}.{}", head.abi_major,
                                      head.abi_minor, +PROBE_ABI_MAJOR, +PROBE_ABI_MINOR));
  }
  if (head.struct_size < kSmallestEntry) {
    return Mismatch(name,
                    fmt::format("its entry says {} bytes, at least {} are needed", head.struct_size, kSmallestEntry));
  }
  if (available != 0 && head.struct_size > available) {
    return Refused(kModuleCorrupt, name,
                   fmt::format("module {}: its entry says {} bytes but has {}", name, head.struct_size, available));
  }
  *ours = probe_module_entry_t{};
  std::memcpy(ours, theirs, std::min<std::size_t>(head.struct_size, sizeof(*ours)));
  ours->struct_size = sizeof(*ours);
  return CheckFunctions(*ours, name);
}

std::string UnusedPathOf(int fd) {
  // The count in binary, spelled with the two path elements that mean nothing: "./" for a one, "/" for a zero.
  static std::atomic<std::uint64_t> count{0};
  std::string path = "/proc/self/fd/";
  for (std::uint64_t rest = ++count; rest != 0; rest >>= 1U) path += (rest & 1U) != 0 ? "./" : "/";
  return path + std::to_string(fd);
}

std::vector<std::string> MappingsOf(const std::string& maps, dev_t device, ino_t inode) {
  // 7f00-7f10 r-xp 00000000 00:01 4711   /memfd:probed-http (deleted)
  const std::string identity = fmt::format("{:02x}:{:02x} {} ", major(device), minor(device), inode);
  std::vector<std::string> found;
  std::istringstream lines(maps);
  for (std::string line; std::getline(lines, line);) {
    if (line.find(" " + identity) != std::string::npos) found.push_back(line);
  }
  return found;
}

Library::Library(std::unique_ptr<Handle> handle, dev_t device, ino_t inode)
    : handle_(std::move(handle)), device_(device), inode_(inode) {}
Library::Library(Library&&) noexcept = default;

Library& Library::operator=(Library&& other) noexcept {
  if (this == &other) return *this;
  Unload();
  handle_ = std::move(other.handle_);
  device_ = other.device_;
  inode_ = other.inode_;
  entry_ = other.entry_;
  return *this;
}

Library::~Library() { Unload(); }

Result<Library> Library::Load(const SealedImage& image, const std::string& name, std::uint64_t entry_size) {
  const CallScope scope(CrashSubjectOf(name), 0, CallPhase::kLoad);
  auto handle = std::make_unique<Handle>();
  try {
    // The throwing overload: the one with an error code loses the loader's own text.
    handle->library.load(UnusedPathOf(image.fd()), boost::dll::load_mode::rtld_now | boost::dll::load_mode::rtld_local);
  } catch (const std::exception& error) {
    return Refused(kModuleLoadFailed, name, fmt::format("module {}: the loader says: {}", name, error.what()));
  }
  Library library(std::move(handle), image.device(), image.inode());
  if (!library.handle_->library.has(PROBE_MODULE_SYMBOL)) {
    return Mismatch(name, fmt::format("it exports no {}", PROBE_MODULE_SYMBOL));
  }
  const void* theirs = &library.handle_->library.get<const char>(PROBE_MODULE_SYMBOL);
  RETURN_IF_ERROR(AdoptEntry(theirs, entry_size, name, &library.entry_));
  return library;
}

UnloadOutcome Library::Unload() {
  UnloadOutcome outcome;
  if (!handle_) return outcome;
  entry_ = probe_module_entry_t{};
#ifdef PROBED_SANITIZED
  static auto& kept = *new std::vector<std::unique_ptr<Handle>>;  // reachable: not a leak to the leak checker
  kept.push_back(std::move(handle_));
  outcome.kept_for_sanitizer = true;
#else
  handle_.reset();
  outcome.left_behind = MappingsOf(ReadWhole("/proc/self/maps"), device_, inode_);
#endif
  return outcome;
}

}  // namespace probed::modules
