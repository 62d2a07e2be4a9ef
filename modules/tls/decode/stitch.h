// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// The rules: how records are followed through a direction (stitch.cc), and what the messages in them mean for the
// handshake (stitch_messages.cc). One per shard. [shard]
#pragma once

#include <cstdint>
#include <string_view>
#include <unordered_map>

#include "api/sdk/generations.h"
#include "api/sdk/host.h"
#include "modules/tls/decode/connection.h"
#include "modules/tls/decode/emit.h"

namespace probed::mod::tls {

class Stitcher {
 public:
  Stitcher(const Keys& keys, const sdk::Generations<Config>& configs, sdk::ShardHost host)
      : emitter_(keys, host), host_(host), configs_(configs) {}

  void OnSegment(sdk::Stream stream, Connection& connection, const probe_segment_t& segment);
  void OnGap(sdk::Stream stream, Connection& connection, std::uint8_t direction, std::uint64_t offset,
             std::uint64_t length);
  void OnClose(sdk::Stream stream, Connection& connection, std::uint32_t reason, std::uint64_t ktime_ns);
  /// What a library tells of the handshake of a connection (enum tls_event).
  void OnEvent(const probe_event_t& event);
  std::uint32_t OldestGeneration() const { return pins_.Oldest(); }

 private:
  struct Open {
    probe_stream_t* stream;
    Connection* connection;
  };

  static constexpr probe_reason kUsed = PROBE_REASON_COUNT;  // something came of it

  /// A record of the ring, or a hole, while it is worked on.
  struct Reading {
    sdk::Stream stream;
    Connection& connection;
    Direction& d;
    std::uint8_t direction;
    const probe_segment_t* segment;  // nullptr: a hole
    probe_reason outcome = kUsed;

    Direction& other() const { return connection.directions[direction ^ 1U]; }
    bool is_over() const { return connection.over || (d.flags & (TLS_LOST | TLS_FINISHED)) != 0; }
  };

  static bool IsBound(const Reading& r) { return (r.segment->hint & TLS_HINT_BOUND) != 0; }

  // Records.
  void Consume(Reading& r, std::string_view bytes);
  void TakeHeader(Reading& r, std::string_view* bytes);
  void TakeBytes(Reading& r, std::string_view bytes, std::uint64_t offset);
  void TakeAlert(Reading& r, std::string_view bytes);
  void TakeMessages(Reading& r, std::string_view bytes, std::uint64_t offset);
  void Advance(Reading& r, std::uint64_t to);
  void Lose(Reading& r);
  void Refuse(Reading& r);
  static Arrival ArrivalAt(const Reading& r, std::uint64_t offset);

  // Messages.
  void OnRecord(Reading& r);
  void OnMessage(Reading& r, std::uint8_t type, std::string_view body, const Arrival& start);
  void OnFirstMessage(Reading& r, std::uint8_t type, std::string_view body, const Arrival& start);
  void OnClientHello(Reading& r, std::string_view body, const Arrival& start);
  void OnServerHello(Reading& r, std::string_view body);
  void OnCertificate(Reading& r, std::string_view body);
  void OnKeyExchange(Reading& r, std::string_view body);
  void OnAlert(Reading& r, std::uint8_t level, std::uint8_t description);
  void OnFinished(Reading& r);
  void OnEncryptedAlert(Reading& r);

  // Events.
  bool OnEvent(const Open& open, std::uint32_t kind, std::string_view bytes);
  bool OnSecretCertificate(const Open& open, std::string_view bytes);

  bool KeepCertificate(sdk::Stream stream, Handshake& handshake, std::uint8_t direction, std::string_view bytes);
  void End(Reading& r, std::string_view error);
  void EndAt(sdk::Stream stream, Connection& connection, std::string_view error, std::uint64_t end_ns);
  void Abort(sdk::Stream stream, Connection& connection, probe_reason reason);
  void Forget(sdk::Stream stream, Connection& connection);
  static bool IsOutOfSight(const Connection& connection);
  void EndAtClose(sdk::Stream stream, Connection& connection, std::uint32_t reason, std::uint64_t ktime_ns);

  Emitter emitter_;
  sdk::ShardHost host_;
  std::unordered_map<std::uint64_t, Open> handshakes_;  // under way, by the cookie of the socket
  sdk::Pins pins_;
  const sdk::Generations<Config>& configs_;
};

}  // namespace probed::mod::tls
