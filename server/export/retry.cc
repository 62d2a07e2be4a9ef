// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/export/retry.h"

#include <algorithm>
#include <numeric>

namespace probed::exporter {

std::string_view DropReasonName(DropReason reason) {
  switch (reason) {
    case DropReason::kQueueFull: return "queue_full";
    case DropReason::kRetryExpired: return "retry_expired";
    case DropReason::kRetryDisabled: return "retry_disabled";
    case DropReason::kPermanent: return "permanent";
    case DropReason::kShutdown: return "shutdown";
  }
  return "";
}

std::uint64_t RetryCounts::AllDropped() const {
  return std::accumulate(dropped.begin(), dropped.end(), std::uint64_t{0});
}

RetryQueue::RetryQueue(config::Retry retry, std::uint64_t capacity_batches, std::uint64_t seed)
    : retry_(retry), capacity_(std::max<std::uint64_t>(1, capacity_batches)), random_(seed) {}

void RetryQueue::Offer(BatchPtr batch) {
  counts_.offered += batch->items;
  counts_.queued += batch->items;
  queue_.push_back(std::move(batch));
  if (deadline_) return DropFrom(queue_.size() - 1, DropReason::kShutdown);
  TrimToCapacity();
}

void RetryQueue::TrimToCapacity() {
  while (queue_.size() > capacity_ && queue_.size() > (sending_ ? 1U : 0U)) DropOldest(DropReason::kQueueFull);
}

void RetryQueue::DropOldest(DropReason reason) { DropFrom(sending_ ? 1 : 0, reason); }

void RetryQueue::DropFrom(std::size_t index, DropReason reason) {
  const std::uint32_t items = queue_[index]->items;
  counts_.queued -= items;
  counts_.dropped[static_cast<std::size_t>(reason)] += items;
  if (index == 0) return FinishHead();
  queue_.erase(queue_.begin() + static_cast<std::ptrdiff_t>(index));
}

void RetryQueue::FinishHead() {
  queue_.pop_front();
  failures_ = 0;
  first_attempt_.reset();
  interval_ = 0;
}

RetryAction RetryQueue::Next(Time now) {
  if (deadline_ && now >= *deadline_ && !sending_) {
    while (!queue_.empty()) DropOldest(DropReason::kShutdown);
  }
  if (queue_.empty()) return {deadline_ ? RetryAction::Kind::kStopped : RetryAction::Kind::kIdle, nullptr, {}};
  if (now < not_before_) {
    const Time until = deadline_ ? std::min(not_before_, *deadline_) : not_before_;
    return {RetryAction::Kind::kWaitUntil, nullptr, until};
  }
  if (!first_attempt_) first_attempt_ = now;
  sending_ = true;
  return {RetryAction::Kind::kSend, queue_.front(), {}};
}

void RetryQueue::OnResult(const AttemptResult& result, Time now) {
  sending_ = false;
  switch (result.kind) {
    case AttemptResult::Kind::kOk: return Accept(0);
    case AttemptResult::Kind::kPartial: return Accept(result.rejected);
    case AttemptResult::Kind::kPermanent: return DropFrom(0, DropReason::kPermanent);
    case AttemptResult::Kind::kRetryable:
    case AttemptResult::Kind::kTimeout: return Delay(result, now);
  }
}

void RetryQueue::Accept(std::uint64_t rejected) {
  const std::uint64_t items = queue_.front()->items;
  const std::uint64_t refused = std::min(rejected, items);
  counts_.queued -= items;
  counts_.rejected += refused;
  counts_.sent += items - refused;
  not_before_ = Time::min();
  FinishHead();
}

void RetryQueue::Delay(const AttemptResult& result, Time now) {
  // What the receiver asks for holds for the next batch too, whatever becomes of this one.
  const Time asked = result.retry_after ? now + Time(*result.retry_after) : Time::min();
  not_before_ = asked;
  if (!retry_.enabled) return DropFrom(0, DropReason::kRetryDisabled);
  const Time next = std::max(now + Backoff(), asked);
  if (Expired(next)) return DropFrom(0, DropReason::kRetryExpired);
  ++failures_;
  not_before_ = next;
}

Time RetryQueue::Backoff() {
  const double longest = static_cast<double>(Time(retry_.max_interval).count());
  const double first = static_cast<double>(Time(retry_.initial_interval).count());
  interval_ = std::min(longest, interval_ == 0 ? first : interval_ * retry_.multiplier);
  const double spread = std::clamp(retry_.randomization, 0.0, 1.0);
  std::uniform_real_distribution<double> jitter(1 - spread, 1 + spread);
  return Time(static_cast<Time::rep>(interval_ * jitter(random_)));
}

bool RetryQueue::Expired(Time at) const {
  return retry_.max_elapsed.count() > 0 && at - *first_attempt_ > retry_.max_elapsed;
}

void RetryQueue::Shutdown(Time deadline) { deadline_ = deadline_ ? std::min(*deadline_, deadline) : deadline; }

void RetryQueue::Reconfigure(config::Retry retry, std::uint64_t capacity_batches) {
  retry_ = retry;
  capacity_ = std::max<std::uint64_t>(1, capacity_batches);
  not_before_ = Time::min();
  interval_ = 0;
  if (!sending_) first_attempt_.reset();
  TrimToCapacity();
}

}  // namespace probed::exporter
