// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Text and time between our types and protobuf's, shared by the conversions. Protobuf strings must be UTF-8, else the
// receiver throws the whole message away; ours come from files, kernels and peers and may hold anything.
#pragma once

#include <google/protobuf/duration.pb.h>
#include <google/protobuf/timestamp.pb.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "server/base/error_details.h"

namespace probed::control {

using Violations = std::vector<FieldViolation>;

/// The same text with U+FFFD for each byte that is not part of valid UTF-8.
std::string ValidUtf8(std::string_view text);

/// Valid UTF-8 of at most `bytes` bytes (8 at least); "..." stands for what was cut off.
std::string Shortened(std::string_view text, std::size_t bytes);

google::protobuf::Timestamp ToTimestamp(std::uint64_t utc_ns);
google::protobuf::Duration ToProto(std::chrono::milliseconds value);

/// A duration of a request: whole milliseconds, not negative. Else a violation at `path`, and 0.
std::chrono::milliseconds FromProto(const google::protobuf::Duration& value, const std::string& path,
                                    Violations& violations);

/// "table.routes", 3 → "table.routes[3]"; "sink.spec", "timeout" → "sink.spec.timeout".
std::string At(const std::string& list, std::size_t index);
std::string At(const std::string& list, int index);
std::string Below(const std::string& prefix, std::string_view field);

/// Violations that name fields from a place inside the request, seen from the request.
Violations Under(const std::string& prefix, Violations violations);

}  // namespace probed::control
