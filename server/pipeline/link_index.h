// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// A hash table of pointers to entries that carry their own hash: open addressing, linear probing, no tombstones. A
// lookup is a multiplication and one or two loads; that is why it is not a general one.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace probed::pipeline {

/// `HashOf` is the member of Entry that holds its hash in this table; it must not change while the entry is inside.
template <typename Entry, auto HashOf>
class LinkIndex {
 public:
  /// Holds at most `capacity` entries, in twice as many places or more.
  explicit LinkIndex(std::size_t capacity) : places_(std::bit_ceil(capacity * 2)), mask_(places_.size() - 1) {}

  /// The place of the entry that `matches`, or the empty one where it would go.
  template <typename Matches>
  Entry** Find(std::uint64_t hash, const Matches& matches) {
    std::size_t at = hash & mask_;
    while (places_[at] != nullptr && !(places_[at]->*HashOf == hash && matches(*places_[at]))) at = (at + 1) & mask_;
    return &places_[at];
  }

  /// Does nothing when this very entry is not inside.
  void Erase(const Entry* entry) {
    std::size_t at = entry->*HashOf & mask_;
    while (places_[at] != entry) {
      if (places_[at] == nullptr) return;
      at = (at + 1) & mask_;
    }
    CloseGap(at);
  }

 private:
  // Moves what follows back, as far as it may stand there.
  void CloseGap(std::size_t gap) {
    for (std::size_t at = (gap + 1) & mask_; places_[at] != nullptr; at = (at + 1) & mask_) {
      const std::size_t home = places_[at]->*HashOf & mask_;
      if (((at - home) & mask_) < ((at - gap) & mask_)) continue;
      places_[gap] = places_[at];
      gap = at;
    }
    places_[gap] = nullptr;
  }

  std::vector<Entry*> places_;
  std::size_t mask_;
};

}  // namespace probed::pipeline
