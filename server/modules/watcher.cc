// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/modules/watcher.h"

#include <fmt/format.h>
#include <sys/inotify.h>

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <map>
#include <string_view>
#include <utility>

#include "server/base/fd.h"
#include "server/modules/manifest.h"
#include "server/modules/reasons.h"

namespace probed::modules {
namespace {

namespace fs = std::filesystem;

// IN_CREATE is for folders and links; a file that is only created is not complete yet (IN_CLOSE_WRITE follows).
constexpr std::uint32_t kModuleEvents = IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_CREATE |
                                        IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;
constexpr std::uint32_t kParentEvents = IN_CREATE | IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;

enum class Role : std::uint8_t { kModules /* a configured directory */, kFolder /* of one module */, kParent };

struct Watch {
  Role role = Role::kModules;
  std::string path;
};

/// The module that a file or folder of this name is or would be; empty: none.
std::string ModuleOf(std::string_view entry) {
  if (entry.ends_with(".so")) entry.remove_suffix(3);
  return IsModuleName(entry) ? std::string(entry) : "";
}

}  // namespace

class Watcher::Core : public std::enable_shared_from_this<Core> {
 public:
  Core(const boost::asio::any_io_executor& executor, Fd inotify, std::vector<std::string> directories,
       Callback callback)
      : stream_(executor, inotify.release()), directories_(std::move(directories)), callback_(std::move(callback)) {}

  void Start() {
    for (const std::string& directory : directories_) WatchModules(directory);
    Read();
  }

  void Stop() {
    callback_ = nullptr;
    boost::system::error_code ignored;
    stream_.close(ignored);
  }

 private:
  bool Add(const std::string& path, std::uint32_t events, Role role) {
    const int watch = inotify_add_watch(stream_.native_handle(), path.c_str(), events);
    if (watch < 0) return false;
    watches_[watch] = {role, path};
    return true;
  }

  /// Watches the directory, or its nearest parent that exists until it does. Looks again after the watch stands: what
  /// appeared in between must not be missed.
  void WatchModules(const std::string& directory) {
    if (Add(directory, kModuleEvents, Role::kModules)) return WatchFolders(directory);
    for (fs::path parent = fs::path(directory).parent_path(); !parent.empty(); parent = parent.parent_path()) {
      // Added to what a directory is watched for already: a configured directory can be the parent of another.
      const bool stands = IsWatched(parent.string()) || Add(parent.string(), kParentEvents, Role::kParent);
      if (stands) {
        std::error_code ignored;
        if (fs::is_directory(directory, ignored) && Add(directory, kModuleEvents, Role::kModules)) {
          WatchFolders(directory);
        }
        return;
      }
      if (parent == parent.root_path()) return;
    }
  }

  bool IsWatched(const std::string& path) const {
    for (const auto& [id, watch] : watches_) {
      if (watch.path == path) return true;
    }
    return false;
  }

  void WatchFolders(const std::string& directory) {
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator(directory, ignored)) {
      if (entry.is_directory(ignored) && !entry.is_symlink(ignored) && IsModuleName(entry.path().filename().string())) {
        Add(entry.path().string(), kModuleEvents, Role::kFolder);
      }
    }
  }

  void Read() {
    stream_.async_read_some(boost::asio::buffer(buffer_),
                            [self = shared_from_this()](boost::system::error_code error, std::size_t size) {
                              if (error || !self->callback_) return;
                              self->Take(size);
                              if (self->callback_) self->Read();
                            });
  }

  void Take(std::size_t size) {
    changed_.clear();
    everything_ = false;
    for (std::size_t at = 0; at + sizeof(inotify_event) <= size;) {
      inotify_event event;
      std::memcpy(&event, buffer_.data() + at, sizeof(event));
      const char* name = buffer_.data() + at + sizeof(event);
      TakeEvent(event, std::string(name, strnlen(name, event.len)));
      at += sizeof(event) + event.len;
    }
    if (everything_) changed_.clear();
    if (!everything_ && changed_.empty()) return;
    const Callback callback = callback_;  // a copy: it may stop us
    callback(changed_);
  }

  void TakeEvent(const inotify_event& event, const std::string& entry) {
    if ((event.mask & IN_Q_OVERFLOW) != 0) return Rescan();
    const auto found = watches_.find(event.wd);
    if (found == watches_.end()) return;
    const Watch watch = found->second;
    if ((event.mask & IN_IGNORED) != 0) watches_.erase(found);
    if ((event.mask & (IN_DELETE_SELF | IN_MOVE_SELF)) != 0) return Lost(event.wd, watch);
    switch (watch.role) {
      case Role::kParent: return ParentChanged();
      case Role::kFolder: Changed(fs::path(watch.path).filename().string()); return;
      case Role::kModules: return EntryChanged(event, watch, entry);
    }
  }

  void EntryChanged(const inotify_event& event, const Watch& watch, const std::string& entry) {
    const bool is_folder = (event.mask & IN_ISDIR) != 0;
    if (is_folder && (event.mask & (IN_CREATE | IN_MOVED_TO)) != 0) {
      ParentChanged();
      if (IsModuleName(entry)) Add(watch.path + "/" + entry, kModuleEvents, Role::kFolder);
    }
    if (entry.empty()) return;  // the directory itself: owner or mode
    const bool is_unfinished = (event.mask & IN_CREATE) != 0 && !is_folder && !IsLink(watch.path + "/" + entry);
    if (!is_unfinished) Changed(entry);
  }

  static bool IsLink(const std::string& path) {
    std::error_code ignored;
    return fs::is_symlink(fs::symlink_status(path, ignored));
  }

  void Changed(const std::string& entry) {
    std::string module = ModuleOf(entry);
    if (!module.empty()) changed_.insert(std::move(module));
  }

  /// A directory went away, or moved: its descriptor watches something else now.
  void Lost(int id, const Watch& watch) {
    inotify_rm_watch(stream_.native_handle(), id);
    watches_.erase(id);
    if (watch.role == Role::kFolder) return Changed(fs::path(watch.path).filename().string());
    Rescan();
  }

  void ParentChanged() {
    for (const std::string& directory : directories_) {
      if (IsWatched(directory)) continue;
      WatchModules(directory);
      everything_ = everything_ || IsWatched(directory);
    }
  }

  void Rescan() {
    for (const std::string& directory : directories_) WatchModules(directory);
    everything_ = true;
  }

  boost::asio::posix::stream_descriptor stream_;
  std::vector<std::string> directories_;
  Callback callback_;
  std::map<int, Watch> watches_;
  std::set<std::string> changed_;
  bool everything_ = false;
  alignas(inotify_event) std::array<char, 16384> buffer_{};
};

Watcher::Watcher(std::shared_ptr<Core> core) : core_(std::move(core)) {}
Watcher::~Watcher() { core_->Stop(); }

Result<std::unique_ptr<Watcher>> Watcher::Start(const boost::asio::any_io_executor& executor,
                                                std::vector<std::string> directories, Callback callback) {
  Fd inotify(inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  if (!inotify.valid()) {
    return MakeStatus(absl::StatusCode::kResourceExhausted,
                      fmt::format("cannot watch the module directories: {}", ErrnoText(errno)));
  }
  auto core = std::make_shared<Core>(executor, std::move(inotify), std::move(directories), std::move(callback));
  core->Start();
  return std::unique_ptr<Watcher>(new Watcher(std::move(core)));
}

}  // namespace probed::modules
