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
constexpr std::uint64_t kAbandonedNs = 60'000'000'000;    // ended, but nobody came for the context
constexpr std::uint8_t kMostInVain = 16;                  // clients that were waited for, before none is
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

// The client that sent these bytes, or the server whose context was passed on unchanged.
bool Agrees(const LinkEntry& child, const LinkEntry& parent) {
  if (child.trace_id != parent.trace_id) return false;
  return IsIncoming(child.kind) || (parent.has_remote && parent.remote_span_id == child.remote_span_id);
}

LinkEntry* BoundParent(const LinkEntry& child) {
  LinkEntry* parent = child.parent;
  if (parent == nullptr || parent->generation != child.parent_generation) return nullptr;
  return parent->phase == Phase::kOpen || parent->phase == Phase::kEnded ? parent : nullptr;
}

void Fill(LinkEntry& entry, const ExchangeInfo& info) {
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
  entry.place = info.pair.place;
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
  FastMutex* mutex_;
};

LinkTable::LinkTable(LinkTableOptions options)
    : options_(options),
      shared_(options.shards > 1),
      store_(std::max(options.capacity, 2U), static_cast<std::uint64_t>(options.retain.count())) {}

// --- life of an entry -------------------------------------------------------------------------------------------

/// Flattened, like End: of small steps, each taken for every exchange.
[[gnu::flatten]] ExchangeId LinkTable::Begin(const ExchangeInfo& info, IdGenerator& ids) {
  const Guard guard(*this);
  LinkEntry& entry = MakeRoom(info.start_ns);
  store_.Open(entry);
  Fill(entry, info);
  entry.span_id = ids.NewSpanId();
  if (IsIncoming(entry.kind)) {
    EnterStream(entry);
    Bind(entry, FindPair(entry).entry);
  } else {
    if (entry.kind == PROBE_SPAN_CLIENT && HasPair(entry)) store_.AddToPairs(entry);
    Bind(entry, FindContainer(entry));
  }
  return store_.IdOf(entry);
}

// Ended entries serve again, unless somebody still needs them. When all are needed, the oldest goes.
LinkEntry& LinkTable::MakeRoom(std::uint64_t now_ns) {
  const auto reusable = [now_ns](const LinkEntry& entry) {
    if (entry.phase == Phase::kFree) return true;
    if (entry.phase == Phase::kOpen || entry.pins != 0) return false;
    return entry.resolved || entry.phase == Phase::kAborted || entry.end_ns + kAbandonedNs < now_ns;
  };
  bool found = false;
  LinkEntry& entry = store_.Next(now_ns, reusable, found);
  if (!found) Increment(counts_.evicted);
  if (entry.phase != Phase::kFree) {
    Unbind(entry);
    store_.Release(entry);
  }
  return entry;
}

// Notes on both neighbours what their segments say about references to them.
void LinkTable::EnterStream(LinkEntry& entry) {
  if (entry.cookie == 0) return;
  LinkEntry* older = store_.AddToStream(entry);
  if (older == nullptr) return;
  older->next_offset = std::min(older->next_offset, entry.offset);
  if (entry.segment_offset == older->segment_offset) {
    entry.shared_segment = older->shared_segment = true;
  } else if (entry.segment_offset < entry.offset && entry.segment_offset > older->offset) {
    older->tail_shared_from = entry.segment_offset;
  }
}

void LinkTable::Abort(ExchangeId id) {
  const Guard guard(*this);
  LinkEntry* entry = store_.EntryOf(id);
  if (entry == nullptr || entry->phase == Phase::kAborted) return;
  Unbind(*entry);
  if (entry->pins == 0) {
    store_.Release(*entry);
    return;
  }
  store_.RemoveFromStream(*entry);
  store_.RemoveFromPairs(*entry);
  store_.Close(*entry, Phase::kAborted);
}

// --- finding a local parent -------------------------------------------------------------------------------------

