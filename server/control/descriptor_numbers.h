// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Moves descriptors to numbers that were not used for a long time. The kernel gives out the lowest free number, so
// that a connection closed and one accepted a moment later would both be "fd:7" to gRPC (peers.h says why that
// matters). Here numbers only grow, through the upper half of what the process may open, and start over at the end.
#pragma once

#include "server/base/fd.h"
#include "server/base/status.h"

namespace probed::control {

/// One thread at a time.
class DescriptorNumbers {
 public:
  /// Numbers from `lowest` up to (not including) `end`; further calls of open() and the like take low ones.
  DescriptorNumbers(int lowest, int end) : lowest_(lowest), end_(end), next_(lowest) {}

  /// The upper half of RLIMIT_NOFILE as it is now.
  static DescriptorNumbers ForProcess();

  /// The same file under the next number nobody holds; the old descriptor is closed. RESOURCE_EXHAUSTED when all of
  /// the range is in use.
  Result<Fd> Move(Fd fd);

 private:
  int lowest_;
  int end_;
  int next_;
};

}  // namespace probed::control
