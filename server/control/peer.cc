// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/control/peer.h"

#include <grp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#ifndef SO_PEERGROUPS
#define SO_PEERGROUPS 59  // Linux 4.13, asm-generic/socket.h
#endif

namespace probed::control {
namespace {

constexpr std::size_t kFewGroups = 32;

Status SocketError(const char* what) {
  return MakeStatus(absl::StatusCode::kInternal,
                    std::string("cannot read ") + what + " of a peer: " + std::strerror(errno));
}

/// SO_PEERGROUPS says in `size` how many bytes it needs when they did not fit.
Result<std::vector<gid_t>> ReadGroups(int fd) {
  std::vector<gid_t> groups(kFewGroups);
  for (int attempt = 0; attempt < 2; ++attempt) {
    auto size = static_cast<socklen_t>(groups.size() * sizeof(gid_t));
    const int result = getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups.data(), &size);
    const bool too_small = result != 0 && errno == ERANGE;
    if (result != 0 && !too_small) return SocketError("groups");
    groups.resize(size / sizeof(gid_t));
    if (!too_small) return groups;
  }
  return SocketError("groups");
}

std::string NameOf(int fd) { return "fd:" + std::to_string(fd); }

}  // namespace

bool Admission::Admits(const Peer& peer) const {
  if (peer.uid == 0 || peer.uid == own_uid) return true;
  if (!group) return false;
  return peer.gid == *group || std::find(peer.groups.begin(), peer.groups.end(), *group) != peer.groups.end();
}

std::optional<gid_t> FindGroup(const std::string& name) {
  std::vector<char> buffer(16384);
  group entry{};
  group* found = nullptr;
  if (getgrnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found) != 0 || found == nullptr) {
    return std::nullopt;
  }
  return found->gr_gid;
}

Result<Peer> ReadPeer(int fd) {
  ucred credentials{};
  socklen_t size = sizeof(credentials);
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) return SocketError("credentials");
  ASSIGN_OR_RETURN(std::vector<gid_t> groups, ReadGroups(fd));
  return Peer{credentials.uid, credentials.gid, credentials.pid, std::move(groups)};
}

std::string ScopeOf(const Peer& peer) { return "uid:" + std::to_string(peer.uid); }

void PeerTable::Add(int fd, Peer peer) {
  const std::lock_guard lock(mutex_);
  peers_[NameOf(fd)] = std::move(peer);
}

void PeerTable::Remove(int fd) {
  const std::lock_guard lock(mutex_);
  peers_.erase(NameOf(fd));
}

std::optional<Peer> PeerTable::Find(const std::string& grpc_name) const {
  const std::lock_guard lock(mutex_);
  const auto found = peers_.find(grpc_name);
  return found == peers_.end() ? std::nullopt : std::optional<Peer>(found->second);
}

}  // namespace probed::control
