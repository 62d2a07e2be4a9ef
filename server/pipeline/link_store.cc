// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/pipeline/link_store.h"

#include <algorithm>

#include "server/pipeline/mix.h"

namespace probed::pipeline {
namespace {

std::uint64_t StreamHash(std::uint64_t cookie, std::uint8_t layer) { return Mix(cookie, layer); }

}  // namespace

LinkStore::LinkStore(std::uint32_t capacity, std::uint64_t retain_ns)
    : capacity_(capacity),
      retain_ns_(retain_ns),
      entries_(std::allocator<LinkEntry>().allocate(capacity)),
      streams_(capacity),
      pairs_(capacity) {}

LinkStore::~LinkStore() {
  std::destroy_n(entries_, made_);
  std::allocator<LinkEntry>().deallocate(entries_, capacity_);
}

void LinkStore::Grow() {
  const std::uint32_t more = std::min(kStep, capacity_ - made_);
  std::uninitialized_value_construct_n(entries_ + made_, more);
  made_ += more;
}

// A lap that was too short, or that was about stepping over open entries, is continued in new ones.
void LinkStore::EndLap(std::uint64_t now_ns) {
  const bool too_short = now_ns < lap_began_ns_ + retain_ns_;
  if (made_ < capacity_ && (too_short || skipped_in_lap_ > made_ / 2 || made_ == 0)) {
    if (made_ == 0) lap_began_ns_ = now_ns;
    Grow();
    return;
  }
  cursor_ = 0;
  skipped_in_lap_ = 0;
  lap_began_ns_ = now_ns;
}

void LinkStore::Open(LinkEntry& entry) {
  const std::uint32_t generation = entry.generation + 1;
  static_cast<LinkValues&>(entry) = LinkValues{};
  entry.generation = generation == 0 ? 1 : generation;
  entry.phase = LinkEntry::Phase::kOpen;
  ++used_;
  ++open_;
}

void LinkStore::Release(LinkEntry& entry) {
  RemoveFromStream(entry);
  RemoveFromPairs(entry);
  entry.trace_state.reset();
  Close(entry, LinkPhase::kFree);
  --used_;
}

LinkEntry* LinkStore::AddToStream(LinkEntry& entry) {
  entry.stream_hash = StreamHash(entry.cookie, entry.layer);
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

void LinkStore::RemoveFromStream(LinkEntry& entry) {
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

LinkEntry* LinkStore::NewestOfStream(std::uint64_t cookie, std::uint8_t layer) {
  return *streams_.Find(StreamHash(cookie, layer), [cookie, layer](const LinkEntry& other) {
    return other.cookie == cookie && other.layer == layer;
  });
}

// Also hashes the entry.
inline LinkEntry** LinkStore::PlaceOfPair(LinkEntry& entry) {
  entry.pair_hash = Mix(entry.pair_high + entry.wire_sequence, entry.pair_low);
  return pairs_.Find(entry.pair_hash, [&entry](const LinkEntry& other) {
    return other.pair_high == entry.pair_high && other.pair_low == entry.pair_low &&
           other.wire_sequence == entry.wire_sequence;
  });
}

LinkEntry* LinkStore::FindPairOf(LinkEntry& entry) { return *PlaceOfPair(entry); }

void LinkStore::AddToPairs(LinkEntry& entry) {
  LinkEntry** place = PlaceOfPair(entry);
  if (*place != nullptr) (*place)->in_pairs = false;  // an equal one has the same hash: the place is right for both
  *place = &entry;
  entry.in_pairs = true;
}

void LinkStore::RemoveFromPairs(LinkEntry& entry) {
  if (!entry.in_pairs) return;
  entry.in_pairs = false;
  pairs_.Erase(&entry);
}

}  // namespace probed::pipeline
