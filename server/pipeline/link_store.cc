// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/pipeline/link_store.h"

#include <algorithm>

namespace probed::pipeline {

Slot LinkStore::SlotOf(ExchangeId id) {
  const auto slot = static_cast<Slot>(id);
  if (slot / kChunk >= chunks_.size()) return kNoSlot;
  const LinkEntry& entry = At(slot);
  const bool alive =
      entry.phase != LinkEntry::Phase::kFree && entry.generation == static_cast<std::uint32_t>(id >> 32U);
  return alive ? slot : kNoSlot;
}

Slot LinkStore::Allocate() {
  if (free_.empty()) {
    const auto made = static_cast<std::uint32_t>(chunks_.size() * kChunk);
    if (made >= capacity_) return kNoSlot;
    chunks_.push_back(std::make_unique<LinkEntry[]>(kChunk));
    for (Slot slot = std::min(capacity_, made + kChunk); slot > made; --slot) free_.push_back(slot - 1);
  }
  const Slot slot = free_.back();
  free_.pop_back();
  LinkEntry& entry = At(slot);
  entry.phase = LinkEntry::Phase::kOpen;
  if (++entry.generation == 0) ++entry.generation;
  Append(open_, slot);
  ++used_;
  return slot;
}

void LinkStore::Append(List& list, Slot slot) {
  LinkEntry& entry = At(slot);
  entry.previous = list.last;
  entry.next = kNoSlot;
  if (list.last != kNoSlot) {
    At(list.last).next = slot;
  } else {
    list.first = slot;
  }
  list.last = slot;
}

void LinkStore::Unlink(List& list, Slot slot) {
  const LinkEntry& entry = At(slot);
  (entry.previous != kNoSlot ? At(entry.previous).next : list.first) = entry.next;
  (entry.next != kNoSlot ? At(entry.next).previous : list.last) = entry.previous;
}

void LinkStore::MoveToEnded(Slot slot) {
  Unlink(open_, slot);
  Append(ended_, slot);
}

void LinkStore::MoveToEndOfEnded(Slot slot) {
  Unlink(ended_, slot);
  Append(ended_, slot);
}

void LinkStore::Free(Slot slot) {
  LinkEntry& entry = At(slot);
  Unlink(ListOf(entry), slot);
  RemoveFromStream(slot);
  RemoveFromPairs(slot);
  const std::uint32_t generation = entry.generation;
  entry = LinkEntry{};
  entry.generation = generation;
  free_.push_back(slot);
  --used_;
}

Slot LinkStore::AddToStream(Slot slot) {
  LinkEntry& entry = At(slot);
  entry.in_stream = true;
  const auto [it, added] = streams_.try_emplace(StreamKey(entry.cookie, entry.layer), slot);
  if (added) return kNoSlot;
  const Slot before = it->second;
  it->second = slot;
  entry.older = before;
  At(before).newer = slot;
  return before;
}

void LinkStore::RemoveFromStream(Slot slot) {
  LinkEntry& entry = At(slot);
  if (!entry.in_stream) return;
  if (entry.older != kNoSlot) At(entry.older).newer = entry.newer;
  if (entry.newer != kNoSlot) {
    At(entry.newer).older = entry.older;
  } else if (const auto it = streams_.find(StreamKey(entry.cookie, entry.layer));
             it != streams_.end() && it->second == slot) {
    if (entry.older != kNoSlot) {
      it->second = entry.older;
    } else {
      streams_.erase(it);
    }
  }
  entry.older = entry.newer = kNoSlot;
  entry.in_stream = false;
}

Slot LinkStore::NewestOfStream(std::uint64_t cookie, std::uint8_t layer) const {
  const auto it = streams_.find(StreamKey(cookie, layer));
  return it == streams_.end() ? kNoSlot : it->second;
}

void LinkStore::AddToPairs(Slot slot) {
  const LinkEntry& entry = At(slot);
  pairs_[PairHash(entry.pair_high, entry.pair_low, entry.wire_sequence)] = slot;
}

void LinkStore::RemoveFromPairs(Slot slot) {
  const LinkEntry& entry = At(slot);
  if (entry.kind != PROBE_SPAN_CLIENT || (entry.pair_high | entry.pair_low) == 0 || entry.wire_sequence == 0) return;
  const auto it = pairs_.find(PairHash(entry.pair_high, entry.pair_low, entry.wire_sequence));
  if (it != pairs_.end() && it->second == slot) pairs_.erase(it);
}

Slot LinkStore::FindByPair(std::uint64_t high, std::uint64_t low, std::uint32_t wire_sequence) {
  if (pairs_.empty()) return kNoSlot;
  const auto it = pairs_.find(PairHash(high, low, wire_sequence));
  if (it == pairs_.end()) return kNoSlot;
  const LinkEntry& entry = At(it->second);
  const bool same = entry.pair_high == high && entry.pair_low == low && entry.wire_sequence == wire_sequence;
  return same ? it->second : kNoSlot;
}

}  // namespace probed::pipeline
