// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Answers of which the question was not seen yet. The kernel tells of a call when it ends: a thread that is kept from
// the end of its send tells of the question when another thread may have read the answer long since. Such an answer
// waits here for its question; one for which none comes was somebody else's, or late.
//
// A server cannot answer what it has not read, and is told of that before the bytes are its own: only a client's wait.
// Nor can a thread read an answer while it is inside of its send: question and answer are of two threads. That is what
// keeps an answer too many (a server's second one, say) from being taken for that of the next question alike.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "api/sdk/host.h"
#include "modules/dns/decode/by_age.h"
#include "modules/dns/decode/lookup.h"

namespace probed::mod::dns {

/// What a span needs of the answer. One block of the stream's memory: the struct, its addresses, then its name.
struct EarlyAnswer {
  struct KeptAddress {
    bool is_v6 = false;
    std::array<std::uint8_t, 16> bytes{};
  };

  EarlyAnswer* older = nullptr;  // of the shard
  EarlyAnswer* newer = nullptr;
  Socket* socket = nullptr;
  probe_stream_t* stream = nullptr;
  sdk::Arrival arrival;
  std::uint32_t thread_id = 0;
  std::uint32_t kept_at = 0;  // the tick
  std::uint16_t id = 0;
  std::uint16_t type = 0;
  std::uint16_t class_ = 0;
  std::uint8_t rcode = 0;
  std::uint8_t address_count = 0;
  std::uint8_t name_size = 0;
  bool truncated = false;

  std::size_t size() const { return sizeof(*this) + address_count * sizeof(KeptAddress) + name_size; }
  KeptAddress* addresses() { return reinterpret_cast<KeptAddress*>(this + 1); }
  std::string_view wire_name() { return {reinterpret_cast<const char*>(addresses() + address_count), name_size}; }
  /// To `out`, except for the question. LIFETIME: the addresses are this one's.
  void Restore(Message& out);
};

/// Those of a shard. [shard]
class EarlyAnswers {
 public:
  /// How much later than the answer its question may be told of. A thread that may run again waits as long as those
  /// before it on its processor run: some milliseconds each. A client asks nobody the same again that soon.
  static constexpr std::uint64_t kWaitNs = 100'000'000;
  /// Ticks are at least 100 ms apart. The second one ends the wait: so it lasts that long by the clock of the decoder
  /// too, which may be behind with a full ring.
  static constexpr std::uint32_t kTicks = 2;
  /// A thread inside of a send has one question under way, on a stream as many as it writes at once. Whoever floods a
  /// socket with answers gets no more memory by it, and displaces those of that socket.
  static constexpr std::uint32_t kMostOfSocket = 64;
  static constexpr std::uint32_t kMost = 1024;

  /// Whether its question may yet come. Not that of an answer which repeats no question, nor of a zone transfer, whose
  /// messages are many; nor if the id was answered just now: it is a second answer.
  static bool MayBeEarly(const Socket& socket, const LookupKey& key, const Arrival& answer);
  /// The same one waits already: of datagrams, which are never asked twice.
  bool Has(const Socket& socket, const Message& answer) const { return Search(socket, answer, nullptr) != nullptr; }
  /// The one that has to go before another of the socket is kept, or nullptr.
  EarlyAnswer* InTheWay(const Socket& socket) const;
  /// False: no memory.
  bool Keep(sdk::Stream stream, Socket& socket, const Message& answer, const Arrival& arrival);
  /// The one that came first, or nullptr.
  EarlyAnswer* Find(const Socket& socket, const LookupKey& key, const Arrival& question) const;
  EarlyAnswer* AnyOf(const Socket& socket) const;
  void Remove(sdk::Stream stream, EarlyAnswer& answer);

  void Tick() { ++ticks_; }
  /// The next that waited long enough, or nullptr.
  EarlyAnswer* Overdue() const;

 private:
  EarlyAnswer* Search(const Socket& socket, const Message& message, const Arrival* question) const;

  ByAge<EarlyAnswer> by_age_;
  std::uint32_t count_ = 0;
  std::uint32_t ticks_ = 0;
};

}  // namespace probed::mod::dns
