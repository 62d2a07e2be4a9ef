// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/pipeline/link_store.h"

#include <algorithm>

namespace probed::pipeline {

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

LinkEntry* LinkStore::NewestOfStream(std::uint64_t cookie, std::uint8_t layer) {
  return *streams_.Find(Mix(cookie, layer), [cookie, layer](const LinkEntry& other) {
    return other.cookie == cookie && other.layer == layer;
  });
}

void LinkStore::AddToPairs(LinkEntry& entry) {
  LinkEntry** place = PlaceOfPair(entry);
  if (*place != nullptr) (*place)->in_pairs = false;  // an equal one has the same hash: the place is right for both
  *place = &entry;
  entry.in_pairs = true;
}

}  // namespace probed::pipeline
