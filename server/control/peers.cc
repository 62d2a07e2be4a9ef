// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/control/peers.h"

#include <sys/stat.h>

#include <charconv>
#include <string>

#include "server/base/error_details.h"
#include "server/control/errors.h"

namespace probed::control {
namespace {

std::optional<int> DescriptorIn(std::string_view peer) {
  constexpr std::string_view kScheme = "fd:";
  if (!peer.starts_with(kScheme)) return std::nullopt;
  const std::string_view digits = peer.substr(kScheme.size());
  int fd = -1;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), fd);
  if (error != std::errc() || end != digits.data() + digits.size() || fd < 0) return std::nullopt;
  return fd;
}

grpc::Status Denied(const std::optional<PeerIdentity>& identity) {
  const std::string who = identity ? "uid " + std::to_string(identity->uid) : std::string("this caller");
  ErrorDetails details;
  details.reason = "PERMISSION_DENIED";
  if (identity) details.metadata["uid"] = std::to_string(identity->uid);
  return ToGrpc(MakeError(absl::StatusCode::kPermissionDenied,
                          who + " may not use probed: run as root, or as a member of the group of its socket",
                          details));
}

}  // namespace

std::optional<Peers::SocketId> Peers::SocketBehind(int fd) {
  struct stat facts{};
  if (::fstat(fd, &facts) != 0 || !S_ISSOCK(facts.st_mode)) return std::nullopt;
  return SocketId{facts.st_dev, facts.st_ino};
}

void Peers::Add(int fd, const PeerIdentity& identity) {
  const std::lock_guard lock(mutex_);
  const std::optional<SocketId> socket = SocketBehind(fd);
  if (socket) entries_[fd] = {identity, *socket};
}

std::optional<PeerIdentity> Peers::Find(std::string_view peer) const {
  const std::optional<int> fd = DescriptorIn(peer);
  if (!fd) return std::nullopt;
  const std::lock_guard lock(mutex_);
  const auto entry = entries_.find(*fd);
  if (entry == entries_.end() || SocketBehind(*fd) != entry->second.socket) return std::nullopt;
  return entry->second.identity;
}

grpc::Status Peers::Authorize(const grpc::CallbackServerContext& context) const {
  const std::optional<PeerIdentity> identity = Find(context.peer());
  if (identity && identity->allowed) return grpc::Status::OK;
  return Denied(identity);
}

std::size_t Peers::RemoveClosed() {
  const std::lock_guard lock(mutex_);
  std::erase_if(entries_, [](const auto& entry) { return SocketBehind(entry.first) != entry.second.socket; });
  return entries_.size();
}

}  // namespace probed::control
