// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// The memory of the link table: entries in chunks that never move, named by slot and generation, in one of two lists
// (open by age, ended by age), found by stream and by socket pair. Bounded; entries are used again. No policy here
// (link_table.h) and no lock.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "server/pipeline/exchange.h"
#include "server/pipeline/mix.h"

namespace probed::pipeline {

using Slot = std::uint32_t;
constexpr Slot kNoSlot = ~Slot{0};
constexpr std::uint64_t kNever = ~std::uint64_t{0};

struct LinkEntry {
  enum class Phase : std::uint8_t { kFree, kOpen, kEnded, kAborted };

  std::uint32_t generation = 0;
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
  bool in_stream = false;
  bool shared_segment = false;  // another request began in the same segment
  std::uint32_t pins = 0;       // unresolved children that are bound to this one
  std::uint32_t wire_sequence = 0;
  std::uint32_t parent_generation = 0;
  Slot parent = kNoSlot;  // bound, pinned
  Slot older = kNoSlot;   // of the same stream
  Slot newer = kNoSlot;
  Slot previous = kNoSlot;  // in the list of its phase
  Slot next = kNoSlot;
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
  std::shared_ptr<const std::string> trace_state;
};

class LinkStore {
 public:
  explicit LinkStore(std::uint32_t capacity) : capacity_(capacity) {}

  LinkEntry& At(Slot slot) { return chunks_[slot / kChunk][slot % kChunk]; }
  /// The slot of an id that is still in use, else kNoSlot.
  Slot SlotOf(ExchangeId id);
  ExchangeId IdOf(Slot slot) { return static_cast<ExchangeId>(At(slot).generation) << 32U | slot; }

  /// A clean entry in the list of open ones, kNoSlot at the bound.
  Slot Allocate();
  /// To the list of ended ones.
  void MoveToEnded(Slot slot);
  void MoveToEndOfEnded(Slot slot);
  /// Out of every index and list. The caller has let go of its parent.
  void Free(Slot slot);

  Slot oldest_open() const { return open_.first; }
  Slot oldest_ended() const { return ended_.first; }
  std::uint32_t size() const { return used_; }

  /// Makes it the newest of its stream; returns the one that was.
  Slot AddToStream(Slot slot);
  void RemoveFromStream(Slot slot);
  Slot NewestOfStream(std::uint64_t cookie, std::uint8_t layer) const;

  void AddToPairs(Slot slot);
  void RemoveFromPairs(Slot slot);
  /// The client's entry of this pair whose request begins at this sequence number.
  Slot FindByPair(std::uint64_t high, std::uint64_t low, std::uint32_t wire_sequence);

 private:
  static constexpr std::uint32_t kChunk = 512;
  struct List {
    Slot first = kNoSlot;
    Slot last = kNoSlot;
  };
  using Index = absl::flat_hash_map<std::uint64_t, Slot, MixHash>;

  static std::uint64_t StreamKey(std::uint64_t cookie, std::uint8_t layer) { return cookie << 1U | layer; }
  static std::uint64_t PairHash(std::uint64_t high, std::uint64_t low, std::uint32_t wire_sequence) {
    return Mix(high + wire_sequence, low);
  }
  List& ListOf(const LinkEntry& entry) { return entry.phase == LinkEntry::Phase::kOpen ? open_ : ended_; }
  void Append(List& list, Slot slot);
  void Unlink(List& list, Slot slot);

  const std::uint32_t capacity_;
  std::uint32_t used_ = 0;
  std::vector<std::unique_ptr<LinkEntry[]>> chunks_;
  std::vector<Slot> free_;
  List open_;
  List ended_;
  Index streams_;  // newest of each (cookie, layer)
  Index pairs_;
};

}  // namespace probed::pipeline
