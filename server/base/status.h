// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// The error type of the control plane. Canonical codes map 1:1 on gRPC codes. Hidden behind aliases so that it can
// become std::expected later; the data plane (decoders) does not use it. A machine-readable reason and field paths
// travel as payloads (error_details.h).
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <string_view>
#include <utility>

namespace probed {

using Status = absl::Status;
template <typename T>
using Result = absl::StatusOr<T>;

inline Status OkStatus() { return absl::OkStatus(); }

/// Debian's abseil is built with its own string_view: these two cross over. `MakeStatus` is the plain error.
inline absl::string_view ToAbsl(std::string_view text) { return {text.data(), text.size()}; }
inline std::string_view Message(const Status& status) { return {status.message().data(), status.message().size()}; }
[[nodiscard]] inline Status MakeStatus(absl::StatusCode code, std::string_view message) {
  return {code, ToAbsl(message)};
}

/// Says why an error is of no consequence here.
inline void IgnoreError(const Status& /*status*/, std::string_view /*reason*/) {}

}  // namespace probed

#define PROBED_CONCAT_INNER(a, b) a##b
#define PROBED_CONCAT(a, b) PROBED_CONCAT_INNER(a, b)

/// Returns from the enclosing function when `expr` is not OK.
#define RETURN_IF_ERROR(expr)                                                               \
  do {                                                                                      \
    if (::probed::Status status_macro_ = (expr); !status_macro_.ok()) return status_macro_; \
  } while (false)

#define PROBED_ASSIGN_OR_RETURN_INNER(tmp, lhs, expr) \
  auto tmp = (expr);                                  \
  if (!tmp.ok()) return std::move(tmp).status();      \
  lhs = std::move(tmp).value()

/// Assigns the value of a Result, or returns its error from the enclosing function.
#define ASSIGN_OR_RETURN(lhs, expr) PROBED_ASSIGN_OR_RETURN_INNER(PROBED_CONCAT(result_, __LINE__), lhs, expr)
