// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// probed.v1.Observe: looking at what flows, and at the books.
#pragma once

#include <probed/v1/observe.grpc.pb.h>

#include <atomic>
#include <memory>

#include "server/control/service_context.h"

namespace probed::control {

class ObserveService final : public v1::Observe::CallbackService {
 public:
  /// The context must outlive the service.
  explicit ObserveService(const ServiceContext& context) : context_(context) {}

  grpc::ServerWriteReactor<v1::TailResponse>* Tail(grpc::CallbackServerContext* call,
                                                   const v1::TailRequest* in) override;
  grpc::ServerUnaryReactor* GetLedger(grpc::CallbackServerContext* call, const v1::GetLedgerRequest* in,
                                      v1::GetLedgerResponse* out) override;

 private:
  const ServiceContext& context_;
  std::shared_ptr<std::atomic<std::size_t>> tails_ = std::make_shared<std::atomic<std::size_t>>(0);
};

}  // namespace probed::control
