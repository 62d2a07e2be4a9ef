// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Status codes of gRPC: their names, which are errors for whom, and what stands for one that was never sent
// (gRPC over HTTP/2: "PROTOCOL-HTTP2.md", "http-grpc-status-mapping.md", "statuscodes.md" of the gRPC project).
#pragma once

#include <cstdint>
#include <string_view>

namespace probed::mod::grpc {

enum GrpcStatus : std::int32_t {
  kNoStatus = -1,
  kOk = 0,
  kCancelled = 1,
  kUnknown = 2,
  kDeadlineExceeded = 4,
  kPermissionDenied = 7,
  kResourceExhausted = 8,
  kUnimplemented = 12,
  kInternal = 13,
  kUnavailable = 14,
  kDataLoss = 15,
  kUnauthenticated = 16,
};

/// Error codes of RST_STREAM and GOAWAY (RFC 9113 section 7).
enum H2Error : std::uint32_t {
  kNoError = 0,
  kRefusedStream = 7,
  kCancel = 8,
  kEnhanceYourCalm = 11,
  kInadequateSecurity = 12
};

/// "OK", "CANCELLED", ... A number that gRPC does not define is UNKNOWN to its libraries.
std::string_view StatusName(std::int32_t status);
/// Value of grpc-status; a value that is no number is kUnknown.
std::int32_t ParseStatus(std::string_view value);
/// Value of grpc-timeout in nanoseconds; 0: not a timeout.
std::uint64_t ParseTimeout(std::string_view value);
/// By the RPC conventions: every code but OK for a client, those that are the server's own fault for a server.
bool IsError(bool server, std::int32_t status);
/// What a client makes of a response without grpc-status.
std::int32_t FromHttp(std::uint16_t status);
/// What a client makes of RST_STREAM with this code.
std::int32_t FromReset(std::uint32_t code);
/// "refused_stream", ...: error.type of a plain HTTP/2 exchange that ended so.
std::string_view ResetName(std::uint32_t code);

}  // namespace probed::mod::grpc