// A parent that is known when the child begins stays until the child is resolved, however long that takes.
void LinkTable::Bind(LinkEntry& child, LinkEntry* parent) {
  if (parent == nullptr || parent == &child) return;
  child.parent = parent;
  child.parent_generation = parent->generation;
  ++parent->pins;
}

// The parent may have been evicted in spite of the pin; then the entry is another's.
void LinkTable::Unbind(LinkEntry& child) {
  LinkEntry* parent = child.parent;
  if (parent != nullptr && parent->generation == child.parent_generation && parent->pins != 0) --parent->pins;
  child.parent = nullptr;
}

// The exchange of the stream that the child refers to whose bytes hold the offset referred to. Where one is missing
// between two others, its bytes are nobody's.
LinkEntry* LinkTable::FindContainer(const LinkEntry& child) {
  if (!child.allow_cause || child.cause_cookie == 0) return nullptr;
  const std::uint64_t offset = child.cause_offset;
  LinkEntry* at = BoundParent(child);
  if (at == nullptr) at = store_.NewestOfStream(child.cause_cookie, child.cause_layer);
  for (int i = 0; i < kMaxWalk && at != nullptr && at->offset > offset; ++i) at = at->older;
  for (int i = 0; i < kMaxWalk && at != nullptr && at->next_offset <= offset; ++i) {
    at = at->newer != nullptr && at->newer->offset <= offset ? at->newer : nullptr;
  }
  return at != nullptr && at->offset <= offset && offset < at->next_offset ? at : nullptr;
}

LinkTable::Candidate LinkTable::FindCause(const LinkEntry& child) {
  if (!child.allow_cause || child.cause_cookie == 0) return {};
  const std::uint64_t offset = child.cause_offset;
  LinkEntry* cause = BoundParent(child);
  if (cause == nullptr || offset < cause->offset || offset >= cause->next_offset) cause = FindContainer(child);
  if (cause == nullptr) return {Search::kMissing, nullptr};
  const bool shares_head = cause->shared_segment && offset < std::max(cause->end_offset, cause->offset + 1);
  if (shares_head || offset >= cause->tail_shared_from) return {Search::kAmbiguous, cause};
  const bool over = cause->phase == Phase::kEnded && cause->end_ns < child.start_ns;
  return {over || cause->start_ns > child.start_ns ? Search::kStale : Search::kFound, cause};
}

LinkTable::Candidate LinkTable::FindPair(LinkEntry& child) {
  if (!HasPair(child)) return {};
  LinkEntry* client = BoundParent(child);
  if (client == nullptr) client = store_.FindPairOf(child);
  if (client == nullptr) return {child.same_host ? Search::kMissing : Search::kNone, nullptr};
  if (Distance(client->start_ns, child.start_ns) >= kPairMaxSkewNs) return {};
  // Bytes of plaintext are counted: were one missed, requests of the same length would still be told apart.
  const bool over = client->phase == Phase::kEnded && client->end_ns < child.start_ns;
  if (over && child.layer == PROBE_LAYER_PLAINTEXT) return {Search::kStale, client};
  return {Search::kFound, client};
}

// --- resolving --------------------------------------------------------------------------------------------------

Resolution LinkTable::Resolve(ExchangeId id, std::uint64_t now_ns, IdGenerator& ids, SpanContext& out) {
  const Guard guard(*this);
  LinkEntry* entry = store_.EntryOf(id);
  return entry == nullptr ? Resolution::kUnknown : ContextOf(*entry, now_ns, ids, out);
}

[[gnu::flatten]] Resolution LinkTable::End(ExchangeId id, std::uint64_t end_ns, std::uint64_t now_ns, IdGenerator& ids,
                                           SpanContext& out) {
  const Guard guard(*this);
  LinkEntry* entry = store_.EntryOf(id);
  if (entry == nullptr) return Resolution::kUnknown;
  const Resolution answer = ContextOf(*entry, now_ns, ids, out);
  if (entry->phase == Phase::kOpen) {
    store_.Close(*entry, Phase::kEnded);
    entry->end_ns = end_ns;
  }
  return answer;
}

