// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/export/sink.h"

#include <fmt/format.h>
#include <pthread.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

namespace probed::exporter {
namespace {

Time SinceStart(SteadyTime time) { return time.time_since_epoch(); }
SteadyTime ToSteady(Time time) {
  return SteadyTime(std::chrono::duration_cast<std::chrono::steady_clock::duration>(time));
}

std::uint64_t Finished(const RetryCounts& counts) { return counts.sent + counts.rejected + counts.AllDropped(); }

std::uint64_t GivenUp(const RetryCounts& counts) {
  return counts.Dropped(DropReason::kPermanent) + counts.Dropped(DropReason::kRetryExpired) +
         counts.Dropped(DropReason::kRetryDisabled);
}

Status LeftOver(const std::string& name, std::uint64_t items) {
  if (items == 0) return OkStatus();
  return MakeStatus(absl::StatusCode::kDeadlineExceeded,
                    fmt::format("sink {}: {} items not sent within the deadline", name, items));
}

}  // namespace

Sink::Sink(std::string name, SinkSettings settings, std::unique_ptr<Transport> transport)
    : name_(std::move(name)),
      settings_(settings),
      transport_(std::move(transport)),
      queue_(settings.retry, settings.queue_batches, std::random_device{}()),
      thread_([this] { Run(); }) {}

Sink::~Sink() { IgnoreError(Stop(std::chrono::steady_clock::now()), "what is lost is counted"); }

void Sink::Offer(BatchPtr batch) {
  if (!batch || batch->items == 0) return;
  {
    const std::lock_guard lock(mutex_);
    queue_.Offer(std::move(batch));
  }
  wake_.notify_one();
}

Status Sink::Flush(SteadyTime deadline) {
  std::unique_lock lock(mutex_);
  const std::uint64_t wanted = queue_.counts().offered;
  changed_.wait_until(lock, deadline, [&] { return stopped_ || Finished(queue_.counts()) >= wanted; });
  const std::uint64_t done = Finished(queue_.counts());
  return LeftOver(name_, done >= wanted ? 0 : wanted - done);
}

Status Sink::Stop(SteadyTime deadline) {
  std::unique_lock lock(mutex_);
  if (!thread_.joinable()) return OkStatus();
  queue_.Shutdown(SinceStart(deadline));
  stop_deadline_ = deadline;
  wake_.notify_one();
  if (!changed_.wait_until(lock, deadline, [&] { return stopped_; })) transport_->Cancel();
  std::thread thread = std::move(thread_);
  lock.unlock();
  thread.join();
  lock.lock();
  return LeftOver(name_, queue_.counts().Dropped(DropReason::kShutdown));
}

void Sink::Reconfigure(SinkSettings settings, std::unique_ptr<Transport> transport) {
  std::shared_ptr<Transport> next = std::move(transport);
  {
    const std::lock_guard lock(mutex_);
    settings_ = settings;
    std::swap(transport_, next);
    queue_.Reconfigure(settings.retry, settings.queue_batches);
  }
  wake_.notify_one();  // and the old transport ends here, outside the lock, unless an attempt still holds it
}

SinkStats Sink::stats() const {
  const std::lock_guard lock(mutex_);
  SinkStats stats = stats_;
  stats.items = queue_.counts();
  return stats;
}

void Sink::Run() {
  pthread_setname_np(pthread_self(), ("sink:" + name_).substr(0, 15).c_str());
  std::unique_lock lock(mutex_);
  while (!stopped_) {
    const RetryAction action = queue_.Next(SinceStart(std::chrono::steady_clock::now()));
    switch (action.kind) {
      case RetryAction::Kind::kIdle: wake_.wait(lock); break;
      case RetryAction::Kind::kWaitUntil: wake_.wait_until(lock, ToSteady(action.until)); break;
      case RetryAction::Kind::kSend: Attempt(action.batch, lock); break;
      case RetryAction::Kind::kStopped: stopped_ = true; break;
    }
    changed_.notify_all();
  }
}

std::chrono::milliseconds Sink::AttemptTimeout() const {
  if (!stop_deadline_) return settings_.timeout;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(*stop_deadline_ - std::chrono::steady_clock::now());
  return std::clamp(left, std::chrono::milliseconds(1), std::max(settings_.timeout, std::chrono::milliseconds(1)));
}

void Sink::Attempt(const BatchPtr& batch, std::unique_lock<std::mutex>& lock) {
  const std::shared_ptr<Transport> transport = transport_;
  const std::chrono::milliseconds timeout = AttemptTimeout();
  stats_.in_flight_items = batch->items;
  ++stats_.attempts;
  lock.unlock();
  const AttemptResult result = transport->Send(batch, timeout);
  lock.lock();
  stats_.in_flight_items = 0;
  const std::uint64_t given_up = GivenUp(queue_.counts());
  queue_.OnResult(result, SinceStart(std::chrono::steady_clock::now()));
  Record(result, given_up);
}

void Sink::Record(const AttemptResult& result, std::uint64_t given_up_before) {
  const std::string before = std::exchange(stats_.state, "ok");
  if (result.kind == AttemptResult::Kind::kPartial) {
    stats_.last_error = fmt::format("receiver rejected {} items: {}", result.rejected, result.message);
    spdlog::warn("sink {}: {}", name_, stats_.last_error);
  } else if (result.kind != AttemptResult::Kind::kOk) {
    stats_.state = GivenUp(queue_.counts()) > given_up_before ? "failing" : "retrying";
    stats_.last_error = result.message;
  }
  if (stats_.state == before) return;
  if (stats_.state == "ok" && before != "idle") spdlog::info("sink {}: sends again", name_);
  if (stats_.state != "ok") spdlog::warn("sink {}: {}: {}", name_, stats_.state, stats_.last_error);
}

}  // namespace probed::exporter
