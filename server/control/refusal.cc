// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/control/refusal.h"

#include <grpcpp/ext/health_check_service_server_builder_option.h>
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/server_builder.h>

#include "server/control/errors.h"

namespace probed::control {
namespace {

class RefusedCall final : public grpc::ServerGenericBidiReactor {
 public:
  RefusedCall() { Finish(ToGrpc(PermissionDenied())); }
  void OnDone() override { delete this; }
};

}  // namespace

class Refusal::AnyMethod final : public grpc::CallbackGenericService {
 public:
  grpc::ServerGenericBidiReactor* CreateReactor(grpc::GenericCallbackServerContext* /*call*/) override {
    return new RefusedCall;
  }
};

Refusal::Refusal() : method_(std::make_unique<AnyMethod>()) {
  grpc::ServerBuilder builder;
  // No health service either: it would answer.
  builder.SetOption(std::make_unique<grpc::HealthCheckServiceServerBuilderOption>(nullptr));
  builder.RegisterCallbackGenericService(method_.get());
  server_ = builder.BuildAndStart();
}

Refusal::~Refusal() { server_->Shutdown(std::chrono::system_clock::now()); }

}  // namespace probed::control
