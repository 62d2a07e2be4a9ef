// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Bytes to messages.
#include "modules/sql/decode/pg_stitch.h"

#include <algorithm>
#include <array>

#include "modules/sql/bpf/pg_walk.h"

namespace probed::mod::sql::pg {
namespace {

constexpr std::size_t kLimit = std::size_t{64} << 10U;  // the looked-at part of a message and the longest record
constexpr std::size_t kMostMessage = std::size_t{1} << 30U;
constexpr std::size_t kMostStartup = 2048;  // of its parameters that is looked at
constexpr std::uint8_t kUndecodableBeforeGivingUp = 8;

const unsigned char* Data(std::string_view view) { return reinterpret_cast<const unsigned char*>(view.data()); }

void BeginDirection(const Connection& c, Direction& d, std::uint64_t offset) {
  if (d.started) return;
  d.started = true;
  d.expected = offset;
  d.lost = !c.begun && c.front != 0;
}

/// A parameter of its own comes after those of `options`.
void TakeStartup(Connection& c, std::string_view parameters) {
  c.database.Set(StartupParameter(parameters, "database"));
  std::string_view path;
  if (!PathOfOptions(StartupParameter(parameters, "options"), &path)) path = {};
  if (const std::string_view own = StartupParameter(parameters, "search_path"); !own.empty()) path = own;
  c.path.Start(FirstSchema(path));
}

/// The stream goes on in another protocol.
void GiveAway(sdk::Stream stream, Connection& c, std::uint64_t offset, bool tls) {
  c.given_away = true;
  if (!tls || stream.HandOver(offset, "tls") != PROBE_OK) stream.NotMine();
}

}  // namespace

void Stitcher::OnSegment(sdk::Stream stream, Connection& connection, const probe_segment_t& segment) {
  if (connection.given_away) return stream.Count(PROBE_IGNORED_AFTER_UPGRADE);
  const std::uint8_t direction = segment.direction == PROBE_SENT ? PROBE_SENT : PROBE_RECEIVED;
  Direction& d = connection.directions[direction];
  BeginDirection(connection, d, segment.offset);
  Reading r{stream, connection, d, direction, segment};
  d.missing = false;
  if (segment.offset > d.expected) PassOrLose(r);
  const std::uint64_t known = std::min<std::uint64_t>(d.expected - segment.offset, segment.captured);
  std::string_view bytes(reinterpret_cast<const char*>(segment.bytes), segment.captured);
  bytes.remove_prefix(static_cast<std::size_t>(known));
  d.expected += bytes.size();
  Consume(r, bytes);
  SkipHole(stream, connection, d, segment.offset + segment.total);
  Settle(r);
}

void Stitcher::OnGap(sdk::Stream, Connection& connection, std::uint8_t direction, std::uint64_t offset,
                     std::uint64_t length) {
  Direction& d = connection.directions[direction == PROBE_SENT ? PROBE_SENT : PROBE_RECEIVED];
  if (connection.given_away) return;
  BeginDirection(connection, d, offset);
  d.missing = offset + length > d.expected + d.skip;  // the next record says what was in it
}

/// Bytes in front of the record are missing: rows that the kernel left out, or others.
void Stitcher::PassOrLose(Reading& r) {
  Direction& d = r.d;
  if ((r.segment.hint & PG_HINT_PASSED) == 0 || d.lost || d.skip != 0 || !d.buffer.empty())
    return SkipHole(r.stream, r.c, d, r.segment.offset);
  d.expected = r.segment.offset;
  if (r.c.front != 0 && SideOf(r) == Side::kBack && r.c.first != nullptr) r.c.first->passed = true;
}

/// Says what became of the record, and gives a stream up that never showed a message.
void Stitcher::Settle(Reading& r) {
  if (r.failed)
    r.stream.Count(PROBE_UNDECODABLE_MALFORMED);
  else if (!r.used && r.skipped)
    r.stream.Count(PROBE_IGNORED_BODY);
  else if (!r.used)
    r.stream.Count(PROBE_UNDECODABLE_GAP);
  if (r.c.spoke || r.used || r.c.given_away) return;
  if (++r.c.undecodable != kUndecodableBeforeGivingUp) return;
  GiveAway(r.stream, r.c, r.d.expected, false);
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
  if (view.size() == kept + bytes.size()) return ReadMessages(r, view, kept);
  LoseBoundary(r.stream, r.c, d);  // no memory: what was kept is gone
}

/// The first `kept` bytes of the view were there before this record.
void Stitcher::ReadMessages(Reading& r, std::string_view view, std::uint64_t kept) {
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

/// By the first bytes of either direction. What says nothing is passed over.
bool Stitcher::LearnSides(Reading& r, std::string_view view) {
  std::array<unsigned char, PG_HEAD_BYTES> head{};
  const std::size_t length = std::min(view.size(), head.size());
  std::copy_n(Data(view), length, head.begin());
  const int verdict = pg_recognise(head.data(), static_cast<unsigned>(length));
  if (verdict == PG_MORE && view.size() < head.size()) return false;
  r.d.lost = verdict != PG_YES;
  if (r.d.lost) return true;
  const bool front = pg_recognise_startup(head.data(), static_cast<unsigned>(length)) == PG_YES ||
                     pg_recognise_front(head.data(), static_cast<unsigned>(length)) == PG_YES;
  r.c.front = static_cast<std::uint8_t>((front ? r.direction : !r.direction) + 1);
  r.c.startup = r.c.begun = r.c.paired = head[0] == 0;
  Direction& other = r.c.directions[r.direction == PROBE_SENT ? PROBE_RECEIVED : PROBE_SENT];
  if (other.started) other.lost = true;  // its bytes until now were passed over
  return true;
}

/// Whether the record begins with a message. If not, it may have held the answer to anything.
bool Stitcher::FindPlace(Reading& r, std::string_view view) {
  if (r.c.front != 0 && LooksLikeMessages(SideOf(r), view)) {
    r.d.lost = false;
    return true;
  }
  Unpair(r.stream, r.c);
  if (r.c.front == 0 || SideOf(r) == Side::kFront || !EndsReady(view)) return false;
  r.d.lost = false;  // it ends with one
  r.c.ready = r.used = true;
  return false;
}

/// What of `view` one message took; 0: it is not all there.
std::size_t Stitcher::ReadOne(Reading& r, std::string_view view, const Arrival& start) {
  const Side side = SideOf(r);
  if (side == Side::kBack && r.c.tls_asked) {
    if (const std::size_t taken = ReadTlsAnswer(r, view); taken != 0) return taken;
  }
  if (side == Side::kFront && r.c.startup) return ReadStartup(r, view, start);
  if (view.size() < kHeader) return 0;
  const std::size_t length = pg_u32(Data(view) + 1);
  if (!IsType(side, view[0]) || length < PG_LEAST_LENGTH || length > kMostMessage) {
    r.failed = true;
    LoseBoundary(r.stream, r.c, r.d);
    return view.size();
  }
  const std::size_t size = length + 1;
  const Config& config = *configs_.Find(r.segment.generation);
  const bool report = side == Side::kBack && view[0] == 'S';
  const std::size_t needed = report ? kHeader + ReportNeeded(view.substr(kHeader))
                                    : MostNeeded(side, view[0], config.capture_bytes, ParameterBytes(config));
  if (view.size() < std::min(size, needed)) return 0;
  const std::size_t there = std::min(view.size(), size);
  const Message message{view[0], view.substr(kHeader, there - kHeader), size - kHeader};
  r.d.skip = size - there;
  r.c.spoke = true;
  if (side == Side::kFront)
    OnFront(r, message, start);
  else
    OnBack(r, message);
  return there;
}

std::size_t Stitcher::ReadStartup(Reading& r, std::string_view view, const Arrival&) {
  if (view.size() < kStartupHeader) return 0;
  const std::size_t size = pg_u32(Data(view));
  const unsigned code = pg_u32(Data(view) + 4);
  if (size < kStartupHeader || size > PG_MOST_STARTUP) {
    r.failed = true;
    LoseBoundary(r.stream, r.c, r.d);
    return view.size();
  }
  if (view.size() < std::min(size, kMostStartup)) return 0;
  const std::size_t there = std::min(view.size(), size);
  r.d.skip = size - there;
  r.c.spoke = true;
  r.c.tls_asked = code == PG_CODE_SSL || code == PG_CODE_GSS;
  r.c.startup = r.c.tls_asked;
  if (!r.c.startup && code != PG_CODE_CANCEL) TakeStartup(r.c, view.substr(kStartupHeader, there - kStartupHeader));
  return there;
}

/// One byte. 0: it was none, but a message of a server that does not know the question.
std::size_t Stitcher::ReadTlsAnswer(Reading& r, std::string_view view) {
  r.c.tls_asked = false;
  if (view[0] == 'E') return 0;
  if ((r.segment.hint & PG_HINT_LET_GO) != 0)
    r.c.given_away = true;  // the kernel did
  else if (view[0] != 'N')
    GiveAway(r.stream, r.c, r.d.expected - view.size() + 1, view[0] == 'S');
  return 1;
}

/// Bytes up to `to` are missing.
void Stitcher::SkipHole(sdk::Stream stream, Connection& c, Direction& d, std::uint64_t to) {
  if (to <= d.expected) return;
  const std::uint64_t missing = to - d.expected;
  d.expected = to;
  if (missing <= d.skip)
    d.skip -= missing;
  else
    LoseBoundary(stream, c, d);
}

/// Of the client's messages the statements may be other ones now.
void Stitcher::LoseBoundary(sdk::Stream stream, Connection& c, Direction& d) {
  d.lost = true;
  d.skip = 0;
  d.buffer.Clear();
  Unpair(stream, c);
  c.tls_asked = false;
  if (c.front == 0 || &d != &c.directions[c.front - 1U]) return;
  c.startup = false;
  c.statements.Clear(stream);
  c.portals.Clear(stream);
}

void Stitcher::Keep(Reading& r, std::string_view rest, const Arrival& start) {
  if (rest.empty()) return r.d.buffer.Clear();
  if (!r.d.buffer.Keep(r.stream, rest, start.offset)) return LoseBoundary(r.stream, r.c, r.d);
  r.d.start = start;
  r.used = true;
}

void Stitcher::OnClose(sdk::Stream stream, Connection& connection, std::uint32_t reason, std::uint64_t ktime_ns) {
  for (const Direction& d : connection.directions) {
    if (d.missing) Unpair(stream, connection);
  }
  while (connection.first != nullptr) EndAtClose(stream, connection, reason, ktime_ns);
  connection.statements.Clear(stream);
  connection.portals.Clear(stream);
  connection.passed.Clear(stream);
  for (Direction& d : connection.directions) d.buffer.Release(stream);
}

}  // namespace probed::mod::sql::pg
