// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Queue and retry of one sink as a state machine without I/O, clock or threads. The caller tells it what happened and
// when, and asks what to do next. Every item taken ends in exactly one of sent, rejected or dropped{reason}.
//
//   Offer ──► queue ──► Next: send head ──► OnResult ─┬─ ok / partial ──► sent (+ rejected), next
//               │                                    ├─ permanent ─────► dropped, next
//               └─ full: oldest not being sent goes   └─ retryable ─────► Next: wait until max(backoff, server's wish)
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <random>
#include <string>
#include <string_view>

#include "server/config/model.h"
#include "server/export/batch.h"

namespace probed::exporter {

/// Monotonic time since any fixed point.
using Time = std::chrono::nanoseconds;

/// Why a sink gave items up.
enum class DropReason {
  kQueueFull,      // newer ones came and the queue was full
  kRetryExpired,   // still failing after retry.max_elapsed
  kRetryDisabled,  // failed once, and the configuration asks for no second attempt
  kPermanent,      // the receiver said it will never take them
  kShutdown,       // still queued at the end of the flush
};
inline constexpr std::size_t kDropReasons = 5;
std::string_view DropReasonName(DropReason reason);

/// What came of one attempt to send one batch.
struct AttemptResult {
  enum class Kind { kOk, kPartial, kRetryable, kTimeout, kPermanent };
  Kind kind = Kind::kOk;
  std::uint64_t rejected = 0;                            // kPartial
  std::optional<std::chrono::milliseconds> retry_after;  // kRetryable: wait at least this long
  std::string message;                                   // what was said, or what went wrong

  static AttemptResult Ok() { return {}; }
  static AttemptResult Partial(std::uint64_t rejected, std::string message) {
    return {Kind::kPartial, rejected, std::nullopt, std::move(message)};
  }
  static AttemptResult Retryable(std::string message, std::optional<std::chrono::milliseconds> after = std::nullopt) {
    return {Kind::kRetryable, 0, after, std::move(message)};
  }
  static AttemptResult Timeout(std::string message) { return {Kind::kTimeout, 0, std::nullopt, std::move(message)}; }
  static AttemptResult Permanent(std::string message) {
    return {Kind::kPermanent, 0, std::nullopt, std::move(message)};
  }
};

/// What to do now. kSend is given once per attempt; OnResult must follow before the next.
struct RetryAction {
  enum class Kind { kIdle, kSend, kWaitUntil, kStopped };
  Kind kind = Kind::kIdle;
  BatchPtr batch;  // kSend
  Time until{};    // kWaitUntil
};

/// Numbers of items. offered = queued + sent + rejected + sum of dropped.
struct RetryCounts {
  std::uint64_t offered = 0;
  std::uint64_t queued = 0;  // the batch being sent included
  std::uint64_t sent = 0;
  std::uint64_t rejected = 0;
  std::array<std::uint64_t, kDropReasons> dropped{};

  std::uint64_t Dropped(DropReason reason) const { return dropped[static_cast<std::size_t>(reason)]; }
  std::uint64_t AllDropped() const;
};

class RetryQueue {
 public:
  RetryQueue(config::Retry retry, std::uint64_t capacity_batches, std::uint64_t seed);

  void Offer(BatchPtr batch);
  RetryAction Next(Time now);
  void OnResult(const AttemptResult& result, Time now);

  /// From now on nothing is taken; what is queued is sent until the deadline, then dropped.
  void Shutdown(Time deadline);

  /// New settings for what is queued, too. The next attempt need not wait for the old backoff.
  void Reconfigure(config::Retry retry, std::uint64_t capacity_batches);

  bool empty() const { return queue_.empty(); }
  const RetryCounts& counts() const { return counts_; }
  /// Attempts of the batch at the head that failed so far.
  std::uint32_t failures() const { return failures_; }

 private:
  void DropOldest(DropReason reason);
  void DropFrom(std::size_t index, DropReason reason);
  void TrimToCapacity();
  void Accept(std::uint64_t rejected);
  void Delay(const AttemptResult& result, Time now);
  Time Backoff();
  bool Expired(Time at) const;
  void FinishHead();

  config::Retry retry_;
  std::uint64_t capacity_;
  std::mt19937_64 random_;
  std::deque<BatchPtr> queue_;
  bool sending_ = false;               // the head is with the transport
  std::uint32_t failures_ = 0;         // of the head
  std::optional<Time> first_attempt_;  // of the head
  Time not_before_ = Time::min();      // backoff, or what the receiver asked for
  std::optional<Time> deadline_;       // set: shutting down
  double interval_ = 0;                // nanoseconds; the next backoff before jitter
  RetryCounts counts_;
};

}  // namespace probed::exporter
