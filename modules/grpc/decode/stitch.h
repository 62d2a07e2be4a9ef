// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Records to calls: follows the frames of both directions, reads the header blocks, and ends every call as a span or
// with a reason. The rules where bytes are missing:
//
//  * A hole inside DATA is nothing special: the kernel leaves DATA out.
//  * Any other hole ends what is known of that direction: its frames are taken up again at a record that begins with
//  one,
//    and its header table is one of unknown entries (hpack.h). Open calls stay; they end as spans if their end is seen,
//    else as PROBE_ABORTED_GAP.
//  * A connection that was joined late is one with a hole before it.
//
// One Stitcher per shard. [shard] No locks, no I/O; memory is the stream's. Entry points and calls: stitch.cc; frames:
// stitch_frames.cc; blocks: stitch_blocks.cc.
#pragma once

#include <cstdint>
#include <string_view>

#include "api/sdk/generations.h"
#include "api/sdk/host.h"
#include "api/sdk/open_streams.h"
#include "modules/grpc/config.h"
#include "modules/grpc/decode/connection.h"
#include "modules/grpc/decode/emit.h"

namespace probed::mod::grpc {

class Stitcher {
 public:
  static constexpr std::uint32_t kMaxOpen = 1024;                 // calls of one connection
  static constexpr std::uint32_t kMaxBlock = 65536;               // bytes of a header block on the wire
  static constexpr std::uint32_t kMaxFrame = 1U << 20U;           // of a frame that is no DATA
  static constexpr std::uint32_t kUndecodableBeforeGivingUp = 8;  // records, on a stream that never showed a block

  Stitcher(const Keys& keys, const sdk::Generations<Config>& configs) : configs_(configs), emitter_(keys) {}

  void OnOpen(sdk::Stream stream, Connection& connection, const probe_open_t& open);
  void OnSegment(sdk::Stream stream, Connection& connection, const probe_segment_t& segment);
  /// Ends what is open and gives all memory back; the connection is not used again.
  void OnClose(sdk::Stream stream, Connection& connection, std::uint32_t reason, std::uint64_t ktime_ns);
  /// Ends what is open on all connections.
  template <class Wrap>
  void Flush(Wrap wrap) {
    connections_.ForEach([&](Connection& c) {
      Enter(wrap(c.stream), c);
      while (c.calls.oldest() != nullptr) Drop(c.calls.oldest(), PROBE_ABORTED_UNLOAD);
    });
  }
  std::uint32_t OldestGeneration() const { return pins_.Oldest(); }

 private:
  void Enter(sdk::Stream stream, Connection& connection);
  void Leave();
  void Settle();

  // Frames.
  void Start(Direction& d);
  void Hole(Direction& d, std::uint64_t length);
  void Desync(Direction& d);
  void Malformed(Direction& d);
  void Read(Direction& d);
  bool ReadHead(Direction& d);
  bool ReadPayload(Direction& d);
  bool HasPayload(const Direction& d) const;
  bool BeginFrame(Direction& d);
  bool BeginPreface(Direction& d);
  void TakePayload(Direction& d, std::string_view bytes);
  std::string_view TakeFixed(Direction& d, std::string_view bytes);
  void PassPayload(Direction& d, std::uint32_t count);
  void EndFrame(Direction& d);
  void EndData(Direction& d);
  void TakeSetting(Direction& d);
  FrameStart StartAt(std::uint64_t offset) const;

  // Blocks.
  bool BeginBlock(Direction& d);
  void TakeFragment(Direction& d, std::string_view bytes);
  void LoseBlock(Direction& d);
  void EndBlock(Direction& d);
  void LearnRoles(const Direction& d, const Fields& fields);
  bool IsRequestSide(const Direction& d) const {
    return &d == &c_->directions[c_->is_server() ? PROBE_RECEIVED : PROBE_SENT];
  }
  Direction& Other(const Direction& d) const { return c_->directions[&d == c_->directions.data() ? 1 : 0]; }
  void OnRequest(Direction& d);
  void OnResponse(Direction& d);
  void OnFirstAnswer(const Direction& d);
  void OnResponseBlock(Direction& d, Call& call);
  void KeepHeaders(Direction& d, Call& call, KeptHeaders* kept);
  Block::Wanted WantedOf(const Direction& d);

  // Calls.
  Call* Begin(Direction& d);
  void OnData(Direction& d, std::string_view bytes, bool first);
  void OnReset(Direction& d);
  void OnGoAway(Direction& d);
  void EndRequest(Call& call);
  void Finish(Call* call, const Ending& ending);
  void Drop(Call* call, probe_reason reason);
  void Forget(Call* call);
  void CountLost(const FrameStart& start, probe_reason reason);

  sdk::LastGeneration<Config> configs_;
  sdk::Pins pins_;
  Emitter emitter_;
  sdk::OpenStreams<Connection> connections_;

  // The call under way.
  sdk::Stream stream_{nullptr, nullptr};
  Connection* c_ = nullptr;
  const probe_segment_t* segment_ = nullptr;
  std::string_view bytes_;      // of the record, those not read yet
  std::uint64_t at_ = 0;        // their offset
  std::uint64_t end_ = 0;       // of the record
  std::uint32_t requests_ = 0;  // that began in this record
  bool continues_ = false;      // still in the payload that was under way before this record
  bool used_ = false;
  probe_reason failure_ = PROBE_REASON_COUNT;  // what went wrong in it; PROBE_REASON_COUNT: nothing
};

}  // namespace probed::mod::grpc
