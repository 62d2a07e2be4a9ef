// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Status and ErrorDetails as gRPC carries them: canonical code, text, and google.rpc.Status with its details. Bounded,
// because it all travels in the trailers, of which clients take 8 KiB.
#pragma once

#include <grpcpp/support/status.h>

#include <string>
#include <string_view>

#include "server/base/status.h"

namespace probed::control {

/// The domain of ErrorInfo.
inline constexpr std::string_view kErrorDomain = "probed";

grpc::Status ToGrpc(const Status& status);

Status PermissionDenied();
Status Unauthenticated();
Status ShuttingDown();

/// The text with what is no UTF-8 replaced: protobuf strings must be.
std::string Utf8(std::string_view text);

}  // namespace probed::control
