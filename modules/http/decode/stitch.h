// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Segments to exchanges: finds the heads in both directions of a connection, follows the bodies, joins each response
// with its request, and ends every exchange as a span or with a reason. The rules where bytes are missing:
//
//  * A hole inside a body of known length is nothing special. One that crosses a boundary gives up the exchanges whose
//    order it makes uncertain (PROBE_ABORTED_GAP) and the direction searches for the next plausible head.
//  * A chunked body of which sizes were not shipped is found again by a record that begins with a chunk size; else it
//    ends with a record marked kHintMessageEnd, or where the next head begins.
//  * Who sends requests decides the role, at any moment of a connection's life.
//
// One Stitcher per shard. [shard] No locks, no I/O; memory is the stream's.
#pragma once

#include <cstdint>
#include <string_view>

#include "api/sdk/generations.h"
#include "api/sdk/host.h"
#include "api/sdk/open_streams.h"
#include "modules/http/config.h"
#include "modules/http/decode/connection.h"
#include "modules/http/decode/emit.h"
#include "modules/http/decode/parse.h"

namespace probed::mod::http {

class Stitcher {
 public:
  static constexpr std::uint32_t kMaxOpen = 1024;        // exchanges of one connection
  static constexpr std::uint64_t kIdleNs = 200'000'000;  // silence after which a drained connection is trusted again
  static constexpr std::uint32_t kUndecodableBeforeGivingUp = 4;  // records, on a stream that never showed a head

  Stitcher(const Keys& keys, const sdk::Generations<Config>& configs) : configs_(configs), emitter_(keys) {}

  void OnOpen(sdk::Stream stream, Connection& connection, const probe_open_t& open);
  void OnSegment(sdk::Stream stream, Connection& connection, const probe_segment_t& segment) {
    Enter(stream, connection);
    segment_ = &segment;
    connection.layer = segment.layer;
    if (connection.upgraded) return AfterUpgrade();
    Direction& d = connection.directions[segment.direction == PROBE_RECEIVED ? PROBE_RECEIVED : PROBE_SENT];
    if (!TakeRepeated(d, segment)) TakeAny(d, segment);
  }
  void OnGap(sdk::Stream stream, Connection& connection, std::uint8_t direction, std::uint64_t offset,
             std::uint64_t length);
  /// Ends what is open and gives all memory back; the connection is not used again.
  void OnClose(sdk::Stream stream, Connection& connection, std::uint32_t reason, std::uint64_t ktime_ns);
  /// Ends what is open on all connections.
  template <class Wrap>
  void Flush(Wrap wrap) {
    connections_.ForEach([&](Connection& c) {
      Enter(wrap(c.stream), c);
      AbortAll(PROBE_ABORTED_UNLOAD);
      c.tombstones = 0;
      if (c.role != Role::kUnknown) Drain();  // what still comes belongs to nobody
    });
  }
  std::uint32_t OldestGeneration() const { return pins_.Oldest(); }

 private:
  void Enter(sdk::Stream stream, Connection& connection) {
    stream_ = stream;
    c_ = &connection;
    segment_ = nullptr;
    used_ = false;
    idle_reason_ = PROBE_IGNORED_BODY;
    failure_ = PROBE_REASON_COUNT;
    connections_.Enter(connection, stream.raw());
  }
  void Leave();
  void Settle();
  void AfterUpgrade();

  void TakeAny(Direction& d, const probe_segment_t& segment);

  // Messages like the last ones.
  bool TakeRepeated(Direction& d, const probe_segment_t& segment);
  inline bool TakeRepeatedRequest(Direction& d, const probe_segment_t& segment);
  inline bool TakeRepeatedResponse(Direction& d, const probe_segment_t& segment);

  // Heads.
  void Consume(Direction& d, std::string_view bytes);
  inline std::string_view ReadHead(Direction& d, std::string_view bytes);
  std::string_view SearchHead(Direction& d, std::string_view bytes);
  inline sdk::ParseState TryHead(Direction& d, std::string_view block, const HeadStart& start, bool cut);
  inline sdk::ParseState ReadRequest(Direction& d, std::string_view block, const HeadStart& start, bool cut);
  inline sdk::ParseState ReadResponse(std::string_view block, bool cut);
  sdk::ParseState TryRequest(Direction& d, std::string_view block, const HeadStart& start, bool cut);
  sdk::ParseState TryResponse(Direction& d, std::string_view block, const HeadStart& start, bool cut);
  bool MustWait(const Direction& d, std::string_view bytes, std::size_t kept) const;
  void KeepHead(Direction& d, std::string_view rest, const HeadStart& start);
  void DropHead(Direction& d);
  void CutHead(Direction& d);
  HeadStart StartAt(std::uint64_t offset) const {
    const auto ahead = static_cast<std::uint32_t>(offset - segment_->offset);
    return {
        .ktime_ns = segment_->ktime_ns,
        .cookie = segment_->cookie,
        .offset = offset,
        .generation = segment_->generation,
        .wire_sequence = segment_->wire_sequence == 0 ? 0 : segment_->wire_sequence + ahead,
        .cause = segment_->cause,
    };
  }
  void Undecodable(Direction& d);

