// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Items of many streams in the order in which they came, each in its own stream's memory: what is overdue is at the
// front. An item has `Item* older` and `Item* newer`, which are the list's.
#pragma once

namespace probed::mod::dns {

template <class Item>
class ByAge {
 public:
  /// Came first, or nullptr.
  Item* oldest() const { return oldest_; }

  void Append(Item& item) {
    item.older = newest_;
    item.newer = nullptr;
    (newest_ == nullptr ? oldest_ : newest_->newer) = &item;
    newest_ = &item;
  }

  void Unlink(Item& item) {
    (item.older == nullptr ? oldest_ : item.older->newer) = item.newer;
    (item.newer == nullptr ? newest_ : item.newer->older) = item.older;
  }

 private:
  Item* oldest_ = nullptr;
  Item* newest_ = nullptr;
};

}  // namespace probed::mod::dns
