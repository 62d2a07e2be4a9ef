// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Messages in a stream: each has its size in front. Where bytes are missing:
//
//  * A message whose end is missing is read as far as it is there; where it ends is known all the same.
//  * A hole over a message's end loses the boundary. The next record that begins like a request, or like the response
//  to
//    a request that waits, is taken for one, as on a connection that is older than the daemon.
#include <algorithm>

#include "modules/kafka/bpf/kafka_classify.h"
#include "modules/kafka/decode/parse.h"
#include "modules/kafka/decode/stitch.h"

namespace probed::mod::kafka {
namespace {

constexpr std::size_t kPrefix = KFK_SIZE_BYTES;
constexpr std::size_t kLimit = std::size_t{160} << 10U;  // the most that is captured of a message, and a record

const unsigned char* Data(std::string_view view) { return reinterpret_cast<const unsigned char*>(view.data()); }

/// Of the message at the beginning of `view`, with its size.
std::uint64_t SizeOf(std::string_view view) { return kPrefix + kfk_u32(Data(view)); }

void BeginDirection(Direction& d, std::uint64_t offset) {
  if (d.started) return;
  d.started = true;
  d.expected = offset;
  d.searching = true;
}

/// As a response to one of the requests that wait.
int LookAtResponse(const Connection& connection, std::string_view view) {
  if (view.size() < kPrefix) return KFK_MORE;
  const std::uint32_t size = kfk_u32(Data(view));
  if (size < 4 || size > KFK_MOST_RESPONSE) return KFK_NOT;
  if (view.size() < kPrefix + 4) return KFK_MORE;
  return FindRequest(connection, CorrelationOf(view.substr(kPrefix))) == nullptr ? KFK_NOT : KFK_YES;
}

}  // namespace

void Stitcher::OnSegment(sdk::Stream stream, Connection& connection, const probe_segment_t& segment) {
  const std::uint8_t direction = segment.direction == PROBE_SENT ? PROBE_SENT : PROBE_RECEIVED;
  Direction& d = connection.directions[direction];
  BeginDirection(d, segment.offset);
  Reading r{stream, connection, d, direction, &segment};
  if (segment.offset > d.expected) SkipHole(r, segment.offset, false);
  const std::uint64_t known = std::min<std::uint64_t>(d.expected - segment.offset, segment.captured);
  std::string_view bytes(reinterpret_cast<const char*>(segment.bytes), segment.captured);
  bytes.remove_prefix(static_cast<std::size_t>(known));
  d.expected += bytes.size();
  Consume(r, bytes);
  SkipHole(r, segment.offset + segment.total, true);
  Settle(r);
}

void Stitcher::OnGap(sdk::Stream stream, Connection& connection, std::uint8_t direction, std::uint64_t offset,
                     std::uint64_t length) {
  Direction& d = connection.directions[direction == PROBE_SENT ? PROBE_SENT : PROBE_RECEIVED];
  BeginDirection(d, offset);
  Reading r{stream, connection, d, direction, nullptr};
  SkipHole(r, offset + length, false);
}

/// Says what became of the record, and gives a stream up that never showed a request.
void Stitcher::Settle(Reading& r) {
  if (r.failure != kUsed)
    r.stream.Count(r.failure);
  else if (!r.used && !r.kept)
    r.stream.Count(r.idle);
  if (r.connection.spoke || r.kept || r.d.cut_end != 0) return;
  if (++r.connection.undecodable == kUndecodableBeforeGivingUp) r.stream.NotMine();
}

Arrival Stitcher::ArrivalAt(const Reading& r, std::uint64_t offset) {
  const probe_segment_t& segment = *r.segment;
  const auto ahead = static_cast<std::uint32_t>(offset - segment.offset);
  return {.begin_ns = segment.ktime_ns,
          .end_ns = segment.ktime_ns,
          .cookie = segment.cookie,
          .offset = offset,
          .end_offset = offset,
          .generation = segment.generation,
          .wire_sequence = segment.wire_sequence == 0 ? 0 : segment.wire_sequence + ahead,
          .layer = segment.layer,
          .direction = r.direction,
          .cause = segment.cause};
}

/// `bytes` end at r.d.expected.
void Stitcher::Consume(Reading& r, std::string_view bytes) {
  Direction& d = r.d;
  if (d.cut_end != 0) {
    const std::uint64_t at = d.expected - bytes.size();
    bytes.remove_prefix(static_cast<std::size_t>(std::min<std::uint64_t>(d.cut_end - at, bytes.size())));
    if (d.cut_end > d.expected) return;
    FinishCut(r);
  }
  if (bytes.empty()) return;
  const std::uint64_t kept = d.buffer.size();
  const std::string_view view = d.buffer.Join(r.stream, bytes, kLimit);
  if (view.size() == kept + bytes.size()) return ReadMessages(r, view, kept);
  if (kept != 0) pins_.Unpin(d.start.generation);  // no memory: what was kept is gone
  d.buffer.Clear();
  r.failure = PROBE_UNDECODABLE_GAP;
  LoseBoundary(r);
}

/// The first `kept` bytes of the view were there before this record.
void Stitcher::ReadMessages(Reading& r, std::string_view view, std::uint64_t kept) {
  Direction& d = r.d;
  const Arrival first = d.start;
  const std::uint64_t base = d.expected - view.size();
  if (kept != 0) pins_.Unpin(first.generation);
  std::size_t at = 0;
  while (at < view.size()) {
    if (d.searching) at += Search(r, view.substr(at));
    const std::string_view rest = view.substr(at);
    if (rest.size() < kPrefix || rest.size() < SizeOf(rest)) break;
    const auto size = static_cast<std::size_t>(SizeOf(rest));
    TakeMessage(r, rest.substr(0, size), at < kept ? first : ArrivalAt(r, base + at));
    at += size;
  }
  Keep(r, view.substr(at), at < kept ? first : ArrivalAt(r, base + at));
}

int Stitcher::LookAt(const Reading& r, std::string_view view) {
  const Connection& connection = r.connection;
  if (connection.spoke && r.direction != connection.requests) {
    const int verdict = LookAtResponse(connection, view);
    if (verdict != KFK_NOT || connection.confirmed) return verdict;
  }
  unsigned char head[KFK_HEAD_BYTES] = {};
  const std::size_t length = std::min<std::size_t>(view.size(), sizeof(head));
  std::copy_n(view.data(), length, head);
  return kfk_recognise(head, static_cast<unsigned>(length));
}

/// Where in `view` a message begins, or may yet be seen to: in front, or nowhere (its size). Messages begin where calls
/// do; inside of one, among many zeros, much looks like a message that is none.
std::size_t Stitcher::Search(Reading& r, std::string_view view) {
  const int verdict = view.empty() ? KFK_MORE : LookAt(r, view);
  if (verdict == KFK_NOT) {
    r.idle = PROBE_UNDECODABLE_GAP;
    return view.size();
  }
  r.d.searching = verdict != KFK_YES;
  r.kept |= r.d.searching;
  return 0;
}

/// A whole message with its size, or the beginning of a cut one.
void Stitcher::TakeMessage(Reading& r, std::string_view bytes, const Arrival& start) {
  Message message{bytes.substr(kPrefix), start, bytes.size() < SizeOf(bytes)};
  message.arrival.end_ns = r.segment->ktime_ns;
  message.arrival.end_offset = start.offset + SizeOf(bytes);
  const probe_reason reason = OnMessage(r.stream, r.connection, message);
  if (reason == PROBE_UNDECODABLE_MALFORMED || reason == PROBE_UNDECODABLE_GAP) {
    r.failure = message.cut ? PROBE_UNDECODABLE_GAP : reason;
    return LoseBoundary(r);
  }
  if (reason == kUsed)
    r.used = true;
  else
    r.idle = reason;
}

/// The end of a message whose rest is missing was reached.
void Stitcher::FinishCut(Reading& r) {
  Direction& d = r.d;
  d.cut_end = 0;
  r.kept = false;
  pins_.Unpin(d.start.generation);
  TakeMessage(r, d.buffer.view(), d.start);
  d.buffer.Clear();
}

/// Bytes from r.d.expected on are missing. Only of those that this record left out is the time known: a message that
/// ends with others is lost as well.
void Stitcher::SkipHole(Reading& r, std::uint64_t to, bool timed) {
  Direction& d = r.d;
  if (to <= d.expected) return;
  d.expected = to;
  std::uint64_t end = d.cut_end;
  if (end == 0 && !d.searching && d.buffer.size() >= kPrefix) end = d.buffer.offset() + SizeOf(d.buffer.view());
  if (end > to) {
    d.cut_end = end;
  } else if (end == to && timed) {
    d.cut_end = end;
    FinishCut(r);
  } else {
    Drop(r);
    LoseBoundary(r);
  }
}

/// Unknown messages went by.
void Stitcher::LoseBoundary(Reading& r) {
  r.d.searching = true;
  if (r.connection.spoke && r.direction != r.connection.requests) r.connection.Doubt();
}

void Stitcher::Drop(Reading& r) {
  if (!r.d.buffer.empty()) pins_.Unpin(r.d.start.generation);
  r.d.buffer.Clear();
  r.d.cut_end = 0;
}

void Stitcher::Keep(Reading& r, std::string_view rest, const Arrival& start) {
  if (rest.empty()) return r.d.buffer.Clear();
  if (!r.d.buffer.Keep(r.stream, rest, start.offset)) {
    r.failure = PROBE_UNDECODABLE_GAP;
    return LoseBoundary(r);
  }
  r.d.start = start;
  r.kept |= !r.d.searching;
  pins_.Pin(start.generation);
}

}  // namespace probed::mod::kafka
