// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// The memory of the link table. Entries never move; they are taken in a circle, so that an ended one stays for a lap
// and is then used again: no timer, no list, no free store. The circle grows while a lap takes less than the time that
// ended entries are wanted for. No policy here (link_table.h) and no lock.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "server/pipeline/exchange.h"
#include "server/pipeline/link_index.h"
#include "server/pipeline/mix.h"

namespace probed::pipeline {

constexpr std::uint64_t kNever = ~std::uint64_t{0};

enum class LinkPhase : std::uint8_t { kFree, kOpen, kEnded, kAborted };
struct LinkEntry;

/// Plain values: an entry is cleared by assigning these whole.
struct LinkValues {
  using Phase = LinkPhase;

  std::uint32_t generation = 0;
  std::uint32_t wire_sequence = 0;
  std::uint32_t pins = 0;  // unresolved children that are bound to this one
  std::uint32_t parent_generation = 0;
  Phase phase = Phase::kFree;
  std::uint8_t kind = 0;
  std::uint8_t layer = 0;
  std::uint8_t cause_layer = 0;
  std::uint8_t trace_flags = 0;
  Origin origin = Origin::kRoot;
  bool has_remote = false;
  bool resolved = false;
  bool resolving = false;
  bool allow_cause = false;
  bool same_host = false;
  std::uint8_t place = 0;       // PairKey::place
  bool shared_segment = false;  // another request began in the same segment
  bool in_stream = false;
  bool in_pairs = false;
  LinkEntry* parent = nullptr;  // bound, pinned
  LinkEntry* older = nullptr;   // of the same stream
  LinkEntry* newer = nullptr;
  std::uint64_t stream_hash = 0;
  std::uint64_t pair_hash = 0;
  std::uint64_t cookie = 0;
  std::uint64_t offset = 0;
  std::uint64_t end_offset = 0;
  std::uint64_t segment_offset = 0;
  std::uint64_t next_offset = kNever;       // where the following request begins
  std::uint64_t tail_shared_from = kNever;  // from here on, bytes came in a segment with the following request
  std::uint64_t cause_cookie = 0;
  std::uint64_t cause_offset = 0;
  std::uint64_t pair_high = 0;
  std::uint64_t pair_low = 0;
  std::uint64_t start_ns = 0;
  std::uint64_t end_ns = 0;
  std::uint64_t deadline_ns = 0;  // how long it may wait for its parent; 0: nobody asked yet
  std::uint64_t not_before_ns = 0;
  std::int64_t utc_offset_ns = 0;
  TraceId trace_id = {};
  SpanId span_id = {};
  SpanId parent_span_id = {};
  SpanId remote_span_id = {};
};

struct alignas(64) LinkEntry : LinkValues {
  std::shared_ptr<const std::string> trace_state;
};
static_assert(sizeof(LinkEntry) == 256);

class LinkStore {
 public:
  LinkStore(std::uint32_t capacity, std::uint64_t retain_ns);
  LinkStore(const LinkStore&) = delete;
  LinkStore& operator=(const LinkStore&) = delete;
  ~LinkStore();

  /// The entry of an id that is still in use, else null.
  LinkEntry* EntryOf(ExchangeId id) {
    const auto slot = static_cast<std::uint32_t>(id);
    if (slot >= made_) return nullptr;
    LinkEntry& entry = entries_[slot];
    const bool same = entry.generation == static_cast<std::uint32_t>(id >> 32U);
    return same && entry.phase != LinkEntry::Phase::kFree ? &entry : nullptr;
  }
  ExchangeId IdOf(const LinkEntry& entry) const {
    return static_cast<ExchangeId>(entry.generation) << 32U | static_cast<std::uint32_t>(&entry - entries_);
  }

  /// The next entry of the circle that `reusable(entry)` allows; it may still be in use and is then to be released.
  /// When none is found: the first one that was asked about, and `found` is false. A run of open entries is stepped
  /// over once per lap, however long; only in a table that is all but full of them the search is given up.
  template <typename Reusable>
  LinkEntry& Next(std::uint64_t now_ns, const Reusable& reusable, bool& found);

  /// Open, with a new generation and nothing in it.
  void Open(LinkEntry& entry);
  /// From open to another phase.
  void Close(LinkEntry& entry, LinkPhase phase) {
    if (entry.phase == LinkPhase::kOpen) --open_;
    entry.phase = phase;
  }
  /// Out of the indexes, nobody's any more. The caller has let go of its parent.
  void Release(LinkEntry& entry);
  std::uint32_t used() const { return used_; }

  /// Makes it the newest of its stream; returns the one that was, or null.
  LinkEntry* AddToStream(LinkEntry& entry);
  void RemoveFromStream(LinkEntry& entry);
  LinkEntry* NewestOfStream(std::uint64_t cookie, std::uint8_t layer);

