// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// A bounded queue between a producer that must never wait and a consumer that may be slow: when it is full the oldest
// item goes, and the loss is told with the item that follows. Not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <utility>
#include <vector>

namespace probed::control {

template <typename T>
class LossyQueue {
 public:
  struct Portion {
    std::uint64_t lost = 0;  // right before the first item
    std::vector<T> items;
  };

  explicit LossyQueue(std::size_t capacity) : capacity_(capacity) {}

  /// `lost_before`: what the producer itself lost right before this item.
  void Push(T item, std::uint64_t lost_before = 0) {
    entries_.push_back({lost_before, std::move(item)});
    if (entries_.size() <= capacity_) return;
    const std::uint64_t lost = entries_.front().lost_before + 1;
    entries_.pop_front();
    entries_.front().lost_before += lost;
  }

  bool empty() const { return entries_.empty(); }

  /// Up to `most` items, ending before the next loss, so that a loss always stands before all items of its portion.
  Portion Take(std::size_t most) {
    Portion portion;
    while (!entries_.empty() && portion.items.size() < most) {
      Entry& entry = entries_.front();
      if (portion.items.empty()) portion.lost = entry.lost_before;
      if (!portion.items.empty() && entry.lost_before != 0) break;
      portion.items.push_back(std::move(entry.item));
      entries_.pop_front();
    }
    return portion;
  }

 private:
  struct Entry {
    std::uint64_t lost_before;
    T item;
  };

  const std::size_t capacity_;
  std::deque<Entry> entries_;
};

}  // namespace probed::control
