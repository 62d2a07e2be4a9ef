// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "modules/sql/decode/decoder.h"

#include <algorithm>

namespace probed::mod::sql {
namespace {

constexpr std::uint8_t kUndecodableBeforeGivingUp = 8;

enum class Verdict : std::uint8_t { kPostgres, kMysql, kMore, kNeither };

Verdict VerdictOf(const FirstBytes& first) {
  const unsigned length = first.size;
  const int pg = pg_recognise(first.bytes.data(), length);
  const int my = my_recognise(first.bytes.data(), length);
  if (pg == PG_YES) return Verdict::kPostgres;
  if (my == PG_YES) return Verdict::kMysql;
  const bool more = (pg == PG_MORE || my == PG_MORE) && length < PG_HEAD_BYTES;
  return more ? Verdict::kMore : Verdict::kNeither;
}

/// How much of the record was put behind the kept bytes.
std::size_t Append(FirstBytes& first, const probe_segment_t& segment) {
  const std::size_t taken = std::min<std::size_t>(segment.captured, first.bytes.size() - first.size);
  std::copy_n(segment.bytes, taken, first.bytes.begin() + first.size);
  first.size = static_cast<std::uint8_t>(first.size + taken);
  return taken;
}

/// Whether the record goes on where the kept bytes end: it has room, or what has room decides.
bool Appends(const FirstBytes& first, const probe_segment_t& segment) {
  if (first.size == 0 || first.segment.offset + first.size != segment.offset) return false;
  FirstBytes both = first;
  if (Append(both, segment) == segment.captured) return true;
  const Verdict verdict = VerdictOf(both);
  return verdict == Verdict::kPostgres || verdict == Verdict::kMysql;
}

}  // namespace

void Decoder::OnSegment(sdk::Stream stream, StreamState& state, const probe_segment_t& segment) {
  if (auto* pg = std::get_if<pg::Connection>(&state)) return pg_.OnSegment(stream, *pg, segment);
  if (auto* my = std::get_if<my::Connection>(&state)) return my_.OnSegment(stream, *my, segment);
  Choose(stream, state, segment);
}

/// The record at hand goes to the chosen one as it is; those before it as one, made of the bytes kept.
void Decoder::Choose(sdk::Stream stream, StreamState& state, const probe_segment_t& segment) {
  auto& undecided = std::get<Undecided>(state);
  if (undecided.given_away) return stream.Count(PROBE_IGNORED_AFTER_UPGRADE);
  FirstBytes& first = undecided.first[segment.direction == PROBE_SENT ? PROBE_SENT : PROBE_RECEIVED];
  if (!Appends(first, segment)) {
    first.size = 0;
    first.segment = segment;
  }
  const FirstBytes before = first;
  const std::size_t taken = Append(first, segment);
  switch (VerdictOf(first)) {
    case Verdict::kPostgres: state.emplace<pg::Connection>(); break;
    case Verdict::kMysql: state.emplace<my::Connection>(); break;
    case Verdict::kMore:
      if (taken == segment.captured && segment.total == segment.captured) return;
      [[fallthrough]];
    case Verdict::kNeither:
      first.size = 0;
      stream.Count(PROBE_UNDECODABLE_GAP);
      if (++undecided.undecodable < kUndecodableBeforeGivingUp) return;
      undecided.given_away = true;
      return stream.NotMine();
  }
  ResumeFrom(stream, state, before);
  OnSegment(stream, state, segment);
}

void Decoder::ResumeFrom(sdk::Stream stream, StreamState& state, const FirstBytes& first) {
  if (first.size == 0) return;
  probe_segment_t before = first.segment;
  before.bytes = first.bytes.data();
  before.captured = before.total = first.size;
  before.hint = 0;
  OnSegment(stream, state, before);
}

void Decoder::OnGap(sdk::Stream stream, StreamState& state, std::uint8_t direction, std::uint64_t offset,
                    std::uint64_t length) {
  if (auto* pg = std::get_if<pg::Connection>(&state)) pg_.OnGap(stream, *pg, direction, offset, length);
  if (auto* my = std::get_if<my::Connection>(&state)) my_.OnGap(stream, *my, direction, offset, length);
}

void Decoder::OnClose(sdk::Stream stream, StreamState& state, std::uint32_t reason, std::uint64_t ktime_ns) {
  if (auto* pg = std::get_if<pg::Connection>(&state)) pg_.OnClose(stream, *pg, reason, ktime_ns);
  if (auto* my = std::get_if<my::Connection>(&state)) my_.OnClose(stream, *my, reason, ktime_ns);
}

std::uint32_t Decoder::OldestGeneration() const { return std::min(pg_.OldestGeneration(), my_.OldestGeneration()); }

}  // namespace probed::mod::sql
