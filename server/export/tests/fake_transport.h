// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// A transport that does what the test says, one attempt at a time.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <vector>

#include "server/export/transport.h"

namespace probed::exporter {

/// What a FakeTransport is told and tells; outlives it.
class FakeReceiver {
 public:
  /// Answers the attempts to come, in order; afterwards everything is Ok.
  void Answer(AttemptResult result) {
    const std::lock_guard lock(mutex_);
    answers_.push_back(std::move(result));
  }
  /// While held, attempts do not return unless cancelled.
  void Hold(bool hold) {
    const std::lock_guard lock(mutex_);
    hold_ = hold;
    changed_.notify_all();
  }
  /// Waits for the n-th attempt to begin.
  void WaitForAttempts(std::size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return attempts_.size() >= count; });
  }
  std::vector<std::uint32_t> Attempts() const {
    const std::lock_guard lock(mutex_);
    return attempts_;
  }
  std::vector<std::chrono::milliseconds> Timeouts() const {
    const std::lock_guard lock(mutex_);
    return timeouts_;
  }

  AttemptResult Take(const BatchPtr& batch, std::chrono::milliseconds timeout) {
    std::unique_lock lock(mutex_);
    attempts_.push_back(batch->items);
    timeouts_.push_back(timeout);
    changed_.notify_all();
    changed_.wait(lock, [&] { return !hold_ || cancelled_; });
    if (cancelled_) return AttemptResult::Retryable("cancelled");
    if (answers_.empty()) return AttemptResult::Ok();
    AttemptResult result = answers_.front();
    answers_.pop_front();
    return result;
  }
  void Cancel() {
    const std::lock_guard lock(mutex_);
    cancelled_ = true;
    changed_.notify_all();
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<AttemptResult> answers_;
  std::vector<std::uint32_t> attempts_;
  std::vector<std::chrono::milliseconds> timeouts_;
  bool hold_ = false;
  bool cancelled_ = false;
};

class FakeTransport final : public Transport {
 public:
  explicit FakeTransport(FakeReceiver& receiver) : receiver_(receiver) {}
  AttemptResult Send(const BatchPtr& batch, std::chrono::milliseconds timeout) override {
    return receiver_.Take(batch, timeout);
  }
  void Cancel() override { receiver_.Cancel(); }

 private:
  FakeReceiver& receiver_;
};

inline BatchPtr FakeBatch(std::uint32_t items) {
  auto batch = std::make_shared<Batch>();
  batch->items = items;
  return batch;
}

}  // namespace probed::exporter
