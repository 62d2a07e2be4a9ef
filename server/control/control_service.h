// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// probed.v1.Control: messages in, engine calls, messages out. No rule of the domain here. One .cc per resource.
#pragma once

#include <probed/v1/control.grpc.pb.h>

#include "server/control/service_context.h"

namespace probed::control {

class ControlService final : public v1::Control::CallbackService {
 public:
  /// The context must outlive the service.
  explicit ControlService(const ServiceContext& context) : context_(context) {}

  using Call = grpc::CallbackServerContext;
  using Unary = grpc::ServerUnaryReactor;

  Unary* GetInfo(Call* call, const v1::GetInfoRequest* in, v1::GetInfoResponse* out) override;
  Unary* GetState(Call* call, const v1::GetStateRequest* in, v1::GetStateResponse* out) override;
  grpc::ServerWriteReactor<v1::WatchResponse>* Watch(Call* call, const v1::WatchRequest* in) override;

  Unary* ListModules(Call* call, const v1::ListModulesRequest* in, v1::ListModulesResponse* out) override;
  Unary* GetModule(Call* call, const v1::GetModuleRequest* in, v1::GetModuleResponse* out) override;
  Unary* LoadModule(Call* call, const v1::LoadModuleRequest* in, v1::LoadModuleResponse* out) override;
  Unary* ConfigureModule(Call* call, const v1::ConfigureModuleRequest* in, v1::ConfigureModuleResponse* out) override;
  Unary* UnloadModule(Call* call, const v1::UnloadModuleRequest* in, v1::UnloadModuleResponse* out) override;
  Unary* RescanModules(Call* call, const v1::RescanModulesRequest* in, v1::RescanModulesResponse* out) override;

  Unary* ListSinks(Call* call, const v1::ListSinksRequest* in, v1::ListSinksResponse* out) override;
  Unary* GetSink(Call* call, const v1::GetSinkRequest* in, v1::GetSinkResponse* out) override;
  Unary* PutSink(Call* call, const v1::PutSinkRequest* in, v1::PutSinkResponse* out) override;
  Unary* DeleteSink(Call* call, const v1::DeleteSinkRequest* in, v1::DeleteSinkResponse* out) override;
  Unary* TestSink(Call* call, const v1::TestSinkRequest* in, v1::TestSinkResponse* out) override;

  Unary* GetRoutes(Call* call, const v1::GetRoutesRequest* in, v1::GetRoutesResponse* out) override;
  Unary* PutRoutes(Call* call, const v1::PutRoutesRequest* in, v1::PutRoutesResponse* out) override;
  Unary* GetTargets(Call* call, const v1::GetTargetsRequest* in, v1::GetTargetsResponse* out) override;
  Unary* PutTargets(Call* call, const v1::PutTargetsRequest* in, v1::PutTargetsResponse* out) override;

 private:
  const ServiceContext& context_;
};

}  // namespace probed::control
