// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Runs a check in a child process, so that a module that crashes, hangs or corrupts memory fails one check only.
#pragma once

#include "tests/conformance/check.h"

namespace probed::conformance {

/// The check's report, or one failure that says how the child ended: "crashed in on_segment (signal 11, ...)".
Report RunIsolated(const Check& check, const Subject& subject);

}  // namespace probed::conformance
