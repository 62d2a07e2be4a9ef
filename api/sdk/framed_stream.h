// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// For protocols whose messages have their size in front and no other mark of where one begins: finds the messages in
// both directions of a stream, joins those that are split over records, and goes on where bytes are missing:
//
//  * Of a message whose end is missing what stands before is handed on when its end is reached, which is known all the
//    same, if the time of that is known: with bytes that were not shipped, not with those that were lost.
//  * Of a message with a hole in the middle likewise: what stands before the hole, or, if its owner reads behind holes,
//    what stands around it too, as long as there is room for both.
//  * Any other hole loses the boundary: one over a message's end, one of lost bytes up to it, and one where no message
//    is under way or its size is not known yet. The owner then searches for the next message, as on a connection that
//    is older than the daemon.
//
//   class Stitcher : public FramedReader<Stitcher, Connection> {
//     friend FramedReader;
//     static constexpr std::size_t kPrefix;      bytes that the size takes
//     static constexpr std::size_t kLongest;     a message in the making and the longest record
//     static std::uint64_t SizeOf(std::string_view view);            of the message that begins there, with the prefix
//     static bool BeginsWithMessage(Stream stream, std::uint64_t offset);  the first bytes that are seen of a direction
//     std::size_t Search(Reading& r, std::string_view view);         where a message begins or may yet be seen to, and
//                                                                    d.searching is false or true; the size: nowhere
//     probe_reason OnFramed(Reading& r, std::string_view bytes, const Arrival& arrival, bool cut);   behind the prefix
//     void OnLost(Reading& r);                                       unknown messages went by in r.direction
//     void OnSettled(Reading& r);                                    a record was counted
//   };
//
// An owner whose messages are worth reading behind a hole too has in addition
//
//     static constexpr bool kReadsBehindHoles = true;     and OnFramed has std::span<const Hole> as its last argument
//     static bool IsPacked(const probe_segment_t& segment);     the record's bytes are pieces of what it stands for
//     static void Unpack(const probe_segment_t& segment, Take&& take);     take(bytes left out before, bytes) for each
//                                                                          piece, until it returns false
//
// Connection has `std::array<FramedDirection, 2> directions`, by enum probe_direction. One reader per shard. [shard]
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <string_view>

#include "api/sdk/generations.h"
#include "api/sdk/host.h"
#include "api/sdk/stream_buffer.h"

namespace probed::sdk {

/// The way of a message here: the records with its first and its last byte. Or the datagram.
struct Arrival {
  std::uint64_t begin_ns = 0;
  std::uint64_t end_ns = 0;
  std::uint64_t cookie = 0;
  std::uint64_t offset = 0;  // of its first byte in a stream
  std::uint64_t end_offset = 0;
  std::uint32_t generation = 0;
  std::uint32_t wire_sequence = 0;
  std::uint8_t layer = PROBE_LAYER_RAW;
  std::uint8_t direction = PROBE_RECEIVED;
  probe_cause_t cause{};
};

/// What begins with a request that arrived so.
inline probe_exchange_t ExchangeOf(probe_span_kind kind, const Arrival& request) {
  probe_exchange_t exchange{};
  exchange.struct_size = sizeof(exchange);
  exchange.kind = kind;
  exchange.start_ns = request.begin_ns;
  exchange.cookie = request.cookie;
  exchange.offset = request.offset;
  exchange.end_offset = request.end_offset;
  exchange.wire_sequence = request.wire_sequence;
  exchange.layer = request.layer;
  exchange.cause = request.cause;
  return exchange;
}

/// `length` bytes are missing in front of position `at` of a message's bytes.
struct Hole {
  std::uint32_t at = 0;
  std::uint32_t length = 0;
};

/// Those of the message in the buffer. Plain data, in the stream's memory.
class HoleList {
 public:
  static constexpr std::size_t kMost = 8192;

  std::uint64_t missing() const { return missing_; }
  std::span<const Hole> view() const {
    return {reinterpret_cast<const Hole*>(bytes_.view().data()), bytes_.size() / sizeof(Hole)};
  }
  /// Holes come in their order. False: no memory, or too many.
  bool Add(Stream stream, const Hole& hole) {
    const std::string_view entry(reinterpret_cast<const char*>(&hole), sizeof(hole));
    if (bytes_.size() >= kMost * sizeof(Hole)) return false;
    const bool kept = bytes_.empty() ? bytes_.Keep(stream, entry, 0)
                                     : !bytes_.Join(stream, entry, (kMost + 1) * sizeof(Hole)).empty();
    if (kept) missing_ += hole.length;
    return kept;
  }
  void Clear() {
    bytes_.Clear();
    missing_ = 0;
  }
  void Release(Stream stream) {
    bytes_.Release(stream);
    missing_ = 0;
  }

