// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Bytes to packets.
#include "modules/sql/decode/my_stitch.h"

#include <algorithm>
#include <array>

#include "modules/sql/bpf/my_walk.h"

namespace probed::mod::sql::my {
namespace {

constexpr std::size_t kLimit = std::size_t{64} << 10U;  // the looked-at part of a packet and the longest record
constexpr std::uint8_t kUndecodableBeforeGivingUp = 8;

const unsigned char* Data(std::string_view view) { return reinterpret_cast<const unsigned char*>(view.data()); }

void BeginDirection(const Connection& c, Direction& d, std::uint64_t offset) {
  if (d.started) return;
  d.started = true;
  d.expected = offset;
  d.lost = !c.begun && c.front != 0;
}

}  // namespace

void Stitcher::OnSegment(sdk::Stream stream, Connection& connection, const probe_segment_t& segment) {
  if (connection.given_away) return stream.Count(PROBE_IGNORED_AFTER_UPGRADE);
  const std::uint8_t direction = segment.direction == PROBE_SENT ? PROBE_SENT : PROBE_RECEIVED;
  Direction& d = connection.directions[direction];
  BeginDirection(connection, d, segment.offset);
  Reading r{stream, connection, d, direction, segment};
  d.missing = false;
  const bool passed = segment.hint != 0 && !(IsFront(r) && segment.hint == MY_LET_GO);
  if (passed && !d.lost)
    Jump(r, segment.hint - 1U);
  else
    SkipTo(r);
  const std::uint64_t known = std::min<std::uint64_t>(d.expected - segment.offset, segment.captured);
  std::string_view bytes(reinterpret_cast<const char*>(segment.bytes), segment.captured);
  bytes.remove_prefix(static_cast<std::size_t>(known));
  d.expected += bytes.size();
  Consume(r, bytes);
  if (const std::uint64_t end = segment.offset + segment.total; end > d.expected && !connection.given_away) {
    const std::uint64_t cut = end - d.expected;
    if (cut > d.skip && !d.buffer.empty()) TakeCut(r);
    if (cut > d.skip) LoseBoundary(r);
    d.skip -= std::min(cut, d.skip);
    d.expected = end;
  }
  Settle(r);
}

void Stitcher::OnGap(sdk::Stream, Connection& connection, std::uint8_t direction, std::uint64_t offset,
                     std::uint64_t length) {
  Direction& d = connection.directions[direction == PROBE_SENT ? PROBE_SENT : PROBE_RECEIVED];
  if (connection.given_away) return;
  BeginDirection(connection, d, offset);
  d.missing = offset + length > d.expected + d.skip;  // the next record says what was in it
}

/// Bytes in front of the record are missing, and the kernel did not leave them out.
void Stitcher::SkipTo(Reading& r) {
  Direction& d = r.d;
  const std::uint64_t offset = r.segment.offset;
  if (offset <= d.expected) return;
  if (!d.buffer.empty()) TakeCut(r);
  const std::uint64_t missing = offset - d.expected;
  d.expected = offset;
  if (missing > d.skip) return LoseBoundary(r);
  d.skip -= missing;
  if (!r.c.login_cut || !IsFront(r)) return;
  r.c.login_cut = false;  // of the rest of the login this is the database
  const std::string_view bytes(reinterpret_cast<const char*>(r.segment.bytes), r.segment.captured);
  UseDatabase(r.c, Fields(bytes).ZeroEnded());
}

/// The kernel left out whole packets, and the rest of the one in front of them: the record begins with a packet.
void Stitcher::Jump(Reading& r, unsigned passed) {
  Direction& d = r.d;
  if (r.segment.offset < d.expected) return;
  if (!d.buffer.empty()) TakeCut(r);
  d.buffer.Clear();  // less than a head says nothing
  d.skip = 0;
  d.expected = r.segment.offset;
  (IsFront(r) ? r.c.more : r.c.back_more) = false;
  if (!IsFront(r) && passed != 0) OnPassed(r, passed, r.segment.hint != MY_UNCOUNTED);
}

/// Of the client's packet that was kept nothing more will come: the rest was not wanted when it was shipped. Of a
/// server's all that is looked at is shipped, so bytes are missing.
void Stitcher::TakeCut(Reading& r) {
  Direction& d = r.d;
  const std::string_view view = d.buffer.view();
  if (d.lost || view.size() < kHeader || !IsFront(r)) return;
  const std::size_t size = my_u24(Data(view));
  d.skip = size + kHeader - std::min(size + kHeader, view.size());
  Handle(r, {Data(view)[3], view.substr(kHeader), size}, d.start);
  d.buffer.Clear();
}

/// `bytes` end at r.d.expected.
void Stitcher::Consume(Reading& r, std::string_view bytes) {
  Direction& d = r.d;
  const auto passed = static_cast<std::size_t>(std::min<std::uint64_t>(d.skip, bytes.size()));
  d.skip -= passed;
  r.skipped = passed != 0;
  bytes.remove_prefix(passed);
  if (bytes.empty()) return;
  const std::uint64_t kept = d.buffer.size();
  const std::string_view view = d.buffer.Join(r.stream, bytes, kLimit);
  if (view.size() == kept + bytes.size()) return ReadPackets(r, view, kept);
  LoseBoundary(r);  // no memory: what was kept is gone
}

/// The first `kept` bytes of the view were there before this record.
void Stitcher::ReadPackets(Reading& r, std::string_view view, std::uint64_t kept) {
  const Arrival first = r.d.start;
  const std::uint64_t base = r.d.expected - view.size();
  const auto arrival = [&](std::size_t at) { return at < kept ? first : ArrivalAt(r.segment, base + at); };
  if (r.c.front == 0 && !LearnSides(r, view)) return Keep(r, view, arrival(0));
  if (r.d.lost && !FindPlace(r, view)) return r.d.buffer.Clear();
  std::size_t at = 0;
  while (at < view.size() && !r.d.lost && !r.c.given_away) {
    const std::size_t taken = ReadOne(r, view.substr(at), arrival(at));
    if (taken == 0) break;
    r.used = true;
    at += taken;
  }
  if (r.d.lost || r.c.given_away) return r.d.buffer.Clear();
  Keep(r, view.substr(at), arrival(at));
}

/// By the first bytes of either direction. What says nothing is passed over. False: it takes more of them.
bool Stitcher::LearnSides(Reading& r, std::string_view view) {
  std::array<unsigned char, PG_HEAD_BYTES> head{};
  const std::size_t length = std::min(view.size(), head.size());
  std::copy_n(Data(view), length, head.begin());
  const int begin = my_begins(head.data(), static_cast<unsigned>(length));
  if (begin == MY_UNSURE) return false;
  r.d.lost = begin == 0;
  if (r.d.lost) return true;
  const bool front = begin == MY_LOGIN || begin == MY_COMMAND;
  r.c.front = static_cast<std::uint8_t>((front ? r.direction : !r.direction) + 1);
  r.c.begun = begin == MY_GREETING || begin == MY_LOGIN;
  r.c.paired = r.c.begun;
  r.c.logged_in = !r.c.begun;
  Direction& other = r.c.directions[r.direction == PROBE_SENT ? PROBE_RECEIVED : PROBE_SENT];
  if (other.started) other.lost = true;  // its bytes until now were passed over
  return true;
}

/// Whether the record begins with a command, or with the answer to the one that waits. If not, it may have held the
/// answer to anything.
bool Stitcher::FindPlace(Reading& r, std::string_view view) {
  if (r.c.front == 0) return false;
  const Operation* first = r.c.first;
  if (IsFront(r)) {
    r.d.lost = !LooksLikeCommand(view, r.segment.total);
    r.c.more = false;
    if (r.d.lost) Unpair(r.stream, r.c);
    return !r.d.lost;
  }
  const bool answers = first != nullptr && first->place == Place::kFirst && view.size() > kHeader && Data(view)[3] == 1;
  if (!answers) Unpair(r.stream, r.c);
  if (!answers) r.c.waits = false;
  r.d.lost = !answers;
  r.c.back_more = false;
  return answers;
}

std::size_t Stitcher::Needed(const Reading& r, std::string_view view, std::size_t size) {
  if (!IsFront(r)) return std::min(size, kMostAnswer);
  if (Data(view)[3] != 0) return r.c.logged_in ? 0 : std::min(size, kMostLogin);
  if (size == 0 || view.size() == kHeader) return std::min<std::size_t>(size, 1);
  const unsigned command = Data(view)[kHeader];
  if (command == MY_CHANGE_USER) return 1;
  const Config& config = *configs_.Find(r.segment.generation);
  if (command == MY_STMT_EXECUTE) return std::min<std::size_t>(size, kMostSmall + ParameterBytes(config));
  if (command == MY_STMT_BULK_EXECUTE) return std::min<std::size_t>(size, kMostSmall + config.capture_bytes);
  if (command != MY_QUERY && command != MY_STMT_PREPARE && command != MY_INIT_DB) return std::min(size, kMostSmall);
  return std::min<std::size_t>(size, MY_TEXT_AHEAD - kHeader + config.capture_bytes);
}

/// What of `view` one packet took; 0: it is not all there.
std::size_t Stitcher::ReadOne(Reading& r, std::string_view view, const Arrival& start) {
  if (view.size() < kHeader) return 0;
  const std::size_t size = my_u24(Data(view));
  if (view.size() < kHeader + Needed(r, view, size)) return 0;
  const std::size_t there = std::min(view.size(), kHeader + size);
  r.d.skip = kHeader + size - there;
  r.c.spoke = true;
  Handle(r, {Data(view)[3], view.substr(kHeader, there - kHeader), size}, start);
  return there;
}

void Stitcher::Handle(Reading& r, const Packet& packet, const Arrival& arrival) {
  bool& more = IsFront(r) ? r.c.more : r.c.back_more;
  const bool goes_on = more;
  more = packet.size == MY_LONGEST;
  if (goes_on) return;
  if (IsFront(r))
    OnFront(r, packet, arrival);
  else
    OnBack(r, packet);
}

/// Says what became of the record, and gives a stream up that never showed a packet.
void Stitcher::Settle(Reading& r) {
  if (r.failed)
    r.stream.Count(PROBE_UNDECODABLE_MALFORMED);
  else if (!r.used && r.skipped)
    r.stream.Count(PROBE_IGNORED_BODY);
  else if (!r.used)
    r.stream.Count(PROBE_UNDECODABLE_GAP);
  if (r.c.spoke || r.used || r.c.given_away) return;
  if (++r.c.undecodable == kUndecodableBeforeGivingUp) GiveAway(r);
}

/// What follows is not read here: another protocol, or compressed.
void Stitcher::GiveAway(Reading& r) {
  r.c.given_away = true;
  r.stream.NotMine();
}

/// Numbers of statements are not used twice, so those that are known stay. The last one prepared has none: it may be
/// another one by now.
void Stitcher::LoseBoundary(Reading& r) {
  if (IsFront(r)) {
    ++r.c.epoch;
    Release(r.stream, &r.c.prepared);
  }
  r.d.lost = true;
  r.d.skip = 0;
  r.d.buffer.Clear();
  Unpair(r.stream, r.c);
  r.c.login_cut = false;
  if (!r.c.logged_in && r.c.front != 0) r.c.logged_in = true;
}

void Stitcher::Keep(Reading& r, std::string_view rest, const Arrival& start) {
  if (rest.empty()) return r.d.buffer.Clear();
  if (!r.d.buffer.Keep(r.stream, rest, start.offset)) return LoseBoundary(r);
  r.d.start = start;
  r.used = true;
}

void Stitcher::OnClose(sdk::Stream stream, Connection& connection, std::uint32_t reason, std::uint64_t ktime_ns) {
  for (const Direction& d : connection.directions) {
    if (d.missing) Unpair(stream, connection);
  }
  while (connection.first != nullptr) EndAtClose(stream, connection, reason, ktime_ns);
  connection.statements.Clear(stream);
  Release(stream, &connection.prepared);
  for (Direction& d : connection.directions) d.buffer.Release(stream);
}

}  // namespace probed::mod::sql::my
