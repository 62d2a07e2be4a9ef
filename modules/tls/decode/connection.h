// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// State of a connection: how far each direction was followed, and the handshake while it lasts. Plain data: zeroed
// memory is a connection of which nothing was seen.
#pragma once

#include <array>
#include <cstdint>

#include "api/sdk/host.h"
#include "api/sdk/stream_buffer.h"
#include "modules/tls/bpf/tls_records.h"
#include "modules/tls/config.h"
#include "modules/tls/decode/types.h"

namespace probed::mod::tls {

/// Where the first byte of something was seen.
struct Arrival {
  std::uint64_t ktime_ns;
  std::uint64_t cookie;
  std::uint64_t offset;
  std::uint32_t generation;
  std::uint32_t wire_sequence;
  std::uint8_t layer;
  probe_cause_t cause;
};

struct Direction {
  sdk::StreamBuffer message;  // the beginning of a handshake message that goes on in another record
  Arrival message_start;      // its first byte. Meaningless when there is none
  std::uint64_t expected;     // offset of the next byte
  std::array<std::uint8_t, TLS_HEADER_BYTES> header;
  std::array<std::uint8_t, TLS_ALERT_BYTES> alert;
  std::uint8_t held;        // bytes of the header that are there
  std::uint8_t alert_held;  // bytes of the alert
  std::uint8_t type;        // of the record under way
  std::uint8_t flags;       // enum tls_flag, as in the kernel
  std::uint16_t left;       // bytes of the record under way that are to come
  std::uint16_t length;     // of the record under way
};

struct Handshake {
  const Config* config;
  std::uint64_t exchange;  // 0: no span is wanted
  std::uint64_t start_ns;
  std::uint64_t alert_ns;  // when an encrypted alert came whose name the library may tell; 0: none did
  std::uint32_t generation;
  std::uint8_t client;  // the direction in which the client speaks
  bool answered;        // there is a ServerHello
  bool early_data;      // the client's, which looks like any encrypted record
  bool hello_retry;
  bool resumed;
  bool bound;               // the plaintext is seen too
  std::uint8_t alert_sent;  // what the library told of an alert that it encrypts next; 0: nothing, or close_notify
  std::uint16_t version;
  std::uint16_t cipher;
  std::uint16_t group;  // 0: unknown
  Text<255> server_name;
  Text<255> protocol;
  Text<32> session_id;
  Text<32> random;                           // the client's
  std::array<Certificate*, 2> certificates;  // by direction

  bool is_client() const { return client == PROBE_SENT; }
  std::uint8_t server() const { return client ^ 1U; }
};

struct Connection {
  std::array<Direction, 2> directions;  // by enum probe_direction
  Handshake* handshake;                 // only while it lasts
  std::uint64_t cookie;                 // of the socket. Meaningless when there is no handshake
  bool over;                            // nothing of this connection is of interest any more
  bool late;                            // the handshake's beginning was not seen: not the first bytes, or no question
};

}  // namespace probed::mod::tls
