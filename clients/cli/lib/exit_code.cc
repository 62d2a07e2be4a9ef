// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "clients/cli/lib/exit_code.h"

namespace probed::cli {

ExitCode ExitCodeOf(const grpc::Status& status) {
  switch (status.error_code()) {
    case grpc::StatusCode::OK: return ExitCode::kDone;
    case grpc::StatusCode::INVALID_ARGUMENT: return ExitCode::kUsage;
    case grpc::StatusCode::NOT_FOUND: return ExitCode::kNotFound;
    case grpc::StatusCode::ABORTED:
    case grpc::StatusCode::ALREADY_EXISTS:
    case grpc::StatusCode::FAILED_PRECONDITION: return ExitCode::kConflict;
    case grpc::StatusCode::PERMISSION_DENIED:
    case grpc::StatusCode::UNAUTHENTICATED: return ExitCode::kDenied;
    case grpc::StatusCode::UNAVAILABLE:
      return status.error_details().empty() ? ExitCode::kUnreachable : ExitCode::kFailed;
    default: return ExitCode::kFailed;
  }
}

}  // namespace probed::cli
