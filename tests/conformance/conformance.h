// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// The conformance kit: every check over one module. Used by probe-modtest, which authors run, and by the tests.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "tests/conformance/check.h"

namespace probed::conformance {

/// All checks, in the order they make sense to be read.
std::vector<Check> AllChecks();

/// Runs them over the module at `path`; `done` sees each result as it comes. Returns how many failed.
std::size_t RunAll(const std::string& path, const Options& options,
                   const std::function<void(const Check&, const Report&)>& done);

/// "PASS exports: exports ... and nothing else", "FAIL ...: ...: reason; reason", "SKIP ...".
std::string ResultLine(const Check& check, const Report& report);

/// The .so files among `paths`, of a directory all in it, sorted.
std::vector<std::string> ModulesAt(const std::vector<std::string>& paths);

}  // namespace probed::conformance
