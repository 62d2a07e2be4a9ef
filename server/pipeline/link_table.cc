// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/pipeline/link_table.h"

#include <algorithm>
#include <cstring>

#include "server/pipeline/utc_clock.h"

namespace probed::pipeline {
namespace {

using Phase = LinkEntry::Phase;

constexpr int kMaxDepth = 32;                             // of parents that are resolved because a child asks
constexpr int kMaxWalk = 64;                              // requests of one stream that a reference is looked for in
constexpr int kMaxRecycleTries = 8;                       // ended entries looked at before an open one is evicted
constexpr std::uint64_t kAbandonedNs = 60'000'000'000;    // ended, but nobody came for the context
constexpr std::uint64_t kPairMaxSkewNs = 60'000'000'000;  // both ends see a request within this, or the port was reused

bool IsIncoming(std::uint8_t kind) { return kind == PROBE_SPAN_SERVER || kind == PROBE_SPAN_CONSUMER; }

bool HasPair(const LinkEntry& entry) { return (entry.pair_high | entry.pair_low) != 0 && entry.wire_sequence != 0; }

// There is one writer at a time: no locked instruction is needed.
void Increment(std::atomic<std::uint64_t>& count) {
  count.store(count.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
}

std::uint64_t Distance(std::uint64_t a, std::uint64_t b) { return a > b ? a - b : b - a; }

template <typename Array>
Array ToArray(const std::uint8_t* bytes) {
  Array array;
  std::memcpy(array.data(), bytes, array.size());
  return array;
}

}  // namespace

class LinkTable::Guard {
 public:
  explicit Guard(const LinkTable& table) : mutex_(table.shared_ ? &table.mutex_ : nullptr) {
    if (mutex_ != nullptr) mutex_->lock();
  }
  ~Guard() {
    if (mutex_ != nullptr) mutex_->unlock();
  }
  Guard(const Guard&) = delete;
  Guard& operator=(const Guard&) = delete;

