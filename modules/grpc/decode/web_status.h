// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// The status of a gRPC-Web call: its trailers are lines in the last message of the body, in the clear or by gzip (the
// "PROTOCOL-WEB.md" of the gRPC project).
#pragma once

#include <cstdint>
#include <string_view>

namespace probed::mod::grpc {

/// Value of grpc-status in the message's bytes, of which the last may be missing. kNoStatus: it is not there, or is
/// compressed in a way that is not known here.
std::int32_t WebStatus(std::string_view trailers);

}  // namespace probed::mod::grpc
