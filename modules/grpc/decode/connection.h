// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// What the decoder remembers of one stream (a TCP connection; the streams of HTTP/2 are "calls" here). Data only;
// stitch.h has the rules.
#pragma once

#include <array>
#include <cstdint>

#include "api/sdk/endpoint.h"
#include "modules/grpc/decode/block.h"
#include "modules/grpc/decode/call.h"
#include "modules/grpc/decode/hpack.h"

namespace probed::mod::grpc {

/// Where a frame began, and the record that brought its first byte.
struct FrameStart {
  std::uint64_t ktime_ns;
  std::uint64_t cookie;
  std::uint64_t offset;
  std::uint32_t generation;
  std::uint32_t wire_sequence;
  std::uint32_t thread;
  probe_cause_t cause;
};

/// The frame under way of a direction.
struct Frame {
  std::array<std::uint8_t, 9> head;
  std::uint8_t have;  // bytes of the head
  std::uint8_t type;
  std::uint8_t flags;
  bool tail;           // a short last DATA frame: h2_frames.h, H2_HINT_TAILS
  std::uint32_t size;  // of the payload
  std::uint32_t left;  // payload bytes still to come
  std::uint32_t id;
  // Fields of fixed size in front of the payload proper: pad length, priority, promised stream, error code, a setting.
  std::array<std::uint8_t, 8> fixed;
  std::uint8_t fixed_have;
  std::uint8_t fixed_need;
  std::uint8_t pad;  // bytes of padding at the end
  FrameStart start;
};

/// The header block under way of a direction (HEADERS or PUSH_PROMISE, then CONTINUATIONs).
struct BlockState {
  std::uint32_t id;
  std::uint32_t bytes;  // of the block so far
  bool open;
  bool pushed;  // PUSH_PROMISE: a request that nobody sent
  bool end_stream;
  bool readable;  // false: the rest only passes by
  FrameStart start;
};

struct Direction {
  Hpack hpack;
  Block block;
  BlockState under_way{};
  Frame frame{};
  std::uint64_t expected = 0;  // offset of the next byte
  bool started = false;        // `expected` is set
  bool synced = false;         // `frame` is right
  bool whole = false;          // all header blocks of this direction were read: the table holds what it holds
  bool framed = false;         // a frame was read
};

struct Connection {
  std::array<Direction, 2> directions;  // by enum probe_direction
  HpackMemory memory;
  CallTable calls{};
  sdk::AddressText peer{};
  sdk::AddressText local{};
  std::int8_t request_direction = -1;  // who sends requests: enum probe_direction; -1: not known
  std::uint8_t layer = 0;
  bool opened = false;  // addresses are known
  bool from_start = false;
  bool speaks_grpc = false;       // some call of it was gRPC
  std::uint32_t first_id = 0;     // lowest stream whose request was seen
  std::uint32_t last_id = 0;      // highest
  std::uint32_t asker = 0;        // the thread of the last request
  std::uint32_t undecodable = 0;  // records, as long as no block was read
  bool proven = false;            // a block was read
  bool late = false;  // not its first bytes: HTTP/1 asked for it (and is answered as stream 1), or they were lost
  bool first_answered = false;     // stream 1, of a late one
  Connection* previous = nullptr;  // the shard's list
  Connection* next = nullptr;
  probe_stream_t* stream = nullptr;

  bool is_server() const { return request_direction == PROBE_RECEIVED; }
};

}  // namespace probed::mod::grpc
