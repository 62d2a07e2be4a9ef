// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// The seam for time. KtimeNs is CLOCK_MONOTONIC (what bpf_ktime_get_ns gives), UtcNs is CLOCK_REALTIME.
#pragma once

#include <cstdint>

namespace probed {

class Clock {
 public:
  virtual ~Clock() = default;
  virtual std::uint64_t KtimeNs() const = 0;
  virtual std::uint64_t UtcNs() const = 0;
};

/// The machine's clocks. Lives for the whole program.
const Clock& SystemClock();

}  // namespace probed
