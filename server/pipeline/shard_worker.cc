// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/pipeline/shard_worker.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <future>

#include "server/base/thread_tags.h"
#include "server/modules/crash_note.h"

namespace probed::pipeline {
namespace {

constexpr std::size_t kDrainLimit = 4096;       // records per ring and round: no ring starves another
constexpr int kPollMilliseconds = 5;            // between rounds while records come
constexpr int kEmptyRounds = 4;                 // this many empty rounds end the polling
constexpr std::uint64_t kTickNs = 100'000'000;  // on_tick
constexpr std::uint64_t kNsPerMs = 1'000'000;

}  // namespace

ShardWorker::ShardWorker(std::uint32_t index, std::unique_ptr<SpanOutput> output, const Clock& clock)
    : index_(index),
      output_(std::move(output)),
      clock_(clock),
      wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      rings_epoll_(epoll_create1(EPOLL_CLOEXEC)) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = wake_.get();
  epoll_ctl(rings_epoll_.get(), EPOLL_CTL_ADD, wake_.get(), &event);
  thread_ = std::thread([this] { Loop(); });
}

ShardWorker::~ShardWorker() {
  Run([this] { output_->FlushBatches(); });
  stop_.store(true);
  eventfd_write(wake_.get(), 1);
  thread_.join();
}

void ShardWorker::Run(const std::function<void()>& work) {
  std::promise<void> done;
  {
    const std::lock_guard lock(mutex_);
    posted_.emplace_back([&] {
      work();
      done.set_value();
    });
  }
  eventfd_write(wake_.get(), 1);
  done.get_future().wait();
}

void ShardWorker::Add(ModuleFeed* feed, int ring_fd) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = ring_fd;
  epoll_ctl(rings_epoll_.get(), EPOLL_CTL_ADD, ring_fd, &event);
  feeds_.push_back(feed);
}

void ShardWorker::Remove(ModuleFeed* feed, int ring_fd) {
  epoll_ctl(rings_epoll_.get(), EPOLL_CTL_DEL, ring_fd, nullptr);
  feeds_.erase(std::remove(feeds_.begin(), feeds_.end(), feed), feeds_.end());
}

void ShardWorker::DrainToMarker(ModuleFeed& feed) {
  const std::uint64_t marker = feed.ring_producer();
  while (feed.ring_position() < marker)
    if (DrainAll() == 0) std::this_thread::yield();  // a record is being written
}

std::size_t ShardWorker::DrainAll() {
  if (feeds_.size() == 1) return feeds_.front()->Drain(kDrainLimit);
  return DrainInOrder();
}

// What one module sees may be the request that another's is made for, so records of several are decoded in the order in
// which things happened. Those younger than this call wait for the next: what happened before them may have been
// committed behind our back, to a ring that was looked at already.
std::size_t ShardWorker::DrainInOrder() {
  const std::uint64_t now = clock_.KtimeNs();
  const std::size_t limit = kDrainLimit * feeds_.size();
  std::size_t taken = 0;
  while (taken < limit) {
    ModuleFeed* first = nullptr;
    std::uint64_t first_ns = now;
    std::uint64_t until_ns = now;  // the next one's turn
    for (ModuleFeed* feed : feeds_) {
      const std::uint64_t at = feed->NextKtimeNs();
      if (at > first_ns) {
        until_ns = std::min(until_ns, at);
        continue;
      }
      if (first != nullptr) until_ns = first_ns;
      first = feed;
      first_ns = at;
    }
    if (first == nullptr) break;
    taken += first->Drain(limit - taken, until_ns);
  }
  return taken;
}

bool ShardWorker::PublishAll() {
  bool more = false;
  for (ModuleFeed* feed : feeds_) more |= feed->PublishAll();
  return more;
}

void ShardWorker::RunPosted() {
  std::deque<std::function<void()>> work;
  {
    const std::lock_guard lock(mutex_);
    work.swap(posted_);
  }
  for (const std::function<void()>& item : work) item();
}

void ShardWorker::Tick(std::uint64_t now_ns) {
  if (now_ns - last_tick_ns_ >= kTickNs) {
    last_tick_ns_ = now_ns;
    for (ModuleFeed* feed : feeds_) feed->Tick(now_ns);
  }
  output_->FlushIfDue(now_ns);
}

// How long nothing needs doing: until a batch is due, or a tick; -1: until somebody calls.
int ShardWorker::SleepMilliseconds(std::uint64_t now_ns) const {
  const bool ticks =
      std::any_of(feeds_.begin(), feeds_.end(), [](const ModuleFeed* feed) { return feed->wants_ticks(); });
  const std::uint64_t due = output_->due_ns();
  std::uint64_t wait_ns = ticks ? kTickNs : UINT64_MAX;
  if (due != 0) wait_ns = std::min(wait_ns, due > now_ns ? due - now_ns : 0);
  return wait_ns == UINT64_MAX ? -1 : static_cast<int>(wait_ns / kNsPerMs) + 1;
}

void ShardWorker::Wait(int milliseconds, bool watch_rings) {
  int woken = 0;
  if (watch_rings) {
    epoll_event events[8];
    woken = epoll_wait(rings_epoll_.get(), events, 8, milliseconds);
  } else {
    pollfd wake{.fd = wake_.get(), .events = POLLIN, .revents = 0};
    woken = poll(&wake, 1, milliseconds);
  }
  eventfd_t value = 0;
  if (woken > 0) eventfd_read(wake_.get(), &value);
}

void ShardWorker::Loop() {
  TagThread(ThreadTag::kShard, index_);
  const modules::SignalStack signal_stack;
  int empty_rounds = 0;
  while (!stop_.load(std::memory_order_relaxed)) {
    RunPosted();
    output_->BeginRound();
    empty_rounds = DrainAll() > 0 ? 0 : empty_rounds + 1;
    const std::uint64_t now = clock_.KtimeNs();
    Tick(now);
    if (empty_rounds < kEmptyRounds) {
      Wait(kPollMilliseconds, false);
    } else if (!PublishAll()) {
      Wait(SleepMilliseconds(now), true);
    }
  }
  RunPosted();
}

}  // namespace probed::pipeline
