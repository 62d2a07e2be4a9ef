// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Records of a MySQL connection to spans. One span per COM_QUERY, COM_STMT_EXECUTE and COM_STMT_FETCH; a
// COM_STMT_PREPARE that fails makes one as well.
//
// Where bytes are missing:
//
//  * Ends of packets that are not looked at, and whole packets that the kernel says it passed over, are no loss.
//  * Elsewhere the boundary is lost until a record begins like a command, or like the answer to one; what is open is
//    aborted.
#pragma once

#include <cstdint>
#include <string_view>

#include "api/sdk/generations.h"
#include "api/sdk/host.h"
#include "modules/sql/config.h"
#include "modules/sql/decode/emit.h"
#include "modules/sql/decode/my_connection.h"
#include "modules/sql/decode/my_packets.h"

namespace probed::mod::sql::my {

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
    bool failed = false;   // something in it was no packet
  };

  // my_stitch.cc: bytes to packets
  void SkipTo(Reading& r);
  void Jump(Reading& r, unsigned passed);
  void TakeCut(Reading& r);
  void Consume(Reading& r, std::string_view bytes);
  void ReadPackets(Reading& r, std::string_view view, std::uint64_t kept);
  std::size_t ReadOne(Reading& r, std::string_view view, const Arrival& start);
  std::size_t Needed(const Reading& r, std::string_view view, std::size_t size);
  void Handle(Reading& r, const Packet& packet, const Arrival& arrival);
  static bool LearnSides(Reading& r, std::string_view view);
  bool FindPlace(Reading& r, std::string_view view);
  void LoseBoundary(Reading& r);
  void Keep(Reading& r, std::string_view rest, const Arrival& start);
  static void Settle(Reading& r);
  static bool IsFront(const Reading& r) { return r.direction + 1 == r.c.front; }
  static void GiveAway(Reading& r);

  // my_front.cc: what a client sends
  void OnFront(Reading& r, const Packet& packet, const Arrival& arrival);
  void OnLogin(Reading& r, const Packet& packet);
  void OnCommand(Reading& r, unsigned command, std::string_view body, std::size_t size, const Arrival& arrival);
  void OnQuery(Reading& r, std::string_view body, std::size_t size, const Arrival& arrival);
  void OnPrepare(Reading& r, std::string_view body, std::size_t size, const Arrival& arrival);
  void OnExecute(Reading& r, unsigned command, std::string_view body, std::size_t size, const Arrival& arrival);
  void OnFetch(Reading& r, std::string_view body, const Arrival& arrival);
  Operation* AddExecution(Reading& r, Step step, Text* text, const Arrival& arrival, std::string_view values);
  static Text* TextBehind(const Connection& c, Fields& fields);
  Values WantedValues(unsigned command, const Arrival& arrival);
  void TakeValues(sdk::Stream stream, const Connection& c, Operation& operation, std::string_view bytes);
  bool TakeParameters(sdk::Stream stream, const Connection& c, Operation& operation, std::string_view bytes);
  static void OnLongData(Reading& r, std::string_view body);
  void OnStatementClose(Reading& r, std::string_view body);
  void OnDatabase(Reading& r, std::string_view body, std::size_t size, const Arrival& arrival);
  void OnChangeUser(Reading& r, const Arrival& arrival);
  Operation* Add(Reading& r, Step step, const Arrival& arrival, std::string_view name = {});
  void CountLost(Reading& r, const Arrival& arrival);
  Text* TextOf(Reading& r, std::string_view sql, bool cut, bool may_be_plain, const Arrival& arrival);
  bool Wanted(const Reading& r, const Arrival& arrival);
  void Begin(Reading& r, Operation& operation);

  // my_back.cc: what a server answers
  void OnBack(Reading& r, const Packet& packet);
  void OnBeforeLogin(Reading& r, const Packet& packet);
  void TakeCutFront(Reading& r);
  void OnLoggedIn(Reading& r);
  void OnFirst(Reading& r, Operation& operation, const Packet& packet);
  void OnResult(Reading& r, Operation& operation, const Packet& packet);
  void OnPrepared(Reading& r, Operation& operation, const Packet& packet);
  void LearnParameters(Reading& r, Operation& prepared, unsigned parameters);
  void OnColumnsEnd(Reading& r, Operation& operation, const Packet& packet);
  void OnRow(Reading& r, Operation& operation, const Packet& packet);
  void OnPassed(Reading& r, unsigned packets, bool counted);
  static void CountColumns(Operation& operation, std::uint64_t count);
  void OnError(Reading& r, Operation& operation, const Packet& packet);
  void EndResult(Reading& r, Operation& operation, unsigned status);
  void Finish(Reading& r);
  static void UseDatabase(Connection& c, std::string_view name);
  void Emit(sdk::Stream stream, Connection& c, const Operation& operation, std::string_view error,
            std::uint64_t end_ns);
  void Drop(sdk::Stream stream, Connection& c);
  void Unpair(sdk::Stream stream, Connection& c);
  void EndAtClose(sdk::Stream stream, Connection& c, std::uint32_t reason, std::uint64_t ktime_ns);
  static probe_span_kind KindOf(const Connection& c) {
    return c.front == PROBE_SENT + 1 ? PROBE_SPAN_CLIENT : PROBE_SPAN_SERVER;
  }

  Emitter emitter_;
  ParameterWriter writer_;
  sdk::Pins pins_;
  sdk::LastGeneration<Config> configs_;
};

}  // namespace probed::mod::sql::my
