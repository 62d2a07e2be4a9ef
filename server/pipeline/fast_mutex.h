// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// A lock for the data path: a dozen instructions when nobody else wants it (std::mutex: some eighty), asleep when
// somebody has it. For std::lock_guard.
#pragma once

#include <atomic>
#include <cstdint>

namespace probed::pipeline {

class FastMutex {
 public:
  void lock() {
    std::uint32_t expected = kFree;
    if (state_.compare_exchange_strong(expected, kHeld, std::memory_order_acquire)) return;
    while (state_.exchange(kWanted, std::memory_order_acquire) != kFree) state_.wait(kWanted);
  }
  void unlock() {
    if (state_.exchange(kFree, std::memory_order_release) == kWanted) state_.notify_one();
  }

 private:
  enum : std::uint32_t { kFree, kHeld, kWanted };  // wanted: held, and perhaps somebody sleeps
  std::atomic<std::uint32_t> state_{kFree};
};

}  // namespace probed::pipeline
