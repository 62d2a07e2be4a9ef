// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Keeps refused peers out of the services we did not write (grpc.health.v1, reflection), which cannot ask Peers
// themselves: their calls are cancelled before a handler sees them.
#pragma once

#include <grpcpp/support/server_interceptor.h>

#include <memory>

#include "server/control/peers.h"

namespace probed::control {

/// For grpc::ServerBuilder::experimental().SetInterceptorCreators. `peers` must outlive the server. Own services
/// (probed.*) pass: they answer with a status, which an interceptor cannot.
std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface> MakePeerGuard(const Peers& peers);

}  // namespace probed::control