 private:
  StreamBuffer bytes_;
  std::uint64_t missing_ = 0;
};

/// How far a direction was followed. Plain data: zeroed memory is one of which nothing was seen.
struct FramedDirection {
  StreamBuffer buffer;     // an unfinished message, from its size on
  Arrival start;           // its first byte. Meaningless when the buffer is empty
  std::uint64_t expected;  // offset of the next byte
  std::uint64_t cut_end;   // not 0: the rest of the message in the buffer is missing; it ends here
  HoleList holes;          // in the message in the buffer
  bool started;            // `expected` is set
  bool searching;          // no boundary is known
};

template <class Owner, class State>
class FramedReader {
 public:
  void OnSegment(Stream stream, State& state, const probe_segment_t& segment) {
    Reading r = Begin(stream, state, segment.direction, segment.offset, &segment);
    if (segment.offset > r.d.expected) SkipHole(r, segment.offset, false);
    if (IsPacked(segment))
      TakePieces(r, segment);
    else
      TakeBytes(r, segment.offset, {reinterpret_cast<const char*>(segment.bytes), segment.captured});
    SkipHole(r, segment.offset + segment.total, true);
    Settle(r);
  }

  void OnGap(Stream stream, State& state, std::uint8_t direction, std::uint64_t offset, std::uint64_t length) {
    Reading r = Begin(stream, state, direction, offset, nullptr);
    SkipHole(r, offset + length, false);
  }

  std::uint32_t OldestGeneration() const { return pins_.Oldest(); }

 protected:
  static constexpr probe_reason kUsed = PROBE_REASON_COUNT;  // something came of it

  /// A record, or a hole, while it is worked on.
  struct Reading {
    Stream stream;
    State& state;
    FramedDirection& d;
    std::uint8_t direction;
    const probe_segment_t* segment;  // nullptr: a hole
    bool used = false;
    bool kept = false;                       // it ends in a message that goes on
    probe_reason failure = kUsed;            // what went wrong in it
    probe_reason idle = PROBE_IGNORED_BODY;  // what the record is when nothing of it was used
  };

  /// Gives back what is kept of messages that nobody finishes.
  void Release(Stream stream, State& state) {
    for (FramedDirection& d : state.directions) {
      if (!d.buffer.empty()) pins_.Unpin(d.start.generation);
      d.buffer.Release(stream);
      d.holes.Release(stream);
    }
  }

  Pins pins_;

 private:
  friend Owner;
  FramedReader() = default;

  Owner& owner() { return static_cast<Owner&>(*this); }

  static constexpr bool ReadsBehindHoles() {
    if constexpr (requires { Owner::kReadsBehindHoles; })
      return Owner::kReadsBehindHoles;
    else
      return false;
  }
  static bool IsPacked(const probe_segment_t& segment) {
    if constexpr (ReadsBehindHoles())
      return Owner::IsPacked(segment);
    else
      return false;
  }

  static Reading Begin(Stream stream, State& state, std::uint8_t direction, std::uint64_t offset,
                       const probe_segment_t* segment) {
    const std::uint8_t way = direction == PROBE_SENT ? PROBE_SENT : PROBE_RECEIVED;
    FramedDirection& d = state.directions[way];
    if (!d.started) {
      d.started = true;
      d.expected = offset;
      d.searching = !Owner::BeginsWithMessage(stream, offset);
    }
    return {stream, state, d, way, segment};
  }

