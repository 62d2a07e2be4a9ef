// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Configurations alive side by side. [control] adds and retires, any [shard] looks up without a lock. Pins counts, per
// shard, which generations open exchanges still need.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <utility>

namespace probed::sdk {

/// A list, newest first. A look-up for generation g stops at the first node <= g, so it never touches what Retire frees
/// as long as the host keeps its promise (no g below the retired generation is asked for any more).
template <class Config>
class Generations {
 public:
  struct Node {
    explicit Node(std::unique_ptr<Config> config) : value(std::move(config)) {}
    std::unique_ptr<Config> value;
    std::uint32_t generation = 0;
    std::atomic<Node*> next{nullptr};
  };

  Generations() = default;
  Generations(const Generations&) = delete;
  Generations& operator=(const Generations&) = delete;
  ~Generations() { Free(head_.load(std::memory_order_relaxed)); }

  /// [control] Takes the node over. Generations come in rising order.
  void Commit(Node* node, std::uint32_t generation) {
    node->generation = generation;
    node->next.store(head_.load(std::memory_order_relaxed), std::memory_order_relaxed);
    head_.store(node, std::memory_order_release);
  }

  /// [shard] The configuration in force under `generation`; the oldest one for an unknown older one; nullptr before the
  /// first commit.
  const Config* Find(std::uint32_t generation) const {
    const Node* found = nullptr;
    for (const Node* node = head_.load(std::memory_order_acquire); node != nullptr;
         node = node->next.load(std::memory_order_acquire)) {
      found = node;
      if (node->generation <= generation) break;
    }
    return found == nullptr ? nullptr : found->value.get();
  }

  /// [control] Frees all that nobody asking for `generation` or newer can reach.
  void Retire(std::uint32_t generation) {
    for (Node* node = head_.load(std::memory_order_relaxed); node != nullptr;
         node = node->next.load(std::memory_order_relaxed)) {
      if (node->generation <= generation) return Free(node->next.exchange(nullptr, std::memory_order_acq_rel));
    }
  }

  /// [control] Newest configuration, or nullptr.
  const Config* Newest() const { return Find(std::numeric_limits<std::uint32_t>::max()); }

 private:
  static void Free(Node* node) {
    while (node != nullptr) {
      const std::unique_ptr<Node> owner(node);
      node = owner->next.load(std::memory_order_relaxed);
    }
  }

  std::atomic<Node*> head_{nullptr};
};

/// Find of one shard, which nearly always asks for the generation it asked for last. [shard]
template <class Config>
class LastGeneration {
 public:
  explicit LastGeneration(const Generations<Config>& all) : all_(all) {}

  const Config* Find(std::uint32_t generation) {
    if (config_ == nullptr || generation_ != generation) {
      config_ = all_.Find(generation);
      generation_ = generation;
    }
    return config_;
  }

 private:
  const Generations<Config>& all_;
  const Config* config_ = nullptr;
  std::uint32_t generation_ = 0;
};

/// Open exchanges per generation of one shard. [shard] More generations at once than there are rows share the last row
/// under the lowest of their numbers: the answer errs towards keeping a configuration longer.
class Pins {
 public:
  static constexpr std::uint32_t kNone = std::numeric_limits<std::uint32_t>::max();

  void Pin(std::uint32_t generation) {
    if (rows_[0].generation == generation) {  // nearly always. A second row of the same generation does no harm
      ++rows_[0].count;
      return;
    }
    Row& row = rows_[IndexFor(generation)];
    row.generation = row.count == 0 ? generation : std::min(row.generation, generation);
    ++row.count;
  }

  void Unpin(std::uint32_t generation) {
    for (Row& row : rows_) {
      if (row.count != 0 && row.generation == generation) {
        --row.count;
        return;
      }
    }
    if (rows_.back().count != 0) --rows_.back().count;
  }

  /// kNone when nothing is open.
  std::uint32_t Oldest() const {
    std::uint32_t oldest = kNone;
    for (const Row& row : rows_) {
      if (row.count != 0) oldest = std::min(oldest, row.generation);
    }
    return oldest;
  }

 private:
  struct Row {
    std::uint32_t generation = 0;
    std::uint32_t count = 0;
  };

  std::size_t IndexFor(std::uint32_t generation) const {
    std::size_t free = rows_.size() - 1;
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      if (rows_[i].count != 0 && rows_[i].generation == generation) return i;
      if (rows_[i].count == 0 && free == rows_.size() - 1) free = i;
    }
    return free;
  }

  std::array<Row, 8> rows_{};
};

}  // namespace probed::sdk
