// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Values of the HTTP/2 decoder: what a header block says, before anybody knows which call it belongs to. Texts are
// positions in one buffer, so that they hold for a copy too.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "api/sdk/http/settings.h"

namespace probed::mod::grpc {

/// Part of a text buffer. Trivial, so that arrays of it cost nothing until used.
struct Slice {
  std::uint32_t offset;
  std::uint32_t size;

  std::string_view In(const char* text) const { return {text + offset, size}; }
  bool empty() const { return size == 0; }
};

/// What the media type of a message says. kUnknown: not seen, or compressed to an index nobody knows.
enum class Content : std::uint8_t { kUnknown, kOther, kGrpc, kGrpcWeb, kGrpcWebText };

/// Value of the captured header number `index` of the configured list.
struct CapturedHeader {
  std::uint32_t index;
  Slice value;
};

inline constexpr std::size_t kMaxCaptured = 2 * sdk::http::Settings::kMaxCapturedHeaders;

/// The texts that a span may need.
enum Text : std::uint8_t {
  kMethod,
  kScheme,
  kAuthority,
  kPath,
  kUserAgent,
  kForwarded,
  kForwardedFor,
  kForwardedHost,
  kForwardedProto,
  kTraceState,
  kTexts,
};

/// A header block as far as it is of interest.
struct Fields {
  std::array<Slice, kTexts> texts;
  probe_trace_context_t trace;  // valid == 0: none, or several
  std::uint64_t timeout_ns;     // of grpc-timeout; 0: none
  std::int32_t grpc_status;     // -1: none
  std::uint32_t captured;       // of the array kept beside it
  std::uint16_t status;         // of :status; 0: none
  std::uint8_t traceparents;
  Content content;
  bool pseudo_method;  // :method was there: a request
  bool lossy;          // some of its fields are not known
  bool cut;            // a value was too long to be kept
};

}  // namespace probed::mod::grpc