  static Arrival ArrivalAt(const Reading& r, std::uint64_t offset) {
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

  /// Says what became of the record.
  void Settle(Reading& r) {
    if (r.failure != kUsed)
      r.stream.Count(r.failure);
    else if (!r.used && !r.kept)
      r.stream.Count(r.idle);
    owner().OnSettled(r);
  }

  /// Bytes at `offset`, of which some may have been there before.
  void TakeBytes(Reading& r, std::uint64_t offset, std::string_view bytes) {
    const std::uint64_t known = std::min<std::uint64_t>(r.d.expected - offset, bytes.size());
    bytes.remove_prefix(static_cast<std::size_t>(known));
    r.d.expected += bytes.size();
    Consume(r, bytes);
  }

  /// Pieces that lead out of what the record stands for are none.
  void TakePieces(Reading& r, const probe_segment_t& segment) {
    if constexpr (ReadsBehindHoles()) {
      const std::uint64_t end = segment.offset + segment.total;
      std::uint64_t at = segment.offset;
      Owner::Unpack(segment, [&](std::uint32_t left_out, std::string_view bytes) {
        if (left_out > end - at || bytes.size() > end - at - left_out) return false;
        at += left_out;
        SkipHole(r, at, true);
        TakeBytes(r, at, bytes);
        at += bytes.size();
        return true;
      });
    }
  }

  /// `bytes` end at r.d.expected.
  void Consume(Reading& r, std::string_view bytes) {
    FramedDirection& d = r.d;
    if (d.holes.missing() != 0 && d.buffer.size() + bytes.size() > Owner::kLongest)  // it has too many pieces
      d.cut_end = d.buffer.offset() + Owner::SizeOf(d.buffer.view());
    if (d.cut_end != 0) {
      const std::uint64_t at = d.expected - bytes.size();
      bytes.remove_prefix(static_cast<std::size_t>(std::min<std::uint64_t>(d.cut_end - at, bytes.size())));
      if (d.cut_end > d.expected) return;
      FinishCut(r);
    }
    if (bytes.empty()) return;
    const std::uint64_t kept = d.buffer.size();
    const std::string_view view = d.buffer.Join(r.stream, bytes, Owner::kLongest);
    if (view.size() == kept + bytes.size()) return ReadMessages(r, view, kept);
    if (kept != 0) pins_.Unpin(d.start.generation);  // no memory: what was kept is gone
    d.buffer.Clear();
    d.holes.Clear();
    Fail(r);
  }

  /// The first `kept` bytes of the view were there before this record.
  void ReadMessages(Reading& r, std::string_view view, std::uint64_t kept) {
    FramedDirection& d = r.d;
    const Arrival first = d.start;
    const std::uint64_t base = d.expected - view.size();
    if (kept != 0) pins_.Unpin(first.generation);
    std::size_t at = 0;
    while (at < view.size()) {
      if (d.searching) at += owner().Search(r, view.substr(at));
      const std::string_view rest = view.substr(at);
      if (rest.size() < Owner::kPrefix || rest.size() + d.holes.missing() < Owner::SizeOf(rest)) break;
      const auto size = static_cast<std::size_t>(Owner::SizeOf(rest) - d.holes.missing());
      TakeMessage(r, rest.substr(0, size), at < kept ? first : ArrivalAt(r, base + at));
      d.holes.Clear();
      at += size;
    }
    Keep(r, view.substr(at), at < kept ? first : ArrivalAt(r, base + at));
  }

  probe_reason Hand(Reading& r, std::string_view bytes, const Arrival& arrival, bool cut) {
    if constexpr (ReadsBehindHoles())
      return owner().OnFramed(r, bytes.substr(Owner::kPrefix), arrival, cut, r.d.holes.view());
    else
      return owner().OnFramed(r, bytes.substr(Owner::kPrefix), arrival, cut);
  }

  /// A whole message with its size and the holes in it, or the beginning of a cut one.
  void TakeMessage(Reading& r, std::string_view bytes, Arrival arrival) {
    const bool cut = bytes.size() + r.d.holes.missing() < Owner::SizeOf(bytes);
    arrival.end_ns = r.segment->ktime_ns;
    arrival.end_offset = arrival.offset + Owner::SizeOf(bytes);
    const probe_reason reason = Hand(r, bytes, arrival, cut);
    if (reason == PROBE_UNDECODABLE_MALFORMED || reason == PROBE_UNDECODABLE_GAP) {
      r.failure = cut ? PROBE_UNDECODABLE_GAP : reason;
      return LoseBoundary(r);
    }
    if (reason == kUsed)
      r.used = true;
    else
      r.idle = reason;
  }

  /// The end of a message whose rest is missing was reached.
  void FinishCut(Reading& r) {
    FramedDirection& d = r.d;
    d.cut_end = 0;
    r.kept = false;
    pins_.Unpin(d.start.generation);
    TakeMessage(r, d.buffer.view(), d.start);
    d.buffer.Clear();
    d.holes.Clear();
  }

  /// Whether what comes behind `length` missing bytes of the message in the buffer is read too.
  static bool KeepHole(Reading& r, std::uint64_t length) {
    if constexpr (ReadsBehindHoles()) {
      const Hole hole{static_cast<std::uint32_t>(r.d.buffer.size() - Owner::kPrefix),
                      static_cast<std::uint32_t>(length)};
      return r.d.cut_end == 0 && hole.length == length && r.d.holes.Add(r.stream, hole);
    } else {
      return false;
    }
  }

  /// Bytes from r.d.expected on are missing. Only of those that this record left out is the time known: a message that
  /// ends with others is lost as well.
  void SkipHole(Reading& r, std::uint64_t to, bool timed) {
    FramedDirection& d = r.d;
    if (to <= d.expected) return;
    const std::uint64_t length = to - d.expected;
    d.expected = to;
    std::uint64_t end = d.cut_end;
    if (end == 0 && !d.searching && d.buffer.size() >= Owner::kPrefix)
      end = d.buffer.offset() + Owner::SizeOf(d.buffer.view());
    if (end > to) {
      if (!KeepHole(r, length)) d.cut_end = end;
    } else if (end == to && timed) {
      d.cut_end = end;
      FinishCut(r);
    } else {
      Drop(r);
      LoseBoundary(r);
    }
  }

  void LoseBoundary(Reading& r) {
    r.d.searching = true;
    owner().OnLost(r);
  }

  /// No memory.
  void Fail(Reading& r) {
    r.failure = PROBE_UNDECODABLE_GAP;
    LoseBoundary(r);
  }

  void Drop(Reading& r) {
    if (!r.d.buffer.empty()) pins_.Unpin(r.d.start.generation);
    r.d.buffer.Clear();
    r.d.holes.Clear();
    r.d.cut_end = 0;
  }

  void Keep(Reading& r, std::string_view rest, const Arrival& start) {
    if (rest.empty()) return r.d.buffer.Clear();
    if (!r.d.buffer.Keep(r.stream, rest, start.offset)) {
      r.d.holes.Clear();
      return Fail(r);
    }
    r.d.start = start;
    r.kept |= !r.d.searching;
    pins_.Pin(start.generation);
  }
};

}  // namespace probed::sdk