  // Bodies, and bytes that were not shipped.
  std::string_view ReadChunks(Direction& d, std::string_view bytes);
  void Advance(Direction& d, std::uint64_t count);
  void AdvanceLength(Direction& d, std::uint64_t count) {
    d.remaining -= count;
    d.body_bytes += count;
    if (d.remaining == 0) EndMessage(d);
  }
  void SkipHole(Direction& d, std::uint64_t offset, std::uint64_t length);
  void LoseChunks(Direction& d);
  bool MayBeLostChunk(const Direction& d) const;
  bool FindChunks(Direction& d, std::string_view bytes);
  void LoseBoundary(Direction& d);
  void LoseHead(Direction& d);
  void Drain();
  bool MarksMessageEnd() const;

  // Messages.
  void OnRequest(Direction& d, std::string_view head, const HeadStart& start, bool cut);
  void OnResponse(Direction& d, std::string_view head, const HeadStart& start, bool cut);
  Exchange* Begin(const HeadStart& start, std::string_view head, bool cut);
  Exchange* OwnerOfResponse(const HeadStart& start);
  void NoteResponse(Exchange& owner, std::string_view head, bool cut);
  void KeepCaptured(Exchange& owner, std::string_view head);
  static void BeginMessage(Direction& d, Exchange* owner, bool untrusted) {
    d.message_open = true;
    d.torn = d.lost_chunks = false;
    d.untrusted = untrusted;
    d.current = owner;
    d.body_bytes = 0;
    d.remaining = 0;
  }
  /// How long the body of this request is nobody knows.
  static void Blind(Direction& d) {
    d.mode = Mode::kSearch;
    d.blind = true;
    d.message_open = d.untrusted = false;
    d.current = nullptr;
  }
  void FrameRequest(Direction& d);
  void FrameResponse(Direction& d, const Exchange* owner);
  void FrameLength(Direction& d, std::uint64_t length) {
    d.mode = Mode::kLength;
    d.remaining = length;
    if (length == 0) EndMessage(d);
  }
  void EndMessage(Direction& d);
  void CountLost(const HeadStart& start, probe_reason reason);

  // Exchanges.
  void FinishFront(std::uint64_t end_ns, std::string_view failure);
  void DropFront(probe_reason reason);
  void ForgetFront();
  void AbortAll(probe_reason reason);
  void EvictIfFull();
  void NoteCutResponse(Direction& d);

  Direction& RequestDirection() const {
    return c_->directions[c_->role == Role::kServer ? PROBE_RECEIVED : PROBE_SENT];
  }
  Direction& ResponseDirection() const {
    return c_->directions[c_->role == Role::kServer ? PROBE_SENT : PROBE_RECEIVED];
  }
  /// The side that sends requests is the client. A role guessed from one direction alone may turn out wrong.
  void SetRole(const Direction& d, bool sends_request) {
    const bool received = &d == &c_->directions[PROBE_RECEIVED];
    const Role role = received == sends_request ? Role::kServer : Role::kClient;
    if (c_->role == role) return;
    if (c_->role != Role::kUnknown) AbortAll(PROBE_ABORTED_UNMATCHED);
    c_->role = role;
    for (Direction& either : c_->directions) either.blind = false;
    ForgetConstant();
  }
  /// The attributes that the spans of this connection had in common are no longer theirs.
  void ForgetConstant() {
    if (c_->request_memo != nullptr) c_->request_memo->constant.set = 0;
  }
  sdk::LastGeneration<Config> configs_;
  sdk::Pins pins_;
  Emitter emitter_;
  sdk::OpenStreams<Connection> connections_;

  // The call under way.
  sdk::Stream stream_{nullptr, nullptr};
  Connection* c_ = nullptr;
  const probe_segment_t* segment_ = nullptr;
  bool used_ = false;
  bool used_request_ = false;                      // which of request_ and response_ TryHead filled
  probe_reason idle_reason_ = PROBE_IGNORED_BODY;  // what the record is when nothing of it was used
  probe_reason failure_ = PROBE_REASON_COUNT;      // what went wrong in it; PROBE_REASON_COUNT: nothing
  RequestMemo* remembered_ = nullptr;              // request_ is what it says
  probe_trace_context_t remote_{};                 // then: of a request_ with a traceparent
  RequestHead request_;
  ResponseHead response_;
  CapturedHeaders captured_;
};

}  // namespace probed::mod::http
