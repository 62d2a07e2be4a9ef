// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/export/tail_ring.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>

namespace probed::exporter {

struct TailRing::State {
  struct Entry {
    BatchPtr batch;
    std::uint64_t items_before;  // items of all batches pushed earlier
  };

  std::mutex mutex;
  std::condition_variable pushed;
  std::size_t capacity = 1;
  std::deque<Entry> entries;
  std::size_t readers = 0;
  std::uint64_t first = 0;  // number of entries.front()
  std::uint64_t items = 0;  // of all batches ever pushed
  std::uint64_t wakes = 0;
  bool ended = false;

  std::uint64_t end() const { return first + entries.size(); }
};

TailRing::TailRing(std::size_t batches) : state_(std::make_shared<State>()) {
  state_->capacity = std::max<std::size_t>(1, batches);
}

TailRing::~TailRing() {
  const std::lock_guard lock(state_->mutex);
  state_->ended = true;
  state_->pushed.notify_all();
}

void TailRing::Push(BatchPtr batch) {
  if (!batch) return;
  BatchPtr oldest;  // released after the lock
  {
    const std::lock_guard lock(state_->mutex);
    const std::uint64_t before = state_->items;
    state_->items += batch->items;
    if (state_->readers == 0) return;
    if (state_->entries.size() == state_->capacity) {
      oldest = std::move(state_->entries.front().batch);
      state_->entries.pop_front();
      ++state_->first;
    }
    state_->entries.push_back({std::move(batch), before});
  }
  state_->pushed.notify_all();
}

std::unique_ptr<TailReader> TailRing::Open() {
  const std::lock_guard lock(state_->mutex);
  ++state_->readers;
  return std::make_unique<TailReader>(state_, state_->end(), state_->items);
}

TailReader::TailReader(std::shared_ptr<TailRing::State> state, std::uint64_t next_batch, std::uint64_t items_before)
    : state_(std::move(state)), next_batch_(next_batch), items_before_(items_before) {}

TailReader::~TailReader() {
  std::deque<TailRing::State::Entry> unread;  // released after the lock
  const std::lock_guard lock(state_->mutex);
  if (--state_->readers != 0) return;
  state_->first = state_->end();
  unread.swap(state_->entries);
}

TailReader::Read TailReader::Next(std::chrono::milliseconds timeout) {
  Read read;
  std::unique_lock lock(state_->mutex);
  const std::uint64_t wakes = state_->wakes;
  state_->pushed.wait_for(lock, timeout,
                          [&] { return state_->ended || state_->end() > next_batch_ || state_->wakes != wakes; });
  read.ended = state_->ended;
  if (state_->end() == next_batch_) return read;
  const std::uint64_t from = std::max(next_batch_, state_->first);
  const auto begin = state_->entries.begin() + static_cast<std::ptrdiff_t>(from - state_->first);
  read.lost_items = begin->items_before - items_before_;
  for (auto entry = begin; entry != state_->entries.end(); ++entry) read.batches.push_back(entry->batch);
  next_batch_ = state_->end();
  items_before_ = state_->items;
  return read;
}

void TailReader::Wake() {
  const std::lock_guard lock(state_->mutex);
  ++state_->wakes;
  state_->pushed.notify_all();
}

}  // namespace probed::exporter
