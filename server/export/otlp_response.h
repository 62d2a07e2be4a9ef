// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// What the OTLP transports read from a receiver's answer. Everything here comes from outside: nothing throws.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "server/export/retry.h"

namespace probed::exporter {

/// An Export{Trace,Metrics,Logs}ServiceResponse: kOk, or kPartial when it speaks of rejected items or has a message.
/// The request was accepted, so an answer that cannot be read is still kOk.
AttemptResult ParseExportResponse(std::string_view response);

/// The delay of the google.rpc.RetryInfo inside a google.rpc.Status.
std::optional<std::chrono::milliseconds> ParseRetryInfo(std::string_view rpc_status);

/// The message of a google.rpc.Status; empty when the bytes are none.
std::string ParseRpcMessage(std::string_view rpc_status);

/// HTTP's Retry-After: seconds, or a date in any of the three forms of RFC 9110, 5.6.7. A date gone by is zero.
std::optional<std::chrono::milliseconds> ParseRetryAfter(std::string_view value, std::int64_t now_utc_seconds);

}  // namespace probed::exporter
