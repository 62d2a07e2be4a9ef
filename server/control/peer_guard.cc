// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/control/peer_guard.h"

#include <string_view>

namespace probed::control {
namespace {

using grpc::experimental::InterceptionHookPoints;
using grpc::experimental::Interceptor;
using grpc::experimental::InterceptorBatchMethods;
using grpc::experimental::ServerInterceptorFactoryInterface;
using grpc::experimental::ServerRpcInfo;

class Guard : public Interceptor {
 public:
  Guard(const Peers& peers, ServerRpcInfo* call) : peers_(peers), call_(call) {}

  void Intercept(InterceptorBatchMethods* methods) override {
    if (methods->QueryInterceptionHookPoint(InterceptionHookPoints::POST_RECV_INITIAL_METADATA)) Check();
    methods->Proceed();
  }

 private:
  void Check() {
    const std::optional<PeerIdentity> identity = peers_.Find(call_->server_context()->peer());
    if (!identity || !identity->allowed) call_->server_context()->TryCancel();
  }

  const Peers& peers_;
  ServerRpcInfo* call_;
};

class GuardFactory : public ServerInterceptorFactoryInterface {
 public:
  explicit GuardFactory(const Peers& peers) : peers_(peers) {}

  /// Null: this call is not looked at.
  Interceptor* CreateServerInterceptor(ServerRpcInfo* call) override {
    if (std::string_view(call->method()).starts_with("/probed.")) return nullptr;
    return new Guard(peers_, call);
  }

 private:
  const Peers& peers_;
};

}  // namespace

std::unique_ptr<ServerInterceptorFactoryInterface> MakePeerGuard(const Peers& peers) {
  return std::make_unique<GuardFactory>(peers);
}

}  // namespace probed::control
