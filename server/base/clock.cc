// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/base/clock.h"

#include <ctime>

namespace probed {
namespace {

constexpr std::uint64_t kNsPerSecond = 1'000'000'000;

std::uint64_t Read(clockid_t id) {
  timespec now{};
  clock_gettime(id, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * kNsPerSecond + static_cast<std::uint64_t>(now.tv_nsec);
}

class MachineClock final : public Clock {
 public:
  std::uint64_t KtimeNs() const override { return Read(CLOCK_MONOTONIC); }
  std::uint64_t UtcNs() const override { return Read(CLOCK_REALTIME); }
};

}  // namespace

const Clock& SystemClock() {
  static const MachineClock clock;
  return clock;
}

}  // namespace probed
