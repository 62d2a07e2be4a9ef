// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Prints why something failed: what, on what, why, and what to do next.
#pragma once

#include <absl/status/status.h>
#include <grpcpp/support/status.h>

#include <ostream>
#include <string>
#include <string_view>

namespace probed::cli {

/// The machine-readable reason of a failed call, empty when it has none.
std::string ReasonOf(const grpc::Status& status);

/// "probectl: cannot load module http: ...", with the details of the call indented below it. All of it escaped.
void PrintError(std::ostream& err, std::string_view what, const grpc::Status& status);

/// The same for what failed on this side; further lines of the message are indented.
void PrintError(std::ostream& err, std::string_view what, const absl::Status& status);

}  // namespace probed::cli
