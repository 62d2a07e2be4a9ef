// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// One Tail: a reader of the telemetry ring with a thread of its own, which exists only while the client is connected.
#pragma once

#include <probed/v1/observe.pb.h>

#include <atomic>
#include <memory>

#include "server/control/service_context.h"

namespace probed::control {

/// RESOURCE_EXHAUSTED when too many read already; `open` counts them.
grpc::ServerWriteReactor<v1::TailResponse>* OpenTail(const ServiceContext& context,
                                                     const grpc::CallbackServerContext& call,
                                                     const v1::TailRequest& request,
                                                     const std::shared_ptr<std::atomic<std::size_t>>& open);

}  // namespace probed::control
