// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Who is at the other end of a gRPC connection. gRPC knows a connection that came through our accept loop only as
// "fd:N"; the listener notes the identity of N here before it hands the descriptor over, services ask here.
//
// Why an entry can be trusted although gRPC closes N without telling us and the kernel gives numbers out again:
//  1. An entry holds the inode of its socket. Every lookup compares it with what stands behind N now, so that an entry
//     whose connection was closed is dead at once, whatever took its number.
//  2. The listener takes numbers upwards and comes back to a low one only after it went through its whole range
//     (descriptor_numbers.h), so that a call that still says "fd:N" of a closed connection finds nothing there, not
//     the identity of a later caller.
#pragma once

#include <grpcpp/server_context.h>
#include <grpcpp/support/status.h>
#include <sys/types.h>

#include <cstddef>
#include <map>
#include <mutex>
#include <optional>
#include <string_view>

namespace probed::control {

struct PeerIdentity {
  uid_t uid = 0;
  gid_t gid = 0;
  pid_t pid = 0;
  bool allowed = false;  // root, the daemon's own user, or a member of its group: may change things
  bool operator==(const PeerIdentity&) const = default;
};

/// Thread-safe: [grpc] asks, the listener's thread adds.
class Peers {
 public:
  /// Notes who is behind the open socket `fd`; replaces what was noted of an earlier one of that number.
  void Add(int fd, const PeerIdentity& identity);

  /// `peer` as a server context says it, "fd:N". Nothing for other transports and for connections that are closed.
  std::optional<PeerIdentity> Find(std::string_view peer) const;

  /// OK, or PERMISSION_DENIED with reason PERMISSION_DENIED for a caller that is not allowed or not known.
  grpc::Status Authorize(const grpc::CallbackServerContext& context) const;

  /// Forgets what belongs to closed connections and says how many are open.
  std::size_t RemoveClosed();

 private:
  struct SocketId {
    dev_t device = 0;
    ino_t inode = 0;
    bool operator==(const SocketId&) const = default;
  };
  struct Entry {
    PeerIdentity identity;
    SocketId socket;
  };

  static std::optional<SocketId> SocketBehind(int fd);

  mutable std::mutex mutex_;
  std::map<int, Entry> entries_;
};

}  // namespace probed::control
