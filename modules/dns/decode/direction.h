// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// One direction of a stream: how far it was followed. On a stream each message has its length in front, two bytes
// (RFC 1035, section 4.2.2), and nothing else marks where one begins. Plain data: zeroed memory is a direction of which
// nothing was seen.
#pragma once

#include <cstdint>

#include "api/sdk/host.h"
#include "api/sdk/stream_buffer.h"

namespace probed::mod::dns {

/// The way of a message here: the datagram, or the records with its first and its last byte.
struct Arrival {
  std::uint64_t begin_ns = 0;
  std::uint64_t end_ns = 0;
  std::uint64_t cookie = 0;
  std::uint64_t offset = 0;  // of its first byte in a stream
  std::uint64_t end_offset = 0;
  std::uint32_t generation = 0;
  std::uint32_t wire_sequence = 0;
  std::uint8_t layer = PROBE_LAYER_RAW;
  std::uint8_t direction = PROBE_RECEIVED;
  probe_cause_t cause{};
  probe_endpoint_t peer{};
};

struct Direction {
  sdk::StreamBuffer buffer;  // an unfinished message, from its length on
  Arrival start;             // its first byte. Meaningless when the buffer is empty
  std::uint64_t expected;    // offset of the next byte
  std::uint64_t cut_end;     // not 0: the rest of the message in the buffer is missing; it ends here
  bool started;              // `expected` is set
  bool searching;            // no boundary is known: the next bytes that look like a message are taken for one
};

}  // namespace probed::mod::dns
