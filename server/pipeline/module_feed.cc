// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/pipeline/module_feed.h"

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <cstring>

namespace probed::pipeline {
namespace {

constexpr std::uint64_t kPlaintextBit = 1ULL << 63U;

std::uint64_t KeyOf(const pb_record& record) {
  return record.cookie | (record.layer == PROBE_LAYER_PLAINTEXT ? kPlaintextBit : 0);
}

/// 0 of what is no record, so that it is taken at once.
std::uint64_t KtimeOf(std::string_view bytes) {
  std::uint64_t ktime_ns = 0;
  if (bytes.size() >= sizeof(pb_record))
    std::memcpy(&ktime_ns, bytes.data() + offsetof(pb_record, ktime_ns), sizeof(ktime_ns));
  return ktime_ns;
}

probe_cause_t CauseOf(const pb_record& record) {
  probe_cause_t cause{};
  cause.cookie = record.cause_cookie;
  cause.offset = record.cause_offset;
  cause.layer = record.cause_layer;
  return cause;
}

probe_endpoint_t Endpoint(const std::uint8_t (&address)[16], std::uint16_t port, std::uint8_t family) {
  probe_endpoint_t endpoint{};
  std::memcpy(endpoint.address, address, sizeof(address));
  endpoint.port = port;
  endpoint.family = family;
  return endpoint;
}

}  // namespace

ModuleFeed::ModuleFeed(const ModuleOutput& module, bpf::RingReader ring, SpanOutput& output, ReleaseStream release,
                       FeedLimits limits)
    : module_(module), ring_(std::move(ring)), output_(output), release_(std::move(release)), limits_(limits) {
  context_.feed = this;
  own_stream_.feed = this;
}

ModuleFeed::~ModuleFeed() { Stop(0); }

Status ModuleFeed::Start(modules::ModuleInstance& instance, std::uint32_t shard) {
  ASSIGN_OR_RETURN(modules::ModuleShard started, instance.StartShard(shard, &context_));
  shard_.emplace(std::move(started));
  return OkStatus();
}

void ModuleFeed::Stop(std::uint64_t deadline_ns) {
  if (!shard_) return;
  shard_->Flush(deadline_ns);
  while (!streams_.empty()) CloseStream(*streams_.begin()->second, PROBE_CLOSE_UNLOAD, 0);
  shard_->Stop();
  shard_.reset();
}

void ModuleFeed::Tick(std::uint64_t now_ns) {
  if (!wants_ticks()) return;
  if (ring_.position() != ticked_position_) {
    ticked_position_ = ring_.position();
    idle_ticks_ = 0;
  }
  idle_ticks_ = std::min(idle_ticks_ + 1, kIdleTicks);
  shard_->OnTick(now_ns);
}

void ModuleFeed::TakeOther(const pb_record& record, const std::uint8_t* payload) {
  switch (record.type) {
    case PB_RECORD_OPEN: return TakeOpen(record, payload);
    case PB_RECORD_CLOSE: return TakeClose(record);
    case PB_RECORD_DATAGRAM: return TakeDatagram(record, payload);
    case PB_RECORD_EVENT: return TakeEvent(record, payload);
    default:
      ++ledger_.consumed;
      ++ledger_.unfed;
      return;
  }
}

inline void ModuleFeed::CheckSequence(const pb_record& record) {
  if (record.cpu >= next_sequence_.size()) next_sequence_.resize(record.cpu + 1U, 0);
  std::uint64_t& next = next_sequence_[record.cpu];
  if (record.sequence < next) {
    ++ledger_.doubled;
    return;
  }
  ledger_.gaps += record.sequence - next;
  next = record.sequence + 1;
}

inline void ModuleFeed::Book(bool fed) {
  if (!fed)
    ++ledger_.unfed;
  else if (record_reason_)
    ++ledger_.records[BookedReason(*record_reason_)];
  else
    ++ledger_.used;
  record_reason_.reset();
}

inline probe_stream& ModuleFeed::StreamOf(const pb_record& record) {
  const std::uint64_t key = KeyOf(record);
  const Recent& recent = recent_[key % kRecent];
  return recent.key == key && recent.stream != nullptr ? *recent.stream : FindOrAddStream(record, key);
}

probe_stream& ModuleFeed::FindOrAddStream(const pb_record& record, std::uint64_t key) {
  std::unique_ptr<probe_stream>& slot = streams_[key];
  probe_stream& stream = slot != nullptr ? *slot : AddStream(record, slot);
  recent_[key % kRecent] = {key, &stream};
  return stream;
}

probe_stream& ModuleFeed::AddStream(const pb_record& record, std::unique_ptr<probe_stream>& slot) {
  slot = std::make_unique<probe_stream>();
  slot->feed = this;
  slot->cookie = record.cookie;
  slot->layer = record.layer;
  slot->incarnation = record.incarnation;
  probe_stream& made = *slot;
  made.last_ktime_ns = record.ktime_ns;
  ledger_.streams = streams_.size();
  if (streams_.size() > limits_.streams) EvictOldest();
  return made;
}

void ModuleFeed::EvictOldest() {
  // A scan is rare: it frees an eighth of the table at once.
  std::vector<probe_stream*> all;
  all.reserve(streams_.size());
  for (auto& [key, stream] : streams_) all.push_back(stream.get());
  const auto last = all.begin() + static_cast<std::ptrdiff_t>(all.size() / 8);
  std::nth_element(all.begin(), last, all.end(),
                   [](const probe_stream* a, const probe_stream* b) { return a->last_ktime_ns < b->last_ktime_ns; });
  for (auto at = all.begin(); at != last; ++at) {
    ++ledger_.streams_evicted;
    CloseStream(**at, PROBE_CLOSE_EVICTED, (*at)->last_ktime_ns);
  }
}

inline bool ModuleFeed::IsGivenAway(probe_stream& stream) {
  if (stream.given_away) EndForModule(stream, PROBE_CLOSE_HANDED_OVER, stream.last_ktime_ns);
  return stream.given_away;
}

// The kernel's offsets are exact, so whatever lies between two records was left out or lost: the decoder knows which.
inline void ModuleFeed::AnnounceGap(probe_stream& stream, const pb_record& record) {
  const std::uint8_t direction = record.direction & 1U;
  if (!stream.seen[direction]) {
    stream.seen[direction] = true;
    return;
  }
  const std::uint64_t expected = stream.expected[direction];
  if (record.offset <= expected) return;
  shard_->OnGap(&stream, &stream.state, direction, expected, record.offset - expected);
}

inline void ModuleFeed::TakeSegment(const pb_record& record, const std::uint8_t* bytes) {
  ++ledger_.consumed;
  if (!shard_) return Book(false);
  probe_stream& stream = StreamOf(record);
  stream.last_ktime_ns = record.ktime_ns;
  stream.last_tgid = record.tgid;
  if (!IsGivenAway(stream)) AnnounceGap(stream, record);
  if (IsGivenAway(stream)) {
    Count(PROBE_IGNORED_AFTER_UPGRADE);
    return Book(true);
  }
  segment_offset_ = record.offset;
  probe_segment_t segment{};
  segment.struct_size = sizeof(segment);
  segment.generation = record.generation;
  segment.ktime_ns = record.ktime_ns;
  segment.cookie = record.cookie;
  segment.offset = record.offset;
  segment.total = record.total;
  segment.captured = record.captured;
  segment.thread_id = record.thread_id;
  segment.tgid = record.tgid;
  segment.wire_sequence = record.wire_sequence;
  segment.layer = record.layer;
  segment.direction = record.direction;
  segment.flags = record.flags;
  segment.hint = record.hint;
  segment.cause = CauseOf(record);
  segment.bytes = bytes;
  Book(shard_->OnSegment(&stream, &stream.state, segment));
  stream.expected[record.direction & 1U] = record.offset + record.total;
  IsGivenAway(stream);
}

inline void ModuleFeed::Take(const pb_record& record, const std::uint8_t* payload) {
  CheckSequence(record);
  ++ledger_.generation[record.generation & 1U];
  if (record.type == PB_RECORD_SEGMENT) [[likely]] {
    return TakeSegment(record, payload);
  }
  TakeOther(record, payload);
}

inline void ModuleFeed::Take(std::string_view bytes) {
  if (bytes.size() < sizeof(pb_record)) return;
  const auto& record = *reinterpret_cast<const pb_record*>(bytes.data());  // the ring aligns to eight
  const auto* payload = reinterpret_cast<const std::uint8_t*>(bytes.data()) + sizeof(record);
  if (record.captured <= bytes.size() - sizeof(record)) [[likely]] {
    return Take(record, payload);
  }
  pb_record cut = record;
  cut.captured = static_cast<__u32>(bytes.size() - sizeof(record));
  Take(cut, payload);
}

std::size_t ModuleFeed::Drain(std::size_t limit, std::uint64_t until_ns) {
  return ring_.DrainWhile([until_ns](std::string_view bytes) { return KtimeOf(bytes) <= until_ns; },
                          [this](std::string_view bytes) { Take(bytes); }, limit);
}

std::uint64_t ModuleFeed::NextKtimeNs() {
  std::uint64_t next = UINT64_MAX;
  const auto look = [&next](std::string_view bytes) {
    next = KtimeOf(bytes);
    return false;
  };
  ring_.DrainWhile(look, [](std::string_view) {}, 1);
  return next;
}

void ModuleFeed::TakeDatagram(const pb_record& record, const std::uint8_t* bytes) {
  ++ledger_.consumed;
  if (!shard_ || record.captured < sizeof(pb_peer)) return Book(false);
  probe_stream& stream = StreamOf(record);
  stream.last_ktime_ns = record.ktime_ns;
  stream.last_tgid = record.tgid;
  if (IsGivenAway(stream)) {
    Count(PROBE_IGNORED_AFTER_UPGRADE);
    return Book(true);
  }
  pb_peer peer;
  std::memcpy(&peer, bytes, sizeof(peer));
  probe_datagram_t datagram{};
  datagram.struct_size = sizeof(datagram);
  datagram.generation = record.generation;
  datagram.ktime_ns = record.ktime_ns;
  datagram.cookie = record.cookie;
  datagram.total = record.total;
  datagram.captured = record.captured - static_cast<std::uint32_t>(sizeof(peer));
  datagram.thread_id = record.thread_id;
  datagram.tgid = record.tgid;
  datagram.direction = record.direction;
  datagram.flags = record.flags;
  datagram.peer = Endpoint(peer.address, peer.port, peer.family);
  datagram.cause = CauseOf(record);
  datagram.bytes = bytes + sizeof(peer);
  Book(shard_->OnDatagram(&stream, &stream.state, datagram));
  IsGivenAway(stream);
}

void ModuleFeed::TakeEvent(const pb_record& record, const std::uint8_t* bytes) {
  ++ledger_.consumed;
  if (!shard_ || record.captured < sizeof(pb_event)) return Book(false);
  pb_event facts;
  std::memcpy(&facts, bytes, sizeof(facts));
  own_stream_.last_tgid = record.tgid;
  own_stream_.rule = facts.rule;
  probe_event_t event{};
  event.struct_size = sizeof(event);
  event.generation = record.generation;
  event.ktime_ns = record.ktime_ns;
  event.kind = facts.kind;
  event.size = record.captured - static_cast<std::uint32_t>(sizeof(facts));
  event.thread_id = record.thread_id;
  event.tgid = record.tgid;
  event.tgid_start_ns = facts.tgid_start_ns;
  event.cause = CauseOf(record);
  event.bytes = bytes + sizeof(facts);
  Book(shard_->OnEvent(event));
}

void ModuleFeed::TakeOpen(const pb_record& record, const std::uint8_t* bytes) {
  ++ledger_.notices;
  if (!shard_ || record.captured < sizeof(pb_open)) return;
  pb_open open;
  std::memcpy(&open, bytes, sizeof(open));
  // Given away and now given back: a new stream to the module.
  if (probe_stream& before = StreamOf(record); before.closed) CloseStream(before, PROBE_CLOSE_HANDED_OVER, 0);
  probe_stream& stream = StreamOf(record);
  stream.last_ktime_ns = record.ktime_ns;
  stream.last_tgid = record.tgid;
  stream.rule = open.rule;
  // The kernel had forgotten the plaintext, and counts its bytes from 0 again.
  stream.begun_anew |= stream.has_open && stream.layer == PROBE_LAYER_PLAINTEXT;
  probe_open_t& to = stream.open;
  to.struct_size = sizeof(to);
  to.tgid = record.tgid;
  to.tgid_start_ns = open.tgid_start_ns;
  to.cookie = record.cookie;
  to.cgroup_id = open.cgroup_id;
  to.ktime_ns = record.ktime_ns;
  to.local = Endpoint(open.local, open.local_port, open.family);
  to.peer = Endpoint(open.peer, open.peer_port, open.family);
  to.netns = open.netns;
  to.transport = open.transport;
  to.layer = record.layer;
  to.from_start = open.from_start;
  stream.has_open = true;
  stream.pair = MakePairKey(to.local, to.peer);
  shard_->OnOpen(&stream, &stream.state, to);
  record_reason_.reset();
  IsGivenAway(stream);
}

void ModuleFeed::TakeClose(const pb_record& record) {
  ++ledger_.notices;
  const auto found = streams_.find(KeyOf(record));
  if (found != streams_.end()) CloseStream(*found->second, record.hint, record.ktime_ns);
}

void ModuleFeed::EndForModule(probe_stream& stream, std::uint32_t reason, std::uint64_t ktime_ns) {
  if (stream.closed) return;
  stream.closed = true;
  if (shard_) shard_->OnClose(&stream, &stream.state, reason, ktime_ns != 0 ? ktime_ns : stream.last_ktime_ns);
  record_reason_.reset();
  while (stream.pieces != nullptr) Free(stream, stream.pieces + 1);
  stream.state = nullptr;
}

void ModuleFeed::NotMine(probe_stream& stream) {
  // Even if the kernel cannot be told, the module sees no more of it.
  if (HandOver(stream, 0, {}) != PROBE_OK) stream.given_away = &stream != &own_stream_;
}

probe_result_t ModuleFeed::HandOver(probe_stream& stream, std::uint64_t offset, std::string_view heir) {
  if (stream.given_away) return PROBE_INVALID;
  if (&stream == &own_stream_ || stream.layer != PROBE_LAYER_RAW) return PROBE_UNSUPPORTED;
  const probe_result_t released =
      release_({.cookie = stream.cookie, .incarnation = stream.incarnation, .offset = offset, .heir = heir});
  if (released != PROBE_OK) return released;
  stream.given_away = true;
  ++ledger_.streams_given_away;
  return PROBE_OK;
}

void ModuleFeed::CloseStream(probe_stream& stream, std::uint32_t reason, std::uint64_t ktime_ns) {
  EndForModule(stream, reason, ktime_ns);
  ForgetConstants(stream);
  if (stream.names_plaintext) output_.NamePlaintext(stream.cookie, {});
  const std::uint64_t key = stream.cookie | (stream.layer == PROBE_LAYER_PLAINTEXT ? kPlaintextBit : 0);
  recent_[key % kRecent] = {};
  streams_.erase(key);
  ledger_.streams = streams_.size();
}

void* ModuleFeed::Allocate(probe_stream& stream, std::size_t size) {
  if (stream.memory + size > limits_.bytes_per_stream || memory_ + size > limits_.bytes_per_module) return nullptr;
  auto* piece = static_cast<StreamMemory*>(std::calloc(1, sizeof(StreamMemory) + size));
  if (piece == nullptr) return nullptr;
  piece->size = size;
  piece->next = stream.pieces;
  if (stream.pieces != nullptr) stream.pieces->previous = piece;
  stream.pieces = piece;
  stream.memory += size;
  memory_ += size;
  return piece + 1;
}

void ModuleFeed::Free(probe_stream& stream, void* memory) {
  if (memory == nullptr) return;
  StreamMemory* piece = static_cast<StreamMemory*>(memory) - 1;
  if (piece->previous != nullptr) piece->previous->next = piece->next;
  if (piece->next != nullptr) piece->next->previous = piece->previous;
  if (stream.pieces == piece) stream.pieces = piece->next;
  stream.memory -= piece->size;
  memory_ -= piece->size;
  std::free(piece);
}

StreamFacts ModuleFeed::FactsOf(const probe_stream& stream) const {
  return {.open = stream.has_open ? &stream.open : nullptr,
          .pair = stream.pair,
          .tgid = stream.last_tgid,
          .rule = stream.rule,
          .segment_offset = segment_offset_,
          .constants = nullptr};
}

std::uint64_t ModuleFeed::BeginExchange(probe_stream& stream, const probe_exchange_t& exchange) {
  ++ledger_.opened;
  ++ledger_.in_flight;
  if (stream.layer == PROBE_LAYER_PLAINTEXT) return BeginPlain(stream, exchange);
  return output_.Begin(FactsOf(stream), exchange);
}

// Of several that begin with the same byte the first is joined, as their modules do it with sequence numbers.
std::uint64_t ModuleFeed::BeginPlain(probe_stream& stream, const probe_exchange_t& exchange) {
  StreamFacts facts = FactsOf(stream);
  facts.pair = stream.begun_anew ? PairKey{} : output_.PlaintextKeyOf(stream.cookie);
  probe_exchange_t placed = exchange;
  placed.wire_sequence = 0;
  if (facts.pair.valid() && exchange.offset >= stream.joined_from) {
    placed.wire_sequence = PlaintextSequence(exchange.offset);
    stream.joined_from = exchange.offset + 1;
  }
  return output_.Begin(facts, placed);
}

void ModuleFeed::NamePlaintext(probe_stream& stream, const std::uint8_t* name) {
  if (stream.layer != PROBE_LAYER_RAW || stream.cookie == 0) return;
  stream.names_plaintext = true;
  output_.NamePlaintext(stream.cookie, MakePlaintextKey(name, stream.pair));
}

// What the host makes of the constant attributes of a span, made at the first span that names the set.
StreamConstants* ModuleFeed::ConstantsOf(probe_stream& stream, const probe_span_t& span) {
  if (span.constant_set == 0 || span.constant_set == stream.unkept_set) return nullptr;
  if (stream.constants == nullptr || stream.constants->set() != span.constant_set) return KeepConstants(stream, span);
  const bool honest = span.constant_count == stream.constants->count() && span.constant_count <= span.attribute_count;
  return honest ? stream.constants.get() : nullptr;
}

[[gnu::noinline]] StreamConstants* ModuleFeed::KeepConstants(probe_stream& stream, const probe_span_t& span) {
  ForgetConstants(stream);
  stream.unkept_set = span.constant_set;
  if (span.constant_count > span.attribute_count) return nullptr;
  auto made =
      StreamConstants::Make(span.constant_set, {span.attributes, span.constant_count}, output_.keys(), scratch_);
  if (made == nullptr || memory_ + made->memory() > limits_.bytes_per_module) return nullptr;
  memory_ += made->memory();
  stream.unkept_set = 0;
  stream.constants = std::move(made);
  return stream.constants.get();
}

void ModuleFeed::ForgetConstants(probe_stream& stream) {
  if (stream.constants != nullptr) memory_ -= stream.constants->memory();
  stream.constants.reset();
}

probe_result_t ModuleFeed::EmitSpan(probe_stream& stream, const probe_span_t& span) {
  if (span.struct_size >= sizeof(span)) return Emit(stream, span);
  probe_span_t whole{};  // of a module built for 1.0
  std::memcpy(&whole, &span, offsetof(probe_span_t, constant_set));
  whole.struct_size = sizeof(whole);
  return Emit(stream, whole);
}

probe_result_t ModuleFeed::Emit(probe_stream& stream, const probe_span_t& span) {
  StreamFacts facts = FactsOf(stream);
  facts.constants = ConstantsOf(stream, span);
  const SpanFate fate = output_.Emit(module_, facts, span);
  --ledger_.in_flight;
  if (fate == SpanFate::kUnknownExchange) {  // the table of exchanges was full of open ones
    ++ledger_.aborted[PROBE_EVICTED_MEMORY];
    return PROBE_INVALID;
  }
  ++ledger_.spans;
  switch (fate) {
    case SpanFate::kRouted: ++ledger_.routed; break;
    case SpanFate::kDropped: ++ledger_.unrouted_dropped; break;
    case SpanFate::kNoRoute: ++ledger_.unrouted_no_route; break;
    case SpanFate::kNoSink: ++ledger_.unrouted_no_sink; break;
    case SpanFate::kUnknownExchange: break;
  }
  return PROBE_OK;
}

void ModuleFeed::AbortExchange(probe_stream& /*stream*/, std::uint64_t exchange, std::uint32_t reason) {
  if (!output_.Abort(exchange)) return;
  ++ledger_.aborted[BookedReason(reason)];
  --ledger_.in_flight;
}

// Start times are in nanoseconds: two processes have the same one so rarely that a number is not worth a second word.
void ModuleFeed::Unread(const probe_stream& stream) {
  constexpr std::size_t kMostRemembered = 4096;
  constexpr std::uint64_t kAgainAfterNs = 2'000'000'000;
  if (!report_unread_ || !stream.has_open) return;
  if (unread_.size() >= kMostRemembered) unread_.clear();
  const auto [known, is_new] = unread_.try_emplace(stream.open.tgid_start_ns, stream.last_ktime_ns);
  const bool again = !is_new && known->second != 0 && stream.last_ktime_ns >= known->second + kAgainAfterNs;
  if (again) known->second = 0;
  if (is_new || again) report_unread_(stream.open.tgid);
}

void ModuleFeed::EmitMetric(const probe_metric_point_t& point) { output_.EmitMetric(point); }
void ModuleFeed::EmitLog(const probe_log_t& log) { output_.EmitLog(module_, log); }

}  // namespace probed::pipeline
