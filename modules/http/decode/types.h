// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Values of the HTTP/1 decoder: what a head says, before anybody knows which exchange it belongs to. Positions are
// relative to the head's first byte, so that they hold for a copy too.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "api/sdk/http/settings.h"

namespace probed::mod::http {

/// What the module's kernel program notes in probe_segment.hint.
enum SegmentHint : std::uint8_t {
  kHintMessageEnd = 1,  // the last byte of [offset, offset + total) ends a message
};

/// Part of a head. Trivial, so that arrays of it cost nothing until used.
struct Slice {
  std::uint32_t offset;
  std::uint32_t size;

  std::string_view In(const char* head) const { return {head + offset, size}; }
  bool empty() const { return size == 0; }
};

/// Value of the captured header number `index` of the configured list.
struct CapturedHeader {
  std::uint32_t index;
  Slice value;
};

inline constexpr std::size_t kMaxCaptured = 2 * sdk::http::Settings::kMaxCapturedHeaders;

struct CapturedHeaders {
  std::uint32_t count = 0;
  std::array<CapturedHeader, kMaxCaptured> items;  // the first `count` are set
};

/// What Content-Length and Transfer-Encoding say (RFC 9112 §6).
struct BodyHeaders {
  std::uint64_t length = 0;
  bool has_length = false;
  bool chunked = false;       // "chunked" is the last coding
  bool other_coding = false;  // a Transfer-Encoding whose last coding is another one
  bool conflict = false;      // repeated, contradicting or unreadable: not to be trusted
};

struct RequestHead {
  Slice method{}, target{}, host{}, user_agent{};
  Slice forwarded{}, x_forwarded_for{}, x_forwarded_host{}, x_forwarded_proto{};
  Slice traceparent{};
  std::array<Slice, 4> tracestate{};
  std::uint8_t traceparents = 0;
  std::uint8_t tracestates = 0;
  std::uint8_t minor_version = 1;
  bool folded = false;  // some value is folded over lines
  BodyHeaders body;
  std::uint32_t size = 0;  // bytes of the head, with the empty line
};

struct ResponseHead {
  std::uint16_t status = 0;
  std::uint8_t minor_version = 1;
  bool folded = false;
  BodyHeaders body;
  std::uint32_t size = 0;
};

/// RFC 9112 §6.3, whatever the head says of a body.
constexpr bool EndsWithoutBody(std::uint16_t status) { return status < 200 || status == 204 || status == 304; }

}  // namespace probed::mod::http