  /// By pair and wire_sequence. A later one takes the place of an equal one.
  void AddToPairs(LinkEntry& entry);
  void RemoveFromPairs(LinkEntry& entry);
  /// The entry added that has this one's pair and wire_sequence, or null.
  LinkEntry* FindPairOf(LinkEntry& entry);

 private:
  inline LinkEntry** PlaceOfPair(LinkEntry& entry);

  static constexpr std::uint32_t kStep = 512;  // entries the circle grows by
  static constexpr std::uint32_t kTries = 256;

  void Grow();
  void EndLap(std::uint64_t now_ns);

  const std::uint32_t capacity_;
  const std::uint64_t retain_ns_;
  LinkEntry* entries_;  // room for all, made as needed
  std::uint32_t made_ = 0;
  std::uint32_t cursor_ = 0;
  std::uint32_t used_ = 0;
  std::uint32_t open_ = 0;
  std::uint32_t skipped_in_lap_ = 0;
  std::uint64_t lap_began_ns_ = 0;
  LinkIndex<LinkEntry, &LinkEntry::stream_hash> streams_;  // newest of each (cookie, layer)
  LinkIndex<LinkEntry, &LinkEntry::pair_hash> pairs_;
};

template <typename Reusable>
LinkEntry& LinkStore::Next(std::uint64_t now_ns, const Reusable& reusable, bool& found) {
  LinkEntry* first = nullptr;
  found = true;
  const bool nearly_full = made_ == capacity_ && open_ > capacity_ - capacity_ / 8;
  const std::uint32_t tries = made_ < capacity_ || nearly_full ? kTries : 2 * capacity_;
  for (std::uint32_t i = 0; i < tries; ++i) {
    if (cursor_ == made_) EndLap(now_ns);
    LinkEntry& entry = entries_[cursor_++];
    if (reusable(entry)) return entry;
    ++skipped_in_lap_;
    if (first == nullptr) first = &entry;
  }
  if (made_ < capacity_) {
    cursor_ = made_;
    Grow();
    return entries_[cursor_++];
  }
  found = false;
  return *first;
}

// --- in the path of every exchange: inlined ---------------------------------------------------------------------

inline void LinkStore::Open(LinkEntry& entry) {
  const std::uint32_t generation = entry.generation + 1;
  static_cast<LinkValues&>(entry) = LinkValues{};
  entry.generation = generation == 0 ? 1 : generation;
  entry.phase = LinkEntry::Phase::kOpen;
  ++used_;
  ++open_;
}

inline void LinkStore::RemoveFromStream(LinkEntry& entry) {
  if (!entry.in_stream) return;
  entry.in_stream = false;
  if (entry.older != nullptr) entry.older->newer = entry.newer;
  if (entry.newer != nullptr) {
    entry.newer->older = entry.older;
  } else if (entry.older != nullptr) {
    *streams_.Find(entry.stream_hash, [&entry](const LinkEntry& other) { return &other == &entry; }) = entry.older;
  } else {
    streams_.Erase(&entry);
  }
  entry.older = entry.newer = nullptr;
}

inline void LinkStore::RemoveFromPairs(LinkEntry& entry) {
  if (!entry.in_pairs) return;
  entry.in_pairs = false;
  pairs_.Erase(&entry);
}

inline void LinkStore::Release(LinkEntry& entry) {
  RemoveFromStream(entry);
  RemoveFromPairs(entry);
  entry.trace_state.reset();
  Close(entry, LinkPhase::kFree);
  --used_;
}

inline LinkEntry* LinkStore::AddToStream(LinkEntry& entry) {
  entry.stream_hash = Mix(entry.cookie, entry.layer);
  entry.in_stream = true;
  LinkEntry** place = streams_.Find(entry.stream_hash, [&entry](const LinkEntry& other) {
    return other.cookie == entry.cookie && other.layer == entry.layer;
  });
  LinkEntry* before = *place;
  *place = &entry;
  entry.older = before;
  if (before != nullptr) before->newer = &entry;
  return before;
}

// Also hashes the entry.
inline LinkEntry** LinkStore::PlaceOfPair(LinkEntry& entry) {
  entry.pair_hash = Mix(entry.pair_high + entry.wire_sequence, entry.pair_low);
  return pairs_.Find(entry.pair_hash, [&entry](const LinkEntry& other) {
    return other.pair_high == entry.pair_high && other.pair_low == entry.pair_low &&
           other.wire_sequence == entry.wire_sequence;
  });
}

inline LinkEntry* LinkStore::FindPairOf(LinkEntry& entry) { return *PlaceOfPair(entry); }

}  // namespace probed::pipeline
