// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// What probectl's exit status means; part of its contract with scripts.
#pragma once

#include <grpcpp/support/status.h>

namespace probed::cli {

enum class ExitCode : int {
  kDone = 0,
  kFailed = 1,
  kUsage = 2,        // command line, input file or request is wrong
  kNotFound = 3,     // no such module, sink, ...
  kConflict = 4,     // changed meanwhile, exists already, or the state does not allow it
  kDenied = 5,       // the caller may not
  kUnreachable = 6,  // no daemon answers
  kDegraded = 7,     // it works, but not as it should (doctor, --wait)
};

/// The exit status for a call's status. UNAVAILABLE with details was said by the daemon itself, so it was reached.
ExitCode ExitCodeOf(const grpc::Status& status);

inline int ToInt(ExitCode code) { return static_cast<int>(code); }

}  // namespace probed::cli
