// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Who is at the other end of a connection, as the kernel says, and whether they may enter.
#pragma once

#include <sys/types.h>

#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "server/base/status.h"

namespace probed::control {

/// Taken once, when the connection was accepted: what the process becomes later changes nothing.
struct Peer {
  uid_t uid = 0;
  gid_t gid = 0;
  pid_t pid = 0;
  std::vector<gid_t> groups;  // supplementary
};

/// Who may enter: root, the user the daemon runs as, and one group (absent when the machine has no such group).
struct Admission {
  uid_t own_uid = 0;
  std::optional<gid_t> group;

  bool Admits(const Peer& peer) const;
};

/// The group's id by name, nothing when there is none.
std::optional<gid_t> FindGroup(const std::string& name);

/// Credentials of the peer of a connected unix socket.
Result<Peer> ReadPeer(int fd);

/// "uid:0", the scope of request ids.
std::string ScopeOf(const Peer& peer);

/// The peers of one gRPC server by what its calls name them: "fd:N". Thread-safe.
class PeerTable {
 public:
  void Add(int fd, Peer peer);
  void Remove(int fd);
  std::optional<Peer> Find(const std::string& grpc_name) const;

 private:
  mutable std::mutex mutex_;
  std::map<std::string, Peer> peers_;
};

}  // namespace probed::control
