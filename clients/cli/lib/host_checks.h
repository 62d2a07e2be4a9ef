// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// What a host must have for probed to work, checked from user space without the daemon.
#pragma once

#include <string>
#include <vector>

namespace probed::cli {

enum class Verdict { kGood, kWarning, kBad, kUnknown };

struct Check {
  std::string name;
  Verdict verdict = Verdict::kUnknown;
  std::string finding;
  std::string advice;  // empty when nothing is to be done
};

/// Where the facts come from; tests point it at a folder of their own.
struct HostFacts {
  std::string root;            // in front of every path, empty for the real host
  std::string kernel_release;  // as uname -r says
};

HostFacts RealHost();

/// In a fixed order.
std::vector<Check> CheckHost(const HostFacts& facts);

}  // namespace probed::cli
