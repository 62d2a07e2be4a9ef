// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Lookups that wait for their response: each is in the list of its socket, to be found by its response, and in that of
// the shard, to be found when its time is up. A lookup is one block of the stream's memory: the struct, then its name.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "api/sdk/framed_stream.h"
#include "api/sdk/host.h"
#include "modules/dns/config.h"
#include "modules/dns/decode/by_age.h"
#include "modules/dns/decode/types.h"

namespace probed::mod::dns {

struct Socket;

/// The way of a message here, and the other end of it.
struct Arrival : sdk::Arrival {
  probe_endpoint_t peer{};
  std::uint32_t thread_id = 0;  // that sent or read it, its last byte
};

struct Lookup {
  Lookup* next = nullptr;   // of the socket, with an id that falls into the same row
  Lookup* older = nullptr;  // of the shard, by the time they were sent last
  Lookup* newer = nullptr;
  Socket* socket = nullptr;
  probe_stream_t* stream = nullptr;
  const Config* config = nullptr;
  std::uint64_t exchange = 0;
  std::uint64_t start_ns = 0;
  std::uint64_t last_ns = 0;  // sent for the last time
  std::uint32_t generation = 0;
  std::uint32_t retransmissions = 0;
  probe_endpoint_t peer{};
  probe_span_kind kind = PROBE_SPAN_CLIENT;
  std::uint16_t id = 0;
  std::uint16_t type = 0;
  std::uint16_t class_ = 0;
  std::uint8_t name_size = 0;
  std::uint32_t tgid = 0;  // of multicast: any socket of the process may get the answer
  bool multicast = false;
  bool answered = false;  // of multicast: by the message at hand
  bool over_stream = false;
  bool doubtful = false;  // bytes were lost that may have been the response

  /// It is kept to know its answers by.
  bool is_transfer() const { return IsTransfer(type); }
  std::string_view wire_name() const { return {reinterpret_cast<const char*>(this + 1), name_size}; }
};

/// State of a stream or of a socket of datagrams. Plain data: zeroed memory is a socket without lookups.
struct Socket {
  static constexpr std::size_t kRows = 16;
  static constexpr std::size_t kAnswered = 8;
  std::array<Lookup*, kRows> rows{};                 // by id
  std::array<sdk::FramedDirection, 2> directions{};  // of a stream, by enum probe_direction
  std::array<std::uint64_t, kAnswered> answered{};   // by id: which was answered last, and when
  std::uint32_t undecodable = 0;                     // records since the last message, while there was none at all
  std::uint32_t early = 0;                           // answers that wait for their questions
  bool spoke = false;                                // a message was seen on this stream

  Lookup*& RowOf(std::uint16_t id) { return rows[id % kRows]; }
  void NoteAnswered(std::uint16_t id, std::uint64_t now_ns) {
    answered[id % kAnswered] = (now_ns & kTimeOfAnswer) | id;
  }
  bool WasAnswered(std::uint16_t id, std::uint64_t since_ns) const {
    const std::uint64_t last = answered[id % kAnswered];
    return last != 0 && static_cast<std::uint16_t>(last) == id && (last & kTimeOfAnswer) >= (since_ns & kTimeOfAnswer);
  }

 private:
  static constexpr std::uint64_t kTimeOfAnswer = ~std::uint64_t{0xffff};  // where the id is, 66 us are left out
};

/// What a response, or the same query once more, must have in common with a lookup.
struct LookupKey {
  const Message& message;
  probe_span_kind kind;
  const probe_endpoint_t& peer;
};

/// Whether the question asks for this name in this class.
bool AsksFor(const Question& question, std::string_view wire_name, std::uint16_t class_);

/// All open lookups of a shard. [shard]
class Lookups {
 public:
  /// nullptr: no memory. The caller fills in what is not in the key, then nothing of the key changes any more.
  Lookup* Add(sdk::Stream stream, Socket& socket, const LookupKey& key);
  /// Of several alike the one that waits longest.
  static Lookup* Find(Socket& socket, const LookupKey& key);
  /// Whether it asks for that name and class.
  static bool IsAbout(const Lookup& lookup, const Question& question);
  /// Sent again: it is the newest now.
  void Renew(Lookup& lookup, std::uint64_t now_ns);
  void Remove(sdk::Stream stream, Lookup& lookup);
  /// What is open on the socket may have been answered by bytes that were lost.
  static void Doubt(Socket& socket, probe_span_kind kind);
  /// Any lookup of the socket, or nullptr.
  static Lookup* AnyOf(Socket& socket);
  /// The one that was sent longest ago, or nullptr.
  Lookup* oldest() const { return by_age_.oldest(); }

 private:
  ByAge<Lookup> by_age_;  // by when they were sent last
};

}  // namespace probed::mod::dns
