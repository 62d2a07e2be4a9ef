// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// What the decoder remembers of one stream. Data only; stitch.h has the rules. All members are plain, so that zeroed
// memory from the host is a connection of which nothing is known.
#pragma once

#include <array>
#include <cstdint>

#include "api/sdk/endpoint.h"
#include "api/sdk/stream_buffer.h"
#include "modules/http/decode/body.h"
#include "modules/http/decode/exchange.h"
#include "modules/http/decode/memo.h"

namespace probed::mod::http {

/// Where one direction stands.
///
///   kSearch ──plausible head──► kLength / kChunked / kUntilClose ──end──► kHead ──next head──► ...
///      ▲                                                                    │
///      └──────────── malformed, a hole over a boundary, framing not trusted ┘
enum class Mode : std::uint8_t {
  kSearch,      // no boundary known: the next plausible head at the start of a record or line is taken
  kHead,        // at a boundary: a head must follow
  kLength,      // `remaining` bytes of body
  kChunked,     // a chunked body
  kUntilClose,  // a body that only the end of the connection ends
};

/// The record that brought the first byte of a head.
struct HeadStart {
  std::uint64_t ktime_ns;
  std::uint64_t cookie;
  std::uint64_t offset;
  std::uint32_t generation;
  std::uint32_t wire_sequence;
  probe_cause_t cause;
};

struct Direction {
  sdk::StreamBuffer buffer;  // an unfinished head
  HeadStart start;           // of the head in the buffer
  Exchange* current;         // whose message is under way; nullptr: nobody's
  std::uint64_t expected;    // offset of the next byte
  std::uint64_t remaining;   // kLength
  std::uint64_t body_bytes;
  std::uint64_t last_ns;  // last record of the message under way
  ChunkReader chunks;
  Mode mode;
  bool started;       // `expected` is set
  bool torn;          // in kSearch: a hole came before, so a record need not begin at a boundary
  bool lost_chunks;   // in kSearch: inside a chunked body
  bool message_open;  // a head was taken and its message has not ended
  bool untrusted;     // the framing of the message under way is contradictory
  bool blind;  // in kSearch, of requests: how long the last one's body is nobody knows, so nothing is a head in it
};

enum class Role : std::uint8_t { kUnknown, kServer, kClient };

struct Connection {
  std::array<Direction, 2> directions;  // by enum probe_direction
  ExchangeQueue queue;
  RequestMemo* request_memo;
  ResponseMemo* response_memo;
  sdk::AddressText peer;
  sdk::AddressText local;
  std::uint64_t drain_ns;       // when `draining` began
  std::uint32_t tombstones;     // responses to come that belong to evicted requests
  std::uint32_t owed;           // responses that may come to requests given up after a hole
  std::uint32_t constant_sets;  // numbers given to kept attributes
  std::uint32_t undecodable;    // records since the last head, while there was none at all
  Role role;
  std::uint8_t layer;
  bool opened;           // addresses are known
  bool confirmed;        // a request and a response were seen: the role is certain
  bool pipelined;        // a response came while more than one request waited
  bool draining;         // order is lost on a pipelined connection: nothing is matched until it was idle
  bool upgraded;         // another protocol now
  bool tunnel;           // by CONNECT: what is in it may be TLS, which needs no raw stream
  Connection* previous;  // the shard's list
  Connection* next;
  probe_stream_t* stream;
};

}  // namespace probed::mod::http
