// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// The gRPC servers behind the accept loop. They exist only while somebody is connected: gRPC's own threads wake up
// several times a second even when nothing happens, and an idle daemon is to sleep.
//
// There are two servers. Connections of admitted peers go to the one with the services; all others go to one that
// answers every method with PERMISSION_DENIED, so that no check in a service stands between them and the daemon.
//
// gRPC names a connection by its descriptor ("fd:N"), and a closed number would be given to the next caller. Each
// connection therefore gets a number never used before in the life of these servers; when the numbers run out the
// servers are replaced (streams end with UNAVAILABLE and resume), and counting begins again with no call left that
// could take a new caller for an old one.
#pragma once

#include <grpcpp/impl/service_type.h>
#include <grpcpp/server.h>

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "server/control/calls.h"
#include "server/control/listener.h"
#include "server/control/peer.h"
#include "server/control/refusal.h"

namespace probed::control {

class GrpcHost final : public ConnectionHandler {
 public:
  using Services = std::vector<std::unique_ptr<grpc::Service>>;

  /// `make_services` is asked anew each time the servers are started. All references must outlive the host.
  GrpcHost(Admission admission, PeerTable& peers, Calls& calls, std::function<Services()> make_services);
  ~GrpcHost() override;

  bool OnConnection(std::uint64_t id, const Fd& fd, const Peer& peer) override;
  void OnClosed(std::uint64_t id) override;
  bool OnIdle() override;

  /// Ends every call, those that are not over within the grace period too. Not while the listener runs.
  void Stop(std::chrono::milliseconds grace);

  /// [any] What grpc.health.v1 says of a service. Remembered while the servers are away.
  void SetHealth(const std::string& service, bool serving);
  /// [any] Whether the servers exist.
  bool running() const;

 private:
  void StartServers();
  void StopServers(std::chrono::milliseconds grace);
  int TakeNumber(const Fd& fd);

  const Admission admission_;
  PeerTable& peers_;
  Calls& calls_;
  const std::function<Services()> make_services_;

  Services services_;
  std::unique_ptr<Refusal> refusal_;
  int next_number_ = 0;
  std::map<std::uint64_t, int> numbers_;  // by connection

  mutable std::mutex mutex_;  // guards what SetHealth and running see
  std::unique_ptr<grpc::Server> server_;
  std::map<std::string, bool> health_;
};

}  // namespace probed::control
