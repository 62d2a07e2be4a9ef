// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Machine-readable parts of an error: a reason of the contract, metadata, and field violations. control/ turns them
// into google.rpc details; everybody below only attaches them. No protobuf here.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "server/base/status.h"

namespace probed {

struct FieldViolation {
  std::string path;         // dotted, as the user wrote it: "modules[0].config.capture_bytes"
  std::string description;  // what is wrong, with a "did you mean" where one is near
};

struct ErrorDetails {
  std::string reason;  // UPPER_SNAKE_CASE, part of the API contract (docs/errors.md)
  std::map<std::string, std::string> metadata;
  std::vector<FieldViolation> fields;
  std::string log_tail;  // end of the verifier's log, if one spoke
};

/// An error with its details attached.
[[nodiscard]] Status MakeError(absl::StatusCode code, std::string_view message, ErrorDetails details);

/// The details of an error; empty reason when it has none.
ErrorDetails GetErrorDetails(const Status& status);

/// The candidate nearest to `word` by edit distance, empty when none is near enough to suggest.
std::string NearestWord(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace probed
