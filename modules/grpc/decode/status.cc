// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "modules/grpc/decode/status.h"

#include <array>

#include "api/sdk/text.h"

namespace probed::mod::grpc {
namespace {

constexpr std::array<std::string_view, 17> kNames = {
    "OK",        "CANCELLED",      "UNKNOWN",           "INVALID_ARGUMENT",   "DEADLINE_EXCEEDED",
    "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
    "ABORTED",   "OUT_OF_RANGE",   "UNIMPLEMENTED",     "INTERNAL",           "UNAVAILABLE",
    "DATA_LOSS", "UNAUTHENTICATED"};

constexpr std::array<std::string_view, 14> kResets = {"stream_reset",        "protocol_error",   "internal_error",
                                                      "flow_control_error",  "settings_timeout", "stream_closed",
                                                      "frame_size_error",    "refused_stream",   "cancel",
                                                      "compression_error",   "connect_error",    "enhance_your_calm",
                                                      "inadequate_security", "http_1_1_required"};

std::uint64_t UnitNs(char unit) {
  switch (unit) {
    case 'H': return 3'600'000'000'000;
    case 'M': return 60'000'000'000;
    case 'S': return 1'000'000'000;
    case 'm': return 1'000'000;
    case 'u': return 1'000;
    case 'n': return 1;
    default: return 0;
  }
}

}  // namespace

std::string_view StatusName(std::int32_t status) {
  const auto index = static_cast<std::size_t>(status);
  return index < kNames.size() ? kNames[index] : kNames[kUnknown];
}

std::int32_t ParseStatus(std::string_view value) {
  std::uint64_t number = 0;
  if (!sdk::ParseDecimal(value, &number) || number >= kNames.size()) return kUnknown;
  return static_cast<std::int32_t>(number);
}

/// At most eight digits and a unit, so the product fits.
std::uint64_t ParseTimeout(std::string_view value) {
  std::uint64_t number = 0;
  if (value.size() < 2 || value.size() > 9 || !sdk::ParseDecimal(value.substr(0, value.size() - 1), &number)) return 0;
  return number * UnitNs(value.back());
}

bool IsError(bool server, std::int32_t status) {
  if (!server) return status != kOk;
  switch (status) {
    case kUnknown:
    case kDeadlineExceeded:
    case kUnimplemented:
    case kInternal:
    case kUnavailable:
    case kDataLoss: return true;
    default: return false;
  }
}

std::int32_t FromHttp(std::uint16_t status) {
  switch (status) {
    case 400: return kInternal;
    case 401: return kUnauthenticated;
    case 403: return kPermissionDenied;
    case 404: return kUnimplemented;
    case 429:
    case 502:
    case 503:
    case 504: return kUnavailable;
    default: return kUnknown;
  }
}

std::int32_t FromReset(std::uint32_t code) {
  switch (code) {
    case kRefusedStream: return kUnavailable;
    case kCancel: return kCancelled;
    case kEnhanceYourCalm: return kResourceExhausted;
    case kInadequateSecurity: return kPermissionDenied;
    default: return kInternal;
  }
}

std::string_view ResetName(std::uint32_t code) { return code < kResets.size() ? kResets[code] : kResets[0]; }

}  // namespace probed::mod::grpc
