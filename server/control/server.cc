// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/control/server.h"

#include <unistd.h>

#include "server/control/control_service.h"
#include "server/control/grpc_host.h"
#include "server/control/health.h"
#include "server/control/listener.h"
#include "server/control/observe_service.h"
#include "server/control/unix_socket.h"

namespace probed::control {

/// Members in the order of their making; they go in reverse.
class ControlServer::Impl {
 public:
  Impl(ControlOptions options, Admission admission, ControlPorts ports, boost::asio::any_io_executor control,
       Fd listening)
      : path_(std::move(options.socket_path)),
        audit_(std::move(options.audit)),
        context_{ports.engine, ports.ledger, ports.tail, std::move(control),      admission,
                 peers_,       calls_,       audit_,     std::move(options.facts)},
        host_(admission, peers_, calls_, [this] { return MakeServices(); }),
        health_(ports.engine, host_),
        listener_(std::make_unique<Listener>(std::move(listening), options.linger, host_)) {}

  void Shutdown(std::chrono::milliseconds grace) {
    if (!listener_) return;
    ::unlink(path_.c_str());
    listener_.reset();
    host_.Stop(grace);
  }

  GrpcHost& host() { return host_; }

 private:
  GrpcHost::Services MakeServices() {
    GrpcHost::Services services;
    services.push_back(std::make_unique<ControlService>(context_));
    services.push_back(std::make_unique<ObserveService>(context_));
    return services;
  }

  const std::string path_;
  Audit audit_;
  PeerTable peers_;
  Calls calls_;
  ServiceContext context_;
  GrpcHost host_;
  HealthFollower health_;
  std::unique_ptr<Listener> listener_;
};

ControlServer::ControlServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ControlServer::~ControlServer() { Shutdown(std::chrono::milliseconds(0)); }

Result<std::unique_ptr<ControlServer>> ControlServer::Start(ControlOptions options, ControlPorts ports,
                                                            boost::asio::any_io_executor control) {
  const Admission admission{::geteuid(), FindGroup(options.group)};
  ASSIGN_OR_RETURN(Fd listening, ListenUnix(options.socket_path, admission.group));
  auto impl = std::make_unique<Impl>(std::move(options), admission, ports, std::move(control), std::move(listening));
  return std::unique_ptr<ControlServer>(new ControlServer(std::move(impl)));
}

void ControlServer::Shutdown(std::chrono::milliseconds grace) { impl_->Shutdown(grace); }
bool ControlServer::serving() const { return impl_->host().running(); }
void ControlServer::SetHealth(const std::string& part, bool serving) { impl_->host().SetHealth(part, serving); }

}  // namespace probed::control