Resolution LinkTable::ContextOf(LinkEntry& entry, std::uint64_t now_ns, IdGenerator& ids, SpanContext& out) {
  if (entry.phase == Phase::kAborted) return Resolution::kUnknown;
  if (!entry.resolved && !TryResolve(entry, now_ns, false, 0, ids)) return Resolution::kPending;
  Copy(entry, out);
  return Resolution::kReady;
}

// Whether a parent that is missing may be on its way.
bool LinkTable::MayCome(const LinkEntry& entry) const {
  return IsIncoming(entry.kind) ? in_vain_[entry.place] < kMostInVain : shared_;
}

void LinkTable::NoteClient(const LinkEntry& entry, Search search) {
  std::uint8_t& in_vain = in_vain_[entry.place];
  if (search == Search::kFound) in_vain = 0;
  if (search == Search::kMissing && in_vain < kMostInVain) ++in_vain;
}

// True when it may still be worth waiting. Past its deadline an exchange takes what there is, and so does every parent
// it asks.
bool LinkTable::MustWait(LinkEntry& entry, const Candidate& candidate, std::uint64_t now_ns, bool& forced) {
  if (forced || !MayCome(entry)) return false;
  const bool first = entry.deadline_ns == 0;
  if (first) entry.deadline_ns = now_ns + static_cast<std::uint64_t>(options_.wait.count());
  forced = !first && now_ns >= entry.deadline_ns;
  const bool wait = !forced && candidate.search == Search::kMissing;
  if (wait && first) Increment(counts_.waited);
  return wait;
}

// False: wait for it. A parent that is itself being resolved would be its own ancestor: wrong references, taken for
// none, like a chain that never ends.
bool LinkTable::ResolveParent(LinkEntry& entry, LinkEntry*& parent, std::uint64_t now_ns, bool forced, int depth,
                              IdGenerator& ids) {
  if (parent->resolved) return true;
  if (parent->resolving || depth >= kMaxDepth) {
    parent = nullptr;
    return true;
  }
  entry.resolving = true;
  const bool ready = TryResolve(*parent, now_ns, forced, depth + 1, ids);
  entry.resolving = false;
  return ready;
}

// False: wait.
bool LinkTable::TryResolve(LinkEntry& entry, std::uint64_t now_ns, bool forced, int depth, IdGenerator& ids) {
  const bool incoming = IsIncoming(entry.kind);
  const Candidate candidate = incoming ? FindPair(entry) : FindCause(entry);
  if (MustWait(entry, candidate, now_ns, forced)) return false;
  if (incoming) NoteClient(entry, candidate.search);
  LinkEntry* parent = candidate.search == Search::kFound ? candidate.entry : nullptr;
  if (parent == &entry) parent = nullptr;
  if (parent != nullptr && !ResolveParent(entry, parent, now_ns, forced, depth, ids)) return false;
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

// The trace runs on one difference of the clocks, unless they were stepped meanwhile: then the child has the new one,
// as far as it does not put it before its parent.
void LinkTable::Adopt(LinkEntry& child, const LinkEntry& parent, Origin origin) {
  child.origin = origin;
  child.trace_id = parent.trace_id;
  child.parent_span_id = parent.span_id;
  child.trace_flags = parent.trace_flags;
  child.trace_state = parent.trace_state;
  // What a library sends for a client is known when the library is done, and may have been answered by then: times of
  // plaintext stay as they were measured.
  if (origin != Origin::kPair || child.layer != PROBE_LAYER_PLAINTEXT) {
    child.not_before_ns = parent.start_ns;
    child.start_ns = std::max(child.start_ns, parent.start_ns);
  }
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
  return store_.used();
}

}  // namespace probed::pipeline
