// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// The rules: what a request and its response become (stitch.cc), and how messages are found in a stream
// (stitch_stream.cc). One per shard. [shard]
#pragma once

#include <cstdint>
#include <string_view>

#include "api/sdk/generations.h"
#include "api/sdk/host.h"
#include "modules/kafka/decode/connection.h"
#include "modules/kafka/decode/emit.h"
#include "modules/kafka/decode/topic_names.h"

namespace probed::mod::kafka {

class Stitcher {
 public:
  static constexpr std::uint32_t kUndecodableBeforeGivingUp = 16;  // records, on a stream that never showed a request

  Stitcher(const Keys& keys, TopicNames& names, const sdk::Generations<Config>& configs)
      : emitter_(keys, names), names_(names), configs_(configs) {}

  void OnSegment(sdk::Stream stream, Connection& connection, const probe_segment_t& segment);
  void OnGap(sdk::Stream stream, Connection& connection, std::uint8_t direction, std::uint64_t offset,
             std::uint64_t length);
  void OnClose(sdk::Stream stream, Connection& connection, std::uint32_t reason, std::uint64_t ktime_ns);
  std::uint32_t OldestGeneration() const { return pins_.Oldest(); }

 private:
  static constexpr probe_reason kUsed = PROBE_REASON_COUNT;  // something came of it

  /// A record, or a hole, while it is worked on.
  struct Reading {
    sdk::Stream stream;
    Connection& connection;
    Direction& d;
    std::uint8_t direction;
    const probe_segment_t* segment;  // nullptr: a hole
    bool used = false;
    bool kept = false;                       // it ends in a message that goes on
    probe_reason failure = kUsed;            // what went wrong in it
    probe_reason idle = PROBE_IGNORED_BODY;  // what the record is when nothing of it was used
  };

  /// A message without its size.
  struct Message {
    std::string_view bytes;
    Arrival arrival;
    bool cut;  // bytes are missing at its end
  };

  // stitch.cc: what the message is counted as, or kUsed
  probe_reason OnMessage(sdk::Stream stream, Connection& connection, const Message& message);
  probe_reason OnRequest(sdk::Stream stream, Connection& connection, const Message& message);
  probe_reason OnResponse(sdk::Stream stream, Connection& connection, const Message& message);
  bool ReadRequest(const Message& message, std::string_view body, Request* out);
  probe_reason AddRequest(sdk::Stream stream, Connection& connection, const Request& read);
  probe_reason EndRequest(sdk::Stream stream, Request& request, const Message& message);
  probe_reason EndProduce(sdk::Stream stream, Request& request, const Message& message);
  probe_reason EndFetch(sdk::Stream stream, Request& request, const Message& message);
  probe_reason EndOther(sdk::Stream stream, Request& request, const Message& message);
  void EmitTopics(sdk::Stream stream, const Request& request, std::span<const Topic> topics, Operation base);
  void EndWithoutResponse(sdk::Stream stream, Request& request, std::string_view error, std::uint64_t end_ns);
  void EndAtClose(sdk::Stream stream, Request& request, std::uint32_t reason, std::uint64_t ktime_ns);
  void AbortUpTo(sdk::Stream stream, Connection& connection, const Request& request);
  void DropAll(sdk::Stream stream, Connection& connection);
  void Remove(sdk::Stream stream, Connection& connection, Request& request);

  // stitch_stream.cc
  void Consume(Reading& r, std::string_view bytes);
  void ReadMessages(Reading& r, std::string_view view, std::uint64_t kept);
  static int LookAt(const Reading& r, std::string_view view);
  static std::size_t Search(Reading& r, std::string_view view);
  void TakeMessage(Reading& r, std::string_view bytes, const Arrival& start);
  void FinishCut(Reading& r);
  void SkipHole(Reading& r, std::uint64_t to, bool timed);
  static void LoseBoundary(Reading& r);
  void Keep(Reading& r, std::string_view rest, const Arrival& start);
  void Drop(Reading& r);
  static Arrival ArrivalAt(const Reading& r, std::uint64_t offset);
  static void Settle(Reading& r);

  Emitter emitter_;
  TopicNames& names_;
  sdk::Pins pins_;
  const sdk::Generations<Config>& configs_;
  Topics topics_;  // of the message at hand
};

}  // namespace probed::mod::kafka
