// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Turns ktime into UTC. The difference of the two clocks is sampled at each drain (not by a timer) and followed
// slowly, so that spans keep their order; a step of the clock is followed at once. One per shard, used by its thread
// alone.
//
// Between two samples the difference is constant: all times converted in one drain keep their distances. A span's
// start and end are converted with one difference (the link table keeps it per exchange and hands it to children), so
// a duration never contains a step and a child never starts before its parent.
#pragma once

#include <cstdint>

#include "server/base/clock.h"

namespace probed::pipeline {

class UtcClock {
 public:
  /// Samples at once. `clock` must outlive it.
  explicit UtcClock(const Clock& clock);

  /// Follows the machine's clocks. Call at each drain.
  void Sample();

  /// UTC minus ktime.
  std::int64_t offset_ns() const { return offset_ns_; }

  std::uint64_t ToUtc(std::uint64_t ktime_ns) const { return ToUtc(ktime_ns, offset_ns_); }
  static std::uint64_t ToUtc(std::uint64_t ktime_ns, std::int64_t offset_ns) {
    return ktime_ns + static_cast<std::uint64_t>(offset_ns);
  }

  /// How often the difference jumped.
  std::uint64_t steps() const { return steps_; }

  static constexpr std::int64_t kStepNs = 100'000'000;  // a larger difference is a step
  static constexpr std::int64_t kNoiseNs = 10'000;      // a smaller one is the noise of sampling
  static constexpr std::int64_t kMaxSlewPpm = 499;      // NTP's own limit is 500

 private:
  struct Reading {
    std::uint64_t ktime_ns = 0;
    std::int64_t offset_ns = 0;
  };
  Reading Read() const;

  const Clock& clock_;
  std::int64_t offset_ns_ = 0;
  std::uint64_t sampled_at_ns_ = 0;
  std::uint64_t steps_ = 0;
};

}  // namespace probed::pipeline
