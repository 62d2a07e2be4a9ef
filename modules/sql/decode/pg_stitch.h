// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Records of a PostgreSQL connection to spans. One span per Query and per Execute; a Parse, Bind or Describe that fails
// before its Execute makes one as well.
//
// Where bytes are missing:
//
//  * Inside what is not looked at (rows, data of COPY, parameters) nothing is lost.
//  * Elsewhere the boundary is lost until a record begins like a message, and it is not known any more which answer
//    belongs to which operation: what is open is aborted, and operations are taken up again when the server was ready
//    and as little was open as ever since.
#pragma once

#include <cstdint>
#include <string_view>

#include "api/sdk/generations.h"
#include "api/sdk/host.h"
#include "modules/sql/config.h"
#include "modules/sql/decode/emit.h"
#include "modules/sql/decode/pg_connection.h"
#include "modules/sql/decode/pg_messages.h"
#include "modules/sql/decode/pg_parameters.h"

namespace probed::mod::sql::pg {

/// One per shard. [shard]
class Stitcher {
 public:
  Stitcher(const Keys& keys, const sdk::Generations<Config>& configs, sdk::ShardHost host)
      : emitter_(keys, host), configs_(configs) {}

  void OnSegment(sdk::Stream stream, Connection& connection, const probe_segment_t& segment);
  void OnGap(sdk::Stream stream, Connection& connection, std::uint8_t direction, std::uint64_t offset,
             std::uint64_t length);
  void OnClose(sdk::Stream stream, Connection& connection, std::uint32_t reason, std::uint64_t ktime_ns);
  std::uint32_t OldestGeneration() const { return pins_.Oldest(); }

 private:
  /// The record at hand.
  struct Reading {
    sdk::Stream stream;
    Connection& c;
    Direction& d;
    std::uint8_t direction;
    const probe_segment_t& segment;
    bool used = false;     // something of it was read, or kept for what follows
    bool skipped = false;  // some of it was passed over
    bool failed = false;   // something in it was no message
  };

  // pg_stitch.cc: bytes to messages
  void Consume(Reading& r, std::string_view bytes);
  void ReadMessages(Reading& r, std::string_view view, std::uint64_t kept);
  std::size_t ReadOne(Reading& r, std::string_view view, const Arrival& start);
  std::size_t ReadStartup(Reading& r, std::string_view view, const Arrival& start);
  std::size_t ReadTlsAnswer(Reading& r, std::string_view view);
  bool FindPlace(Reading& r, std::string_view view);
  /// False: it takes more bytes.
  static bool LearnSides(Reading& r, std::string_view view);
  void PassOrLose(Reading& r);
  void SkipHole(sdk::Stream stream, Connection& c, Direction& d, std::uint64_t to);
  void LoseBoundary(sdk::Stream stream, Connection& c, Direction& d);
  void Keep(Reading& r, std::string_view rest, const Arrival& start);
  static void Settle(Reading& r);
  Side SideOf(const Reading& r) const { return r.direction + 1 == r.c.front ? Side::kFront : Side::kBack; }

  // pg_front.cc: what a client sends
  void OnFront(Reading& r, const Message& message, const Arrival& arrival);
  void OnQuery(Reading& r, const Message& message, const Arrival& arrival);
  void OnParse(Reading& r, const Message& message, const Arrival& arrival);
  void OnBind(Reading& r, const Message& message, const Arrival& arrival);
  void TakeParameters(Reading& r, std::string_view portal, std::string_view body, const Text* text,
                      const Arrival& arrival);
  void OnDescribe(Reading& r, const Message& message, const Arrival& arrival);
  void OnExecute(Reading& r, const Message& message, const Arrival& arrival);
  void OnCloseMessage(Reading& r, const Message& message, const Arrival& arrival);
  void OnSync(Reading& r, const Arrival& arrival);
  Operation* Add(Reading& r, Step step, const Arrival& arrival, std::string_view name = {});
  void CountLost(Reading& r, const Arrival& arrival);
  Text* TextOf(Reading& r, std::string_view sql, bool cut, bool may_be_plain, const Arrival& arrival);
  static bool Pair(Reading& r, Step step);
  void EmitSkipped(Reading& r, const Arrival& arrival, Text* text);
  bool Wanted(const Reading& r, const Arrival& arrival);
  static void ForgetBySql(Reading& r, std::string_view sql);

  // pg_back.cc: what a server answers
  void OnBack(Reading& r, const Message& message);
  void OnError(Reading& r, const Message& message);
  void OnReady(Reading& r, const Message& message);
  void EndStep(Reading& r);
  void TakeAnswer(Reading& r, const Message& message);
  void Confirm(Reading& r, Step step);
  void FailGroup(Reading& r, std::string_view code);
  void Finish(Reading& r);
  static void CountRows(Operation& operation, const Message& message);
  static bool Awaits(const Connection& c, Step a, Step b);
  void Undo(sdk::Stream stream, Connection& c, Operation& operation);
  void Emit(sdk::Stream stream, Connection& c, const Operation& operation, std::string_view error,
            std::uint64_t end_ns);
  void Drop(sdk::Stream stream, Connection& c);
  void Unpair(sdk::Stream stream, Connection& c);
  void EndAtClose(sdk::Stream stream, Connection& c, std::uint32_t reason, std::uint64_t ktime_ns);
  probe_span_kind KindOf(const Connection& c) const {
    return c.front == PROBE_SENT + 1 ? PROBE_SPAN_CLIENT : PROBE_SPAN_SERVER;
  }

  Emitter emitter_;
  ParameterWriter writer_;
  sdk::Pins pins_;
  sdk::LastGeneration<Config> configs_;
};

}  // namespace probed::mod::sql::pg