 private:
  std::mutex* mutex_;
};

LinkTable::LinkTable(LinkTableOptions options)
    : options_(options), shared_(options.shards > 1), store_(std::max(options.capacity, 2U)) {}

// --- life of an entry -------------------------------------------------------------------------------------------

ExchangeId LinkTable::Begin(const ExchangeInfo& info, IdGenerator& ids) {
  const Guard guard(*this);
  MakeRoom(info.start_ns);
  const Slot slot = store_.Allocate();
  LinkEntry& entry = store_.At(slot);
  Fill(entry, info);
  entry.span_id = ids.NewSpanId();
  if (IsIncoming(entry.kind)) EnterStream(slot);
  if (entry.kind == PROBE_SPAN_CLIENT && HasPair(entry)) store_.AddToPairs(slot);
  Bind(slot);
  return store_.IdOf(slot);
}

// Two per new one, so that the table shrinks again after a burst without any timer.
void LinkTable::MakeRoom(std::uint64_t now_ns) {
  for (int i = 0; i < 2 && TryRecycleOldest(now_ns, false); ++i) {
  }
  if (store_.size() < std::max(options_.capacity, 2U)) return;
  for (int i = 0; i < kMaxRecycleTries && store_.oldest_ended() != kNoSlot; ++i) {
    if (TryRecycleOldest(now_ns, true)) return;
  }
  const Slot oldest = store_.oldest_open() != kNoSlot ? store_.oldest_open() : store_.oldest_ended();
  Increment(counts_.evicted);
  Recycle(oldest);
}

// One that somebody still needs goes to the end of the list.
bool LinkTable::TryRecycleOldest(std::uint64_t now_ns, bool forced) {
  const Slot slot = store_.oldest_ended();
  if (slot == kNoSlot) return false;
  const LinkEntry& entry = store_.At(slot);
  const auto retain = static_cast<std::uint64_t>(options_.retain.count());
  if (!forced && entry.end_ns + retain > now_ns) return false;
  const bool waiting = !entry.resolved && entry.phase == Phase::kEnded && entry.end_ns + kAbandonedNs > now_ns;
  if (entry.pins != 0 || waiting) {
    store_.MoveToEndOfEnded(slot);
    return false;
  }
  Recycle(slot);
  return true;
}

void LinkTable::Recycle(Slot slot) {
  Unbind(store_.At(slot));
  store_.Free(slot);
}

void LinkTable::Fill(LinkEntry& entry, const ExchangeInfo& info) {
  entry.kind = static_cast<std::uint8_t>(info.kind);
  entry.layer = info.layer;
  entry.allow_cause = info.allow_cause;
  entry.wire_sequence = info.wire_sequence;
  entry.start_ns = info.start_ns;
  entry.cookie = info.cookie;
  entry.offset = info.offset;
  entry.end_offset = info.end_offset;
  entry.segment_offset = info.segment_offset;
  entry.pair_high = info.pair.high;
  entry.pair_low = info.pair.low;
  entry.same_host = info.pair.same_host;
  entry.cause_cookie = info.cause.cookie;
  entry.cause_offset = info.cause.offset;
  entry.cause_layer = info.cause.layer;
  entry.utc_offset_ns = info.utc_offset_ns;
  if (info.remote.valid == 0) return;
  entry.trace_id = ToArray<TraceId>(info.remote.trace_id);
  entry.remote_span_id = ToArray<SpanId>(info.remote.span_id);
  entry.has_remote = entry.trace_id != kNoTraceId && entry.remote_span_id != kNoSpanId;
  entry.trace_flags = info.remote.flags & kNewTraceFlags;  // others have no meaning yet and are not passed on
  const probe_str_t& state = info.remote.state;
  if (entry.has_remote && state.len != 0) entry.trace_state = std::make_shared<const std::string>(state.ptr, state.len);
}

// Notes on both neighbours what their segments say about references to them.
void LinkTable::EnterStream(Slot slot) {
  if (store_.At(slot).cookie == 0) return;
  const Slot before = store_.AddToStream(slot);
  if (before == kNoSlot) return;
  LinkEntry& entry = store_.At(slot);
  LinkEntry& older = store_.At(before);
  older.next_offset = std::min(older.next_offset, entry.offset);
  if (entry.segment_offset == older.segment_offset) {
    entry.shared_segment = older.shared_segment = true;
  } else if (entry.segment_offset < entry.offset && entry.segment_offset > older.offset) {
    older.tail_shared_from = entry.segment_offset;
  }
}

void LinkTable::End(ExchangeId id, std::uint64_t end_ns) {
  const Guard guard(*this);
  const Slot slot = store_.SlotOf(id);
  if (slot == kNoSlot) return;
  LinkEntry& entry = store_.At(slot);
  if (entry.phase != Phase::kOpen) return;
  store_.MoveToEnded(slot);
  entry.phase = Phase::kEnded;
  entry.end_ns = end_ns;
}

void LinkTable::Abort(ExchangeId id) {
  const Guard guard(*this);
  const Slot slot = store_.SlotOf(id);
  if (slot == kNoSlot || store_.At(slot).phase == Phase::kAborted) return;
  LinkEntry& entry = store_.At(slot);
  if (entry.pins == 0) {
    Recycle(slot);
    return;
  }
  store_.RemoveFromStream(slot);
  store_.RemoveFromPairs(slot);
  Unbind(entry);
  if (entry.phase == Phase::kOpen) store_.MoveToEnded(slot);
  entry.phase = Phase::kAborted;
}

// --- finding a local parent -------------------------------------------------------------------------------------

// A parent that is known when the child begins stays until the child is resolved, however long that takes.
void LinkTable::Bind(Slot slot) {
  LinkEntry& entry = store_.At(slot);
  const Candidate candidate = IsIncoming(entry.kind) ? FindPair(entry) : FindCause(entry);
  if (candidate.slot == kNoSlot || candidate.slot == slot) return;
  LinkEntry& parent = store_.At(candidate.slot);
  entry.parent = candidate.slot;
  entry.parent_generation = parent.generation;
  ++parent.pins;
}

void LinkTable::Unbind(LinkEntry& entry) {
  if (entry.parent == kNoSlot) return;
  LinkEntry& parent = store_.At(entry.parent);
  if (parent.generation == entry.parent_generation && parent.pins != 0) --parent.pins;
  entry.parent = kNoSlot;
}

Slot LinkTable::BoundParent(const LinkEntry& entry) {
  if (entry.parent == kNoSlot) return kNoSlot;
  const LinkEntry& parent = store_.At(entry.parent);
  const bool usable =
      parent.generation == entry.parent_generation && parent.phase != Phase::kFree && parent.phase != Phase::kAborted;
  return usable ? entry.parent : kNoSlot;
}

// The exchange of a stream whose bytes hold `offset`, from one of them on to older ones, then to newer ones.
Slot LinkTable::ContainerFrom(Slot from, std::uint64_t offset) {
  Slot slot = from;
  for (int i = 0; i < kMaxWalk && slot != kNoSlot && store_.At(slot).offset > offset; ++i) slot = store_.At(slot).older;
  for (int i = 0; i < kMaxWalk && slot != kNoSlot && store_.At(slot).next_offset <= offset; ++i) {
    const Slot newer = store_.At(slot).newer;
    slot = newer != kNoSlot && store_.At(newer).offset <= offset ? newer : kNoSlot;
  }
  return slot != kNoSlot && store_.At(slot).offset <= offset ? slot : kNoSlot;
}

LinkTable::Candidate LinkTable::FindCause(LinkEntry& entry) {
  if (!entry.allow_cause || entry.cause_cookie == 0) return {};
  const std::uint64_t offset = entry.cause_offset;
  Slot from = BoundParent(entry);
  if (from == kNoSlot) from = store_.NewestOfStream(entry.cause_cookie, entry.cause_layer);
  const Slot slot = ContainerFrom(from, offset);
  if (slot == kNoSlot) return {Search::kMissing, kNoSlot};
  const LinkEntry& cause = store_.At(slot);
  const bool shares_head = cause.shared_segment && offset < std::max(cause.end_offset, cause.offset + 1);
  if (shares_head || offset >= cause.tail_shared_from) return {Search::kAmbiguous, slot};
  const bool over = cause.phase == Phase::kEnded && cause.end_ns < entry.start_ns;
  return {over || cause.start_ns > entry.start_ns ? Search::kStale : Search::kFound, slot};
}

LinkTable::Candidate LinkTable::FindPair(LinkEntry& entry) {
  if (!HasPair(entry)) return {};
  Slot slot = BoundParent(entry);
  if (slot == kNoSlot) slot = store_.FindByPair(entry.pair_high, entry.pair_low, entry.wire_sequence);
  if (slot == kNoSlot) return {entry.same_host ? Search::kMissing : Search::kNone, kNoSlot};
  const bool near = Distance(store_.At(slot).start_ns, entry.start_ns) < kPairMaxSkewNs;
  return near ? Candidate{Search::kFound, slot} : Candidate{};
}

// --- resolving --------------------------------------------------------------------------------------------------

Resolution LinkTable::Resolve(ExchangeId id, std::uint64_t now_ns, IdGenerator& ids, SpanContext& out) {
  const Guard guard(*this);
  const Slot slot = store_.SlotOf(id);
  if (slot == kNoSlot || store_.At(slot).phase == Phase::kAborted) return Resolution::kUnknown;
  if (!store_.At(slot).resolved && !TryResolve(slot, now_ns, !shared_, 0, ids)) return Resolution::kPending;
  Copy(store_.At(slot), out);
  return Resolution::kReady;
}

// True when it may still be worth waiting. Past its deadline an exchange takes what there is, and so does every parent
// it asks.
bool LinkTable::MustWait(LinkEntry& entry, const Candidate& candidate, std::uint64_t now_ns, bool& forced) {
  if (forced) return false;
  if (entry.deadline_ns == 0) entry.deadline_ns = now_ns + static_cast<std::uint64_t>(options_.wait.count());
  forced = now_ns >= entry.deadline_ns;
  return !forced && candidate.search == Search::kMissing;
}

// False: wait. A parent that is itself being resolved would be its own ancestor: wrong references, taken for none.
bool LinkTable::TryResolve(Slot slot, std::uint64_t now_ns, bool forced, int depth, IdGenerator& ids) {
  LinkEntry& entry = store_.At(slot);
  const bool incoming = IsIncoming(entry.kind);
  const Candidate candidate = incoming ? FindPair(entry) : FindCause(entry);
  const bool first_wait = entry.deadline_ns == 0;
  if (MustWait(entry, candidate, now_ns, forced)) {
    if (first_wait) Increment(counts_.waited);
    return false;
  }
  LinkEntry* parent = nullptr;
  if (candidate.search == Search::kFound && depth < kMaxDepth) parent = &store_.At(candidate.slot);
  if (parent != nullptr && !parent->resolved) {
    entry.resolving = true;
    const bool ready = !parent->resolving && TryResolve(candidate.slot, now_ns, forced, depth + 1, ids);
    entry.resolving = false;
    if (!ready && !parent->resolving) return false;
    if (!ready) parent = nullptr;
  }
  if (candidate.search == Search::kAmbiguous) Increment(counts_.ambiguous);
  if (candidate.search == Search::kStale) Increment(counts_.stale);
  if (parent != nullptr && (!entry.has_remote || Agrees(entry, *parent))) {
    Adopt(entry, *parent, incoming ? Origin::kPair : Origin::kCause);
  } else if (entry.has_remote) {
    FinishRemote(entry);
  } else {
    FinishRoot(entry, ids);
  }
  entry.resolved = true;
  Unbind(entry);
  return true;
}

bool LinkTable::Agrees(const LinkEntry& child, const LinkEntry& parent) const {
  if (child.trace_id != parent.trace_id) return false;
  return IsIncoming(child.kind) || (parent.has_remote && parent.remote_span_id == child.remote_span_id);
}

// The trace runs on one difference of the clocks, unless they were stepped meanwhile: then the child has the new one,
// as far as it does not put it before its parent.
void LinkTable::Adopt(LinkEntry& child, const LinkEntry& parent, Origin origin) {
  child.origin = origin;
  child.trace_id = parent.trace_id;
  child.parent_span_id = parent.span_id;
  child.trace_flags = parent.trace_flags;
  child.trace_state = parent.trace_state;
  child.not_before_ns = parent.start_ns;
  child.start_ns = std::max(child.start_ns, parent.start_ns);
  const std::int64_t lowest = parent.utc_offset_ns - static_cast<std::int64_t>(child.start_ns - parent.start_ns);
  const std::int64_t difference = child.utc_offset_ns - parent.utc_offset_ns;
  const bool stepped = difference > UtcClock::kStepNs || difference < -UtcClock::kStepNs;
  child.utc_offset_ns = stepped ? std::max(child.utc_offset_ns, lowest) : parent.utc_offset_ns;
  Increment(origin == Origin::kPair ? counts_.linked_pair : counts_.linked_cause);
}

void LinkTable::FinishRemote(LinkEntry& entry) {
  entry.origin = Origin::kRemote;
  entry.parent_span_id = entry.remote_span_id;
  Increment(counts_.linked_remote);
}

void LinkTable::FinishRoot(LinkEntry& entry, IdGenerator& ids) {
  entry.origin = Origin::kRoot;
  entry.trace_id = ids.NewTraceId();
  entry.trace_flags = kNewTraceFlags;
  entry.trace_state.reset();
  Increment(counts_.root);
}

// A context that an instrumented process put into its own request is no remote one for that process' client span.
void LinkTable::Copy(const LinkEntry& entry, SpanContext& out) {
  const bool over_the_wire = entry.origin == Origin::kRemote && IsIncoming(entry.kind);
  out.trace_id = entry.trace_id;
  out.span_id = entry.span_id;
  out.parent_span_id = entry.parent_span_id;
  out.flags = kHasIsRemote | (over_the_wire ? kIsRemote : 0) | entry.trace_flags;
  out.origin = entry.origin;
  out.trace_state = entry.trace_state;
  out.utc_offset_ns = entry.utc_offset_ns;
  out.not_before_ns = entry.not_before_ns;
}

LinkCounters LinkTable::counters() const {
  constexpr auto kRelaxed = std::memory_order_relaxed;
  return {counts_.linked_remote.load(kRelaxed), counts_.linked_pair.load(kRelaxed), counts_.linked_cause.load(kRelaxed),
          counts_.root.load(kRelaxed),          counts_.ambiguous.load(kRelaxed),   counts_.stale.load(kRelaxed),
          counts_.evicted.load(kRelaxed),       counts_.waited.load(kRelaxed)};
}

std::uint32_t LinkTable::size() const {
  const Guard guard(*this);
  return store_.size();
}

}  // namespace probed::pipeline
