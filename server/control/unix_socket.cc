// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/control/unix_socket.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "server/base/error_details.h"

namespace probed::control {
namespace {

constexpr mode_t kMode = 0660;

Status SocketError(absl::StatusCode code, const std::string& path, const std::string& why) {
  return MakeError(code, "cannot listen on " + path + ": " + why,
                   {.reason = "SOCKET_UNAVAILABLE", .metadata = {{"path", path}}, .fields = {}, .log_tail = {}});
}

Status SystemError(const std::string& path, const char* step) {
  return SocketError(absl::StatusCode::kUnavailable, path, std::string(step) + ": " + std::strerror(errno));
}

Result<sockaddr_un> AddressOf(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof(address.sun_path)) {
    return SocketError(absl::StatusCode::kInvalidArgument, path, "the path is empty or too long");
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

Fd MakeSocket() { return Fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)); }

/// Makes way: nothing there is fine, a dead socket is removed, anything else stays.
Status ClearStale(const std::string& path, const sockaddr_un& address) {
  struct stat info{};
  if (::lstat(path.c_str(), &info) != 0) return errno == ENOENT ? OkStatus() : SystemError(path, "stat");
  if (!S_ISSOCK(info.st_mode)) {
    return SocketError(absl::StatusCode::kFailedPrecondition, path, "the path is taken by something that is no socket");
  }
  const Fd probe = MakeSocket();
  if (!probe.valid()) return SystemError(path, "socket");
  const bool refused = ::connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0 &&
                       errno == ECONNREFUSED;
  if (!refused) return SocketError(absl::StatusCode::kAlreadyExists, path, "another daemon answers there");
  return ::unlink(path.c_str()) == 0 ? OkStatus() : SystemError(path, "unlink");
}

}  // namespace

Result<Fd> ListenUnix(const std::string& path, std::optional<gid_t> group) {
  ASSIGN_OR_RETURN(const sockaddr_un address, AddressOf(path));
  RETURN_IF_ERROR(ClearStale(path, address));
  Fd fd = MakeSocket();
  if (!fd.valid()) return SystemError(path, "socket");
  // The file is born with the mode of the descriptor: nobody gets in between bind and chmod.
  if (::fchmod(fd.get(), 0600) != 0) return SystemError(path, "fchmod");
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    return SystemError(path, "bind");
  }
  const auto keep = static_cast<uid_t>(-1);
  if (group && ::lchown(path.c_str(), keep, *group) != 0) return SystemError(path, "chown");
  if (::chmod(path.c_str(), kMode) != 0) return SystemError(path, "chmod");
  if (::listen(fd.get(), SOMAXCONN) != 0) return SystemError(path, "listen");
  return fd;
}

}  // namespace probed::control
