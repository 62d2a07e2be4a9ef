// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// One Watch: a cursor in the engine's change log.
#pragma once

#include <probed/v1/control.pb.h>

#include "server/control/service_context.h"

namespace probed::control {

/// OUT_OF_RANGE when it cannot resume where asked.
grpc::ServerWriteReactor<v1::WatchResponse>* OpenWatch(const ServiceContext& context,
                                                       const grpc::CallbackServerContext& call,
                                                       const v1::WatchRequest& request);

}  // namespace probed::control
