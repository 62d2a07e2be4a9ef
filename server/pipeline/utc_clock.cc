// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/pipeline/utc_clock.h"

#include <algorithm>
#include <cstdlib>

namespace probed::pipeline {
namespace {

constexpr std::uint64_t kGoodReadingNs = 5'000;  // longer between two reads: the thread was interrupted
constexpr int kAttempts = 3;
constexpr std::int64_t kMillion = 1'000'000;

}  // namespace

// UTC is read between two reads of ktime; of a few attempts the tightest counts.
UtcClock::Reading UtcClock::Read() const {
  Reading best;
  std::uint64_t best_width = ~0ULL;
  for (int attempt = 0; attempt < kAttempts && best_width > kGoodReadingNs; ++attempt) {
    const std::uint64_t before = clock_.KtimeNs();
    const std::uint64_t utc = clock_.UtcNs();
    const std::uint64_t width = clock_.KtimeNs() - before;
    if (width >= best_width) continue;
    best_width = width;
    best.ktime_ns = before + width / 2;
    best.offset_ns = static_cast<std::int64_t>(utc - best.ktime_ns);
  }
  return best;
}

UtcClock::UtcClock(const Clock& clock) : clock_(clock) {
  const Reading reading = Read();
  offset_ns_ = reading.offset_ns;
  sampled_at_ns_ = reading.ktime_ns;
}

void UtcClock::Sample() {
  const Reading reading = Read();
  const std::int64_t error = reading.offset_ns - offset_ns_;
  const auto elapsed = static_cast<std::int64_t>(reading.ktime_ns - sampled_at_ns_);
  sampled_at_ns_ = reading.ktime_ns;
  if (std::llabs(error) > kStepNs) {
    offset_ns_ = reading.offset_ns;
    ++steps_;
  } else if (std::llabs(error) > kNoiseNs) {
    const std::int64_t most = elapsed / kMillion * kMaxSlewPpm + elapsed % kMillion * kMaxSlewPpm / kMillion;
    offset_ns_ += std::clamp(error, -most, most);
  }
}

}  // namespace probed::pipeline
