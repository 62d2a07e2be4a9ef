// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Lookups to the host: begins an exchange for a query, ends it as a span. What the attributes are is decided here.
#pragma once

#include <cstdint>
#include <string_view>

#include "api/sdk/endpoint.h"
#include "api/sdk/host.h"
#include "api/sdk/span_builder.h"
#include "modules/dns/decode/lookup.h"

namespace probed::mod::dns {

/// Attribute keys and instruments of this module.
struct Keys {
  explicit Keys(sdk::Host host);

  std::uint32_t question_name;
  std::uint32_t answers;
  std::uint32_t server_address;
  std::uint32_t server_port;
  std::uint32_t client_address;
  std::uint32_t client_port;
  std::uint32_t peer_address;
  std::uint32_t peer_port;
  std::uint32_t transport;
  std::uint32_t network_type;
  std::uint32_t question_type;
  std::uint32_t response_code;
  std::uint32_t truncated;
  std::uint32_t retransmissions;
  std::uint32_t duration;
};

/// One per shard. [shard]
class Emitter {
 public:
  explicit Emitter(const Keys& keys) : keys_(keys) {}

  static std::uint64_t Begin(sdk::Stream stream, probe_span_kind kind, const sdk::Arrival& query,
                             std::uint64_t start_ns);
  /// Answered. `sender`: by another address than was asked; nullptr: by that.
  void Emit(sdk::Stream stream, const Lookup& lookup, const Message& response, std::uint64_t end_ns,
            const probe_endpoint_t* sender = nullptr);
  /// Not answered.
  void EmitFailure(sdk::Stream stream, const Lookup& lookup, std::string_view error, std::uint64_t end_ns);

 private:
  void Start(sdk::Stream stream, const Lookup& lookup, std::uint64_t end_ns, const probe_endpoint_t& sender);
  void Addresses(sdk::Stream stream, const Lookup& lookup, const probe_endpoint_t& sender);
  void Answers(const Message& response);
  void Finish(sdk::Stream stream, const Lookup& lookup);

  const Keys& keys_;
  sdk::SpanBuilder span_;
  sdk::AddressText peer_{};
  sdk::AddressText local_{};
};

}  // namespace probed::mod::dns
