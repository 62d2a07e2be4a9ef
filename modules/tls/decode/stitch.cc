// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Records of one direction. The kernel leaves the bytes of encrypted records out, and everything once a direction has
// finished; any other hole loses the place of the next header, and with it the handshake.
#include "modules/tls/decode/stitch.h"

#include <algorithm>

namespace probed::mod::tls {
namespace {

constexpr std::size_t kMessageHeader = 4;                     // type and length
constexpr std::size_t kMostMessage = std::size_t{96} << 10U;  // a chain of certificates is longer than a record

std::uint64_t HeaderWord(const Direction& d) {
  std::uint64_t word = 0;
  for (std::size_t i = 0; i < d.header.size(); ++i) word |= std::uint64_t{d.header[i]} << (8 * i);
  return word;
}

std::size_t MessageSize(std::string_view view) {
  const auto byte = [&](std::size_t i) { return std::size_t{static_cast<std::uint8_t>(view[i])}; };
  return kMessageHeader + (byte(1) << 16U | byte(2) << 8U | byte(3));
}

void BeginDirection(Direction& d, std::uint64_t offset) {
  if ((d.flags & TLS_STARTED) != 0) return;
  d.flags |= TLS_STARTED;
  d.expected = offset;
}

}  // namespace

void Stitcher::OnSegment(sdk::Stream stream, Connection& connection, const probe_segment_t& segment) {
  const std::uint8_t direction = segment.direction == PROBE_SENT ? PROBE_SENT : PROBE_RECEIVED;
  Reading r{stream, connection, connection.directions[direction], direction, &segment};
  if ((r.d.flags & TLS_STARTED) == 0 && segment.offset != 0) connection.late = true;
  BeginDirection(r.d, segment.offset);
  if (connection.over || (r.d.flags & TLS_FINISHED) != 0) r.outcome = PROBE_IGNORED_BODY;
  if (segment.offset > r.d.expected) Advance(r, segment.offset);
  if ((segment.flags & PROBE_SEGMENT_UNREADABLE) != 0 && !r.is_over()) Lose(r);
  const std::uint64_t known = std::min<std::uint64_t>(r.d.expected - segment.offset, segment.captured);
  std::string_view bytes(reinterpret_cast<const char*>(segment.bytes), segment.captured);
  bytes.remove_prefix(static_cast<std::size_t>(known));
  Consume(r, bytes);
  Advance(r, segment.offset + segment.total);
  if (r.outcome != kUsed) stream.Count(r.outcome);
}

void Stitcher::OnGap(sdk::Stream stream, Connection& connection, std::uint8_t direction, std::uint64_t offset,
                     std::uint64_t length) {
  direction = direction == PROBE_SENT ? PROBE_SENT : PROBE_RECEIVED;
  Reading r{stream, connection, connection.directions[direction], direction, nullptr};
  BeginDirection(r.d, offset);
  Advance(r, offset + length);
}

Arrival Stitcher::ArrivalAt(const Reading& r, std::uint64_t offset) {
  const probe_segment_t& segment = *r.segment;
  const auto ahead = static_cast<std::uint32_t>(offset - segment.offset);
  return {.ktime_ns = segment.ktime_ns,
          .cookie = segment.cookie,
          .offset = offset,
          .generation = segment.generation,
          .wire_sequence = segment.wire_sequence == 0 ? 0 : segment.wire_sequence + ahead,
          .layer = segment.layer,
          .cause = segment.cause};
}

/// `bytes` begin at r.d.expected.
void Stitcher::Consume(Reading& r, std::string_view bytes) {
  while (!bytes.empty() && !r.is_over()) {
    if (r.d.left == 0) {
      TakeHeader(r, &bytes);
      continue;
    }
    const std::string_view part = bytes.substr(0, r.d.left);
    const std::uint64_t offset = r.d.expected;
    bytes.remove_prefix(part.size());
    r.d.expected += part.size();
    r.d.left = static_cast<std::uint16_t>(r.d.left - part.size());
    TakeBytes(r, part, offset);
  }
  r.d.expected += bytes.size();
}

void Stitcher::TakeHeader(Reading& r, std::string_view* bytes) {
  Direction& d = r.d;
  const std::size_t taken = bytes->copy(reinterpret_cast<char*>(d.header.data()) + d.held, d.header.size() - d.held);
  bytes->remove_prefix(taken);
  d.expected += taken;
  d.held = static_cast<std::uint8_t>(d.held + taken);
  if (d.held < d.header.size()) return;
  d.held = 0;
  tls_header header{};
  if (tls_read_header(HeaderWord(d), &header) == 0) return Refuse(r);
  d.flags = tls_after_header(d.flags, r.other().flags, &header);
  d.type = header.type;
  d.length = d.left = header.length;
  OnRecord(r);
}

void Stitcher::TakeBytes(Reading& r, std::string_view bytes, std::uint64_t offset) {
  if ((r.d.flags & TLS_CLEAR) == 0) return;
  switch (r.d.type) {
    case TLS_HANDSHAKE: return TakeMessages(r, bytes, offset);
    case TLS_ALERT: return TakeAlert(r, bytes);
    default: return;
  }
}

void Stitcher::TakeAlert(Reading& r, std::string_view bytes) {
  Direction& d = r.d;
  for (const char byte : bytes) d.alert[d.alert_held++ % d.alert.size()] = static_cast<std::uint8_t>(byte);
  if (d.left != 0) return;
  d.alert_held = 0;
  OnAlert(r, d.alert[0], d.alert[1]);
}

/// `bytes` are at `offset`; messages may begin and end anywhere in records.
void Stitcher::TakeMessages(Reading& r, std::string_view bytes, std::uint64_t offset) {
  Direction& d = r.d;
  const std::size_t kept = d.message.size();
  std::string_view view = d.message.Join(r.stream, bytes, kMostMessage);
  if (view.size() != kept + bytes.size()) return Refuse(r);
  Arrival start = kept == 0 ? ArrivalAt(r, offset) : d.message_start;
  while (view.size() >= kMessageHeader && view.size() >= MessageSize(view)) {
    const std::size_t size = MessageSize(view);
    OnMessage(r, static_cast<std::uint8_t>(view[0]), view.substr(kMessageHeader, size - kMessageHeader), start);
    if (r.is_over()) return;
    view.remove_prefix(size);
    start = ArrivalAt(r, offset + bytes.size() - view.size());
  }
  if (view.empty()) return d.message.Clear();
  if (view.size() >= kMessageHeader && MessageSize(view) > kMostMessage) return Refuse(r);
  if (!d.message.Keep(r.stream, view, start.offset)) return Refuse(r);
  d.message_start = start;
}

/// Bytes up to `to` are missing: those of an encrypted record are left out on purpose.
void Stitcher::Advance(Reading& r, std::uint64_t to) {
  Direction& d = r.d;
  if (to <= d.expected) return;
  const std::uint64_t missing = to - d.expected;
  d.expected = to;
  if (r.is_over()) return;
  if ((d.flags & TLS_CLEAR) != 0 || missing > d.left) return Lose(r);
  d.left = static_cast<std::uint16_t>(d.left - missing);
}

void Stitcher::Lose(Reading& r) {
  r.d.flags |= TLS_LOST;
  if (r.segment != nullptr) r.outcome = PROBE_UNDECODABLE_GAP;
  Abort(r.stream, r.connection, PROBE_ABORTED_GAP);
}

/// Not the grammar. A connection that never showed a handshake is somebody else's; but not one that came in the midst
/// of it (`late`), and one that was never opened has ended already (a reset that came while `send` still ran), and its
/// handshake with it.
void Stitcher::Refuse(Reading& r) {
  const bool never = r.connection.handshake == nullptr;
  const bool ended = never && (r.connection.late || r.stream.Open() == nullptr);
  r.outcome = ended ? PROBE_IGNORED_BODY : PROBE_UNDECODABLE_MALFORMED;
  Abort(r.stream, r.connection, PROBE_ABORTED_CLOSE);
  if (never && !ended) r.stream.NotMine();
}

void Stitcher::OnClose(sdk::Stream stream, Connection& connection, std::uint32_t reason, std::uint64_t ktime_ns) {
  if (connection.handshake != nullptr) EndAtClose(stream, connection, reason, ktime_ns);
  Forget(stream, connection);
}

}  // namespace probed::mod::tls
