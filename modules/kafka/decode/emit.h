// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Requests to the host: begins exchanges, ends them as spans. What the attributes are is decided here.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "api/sdk/endpoint.h"
#include "api/sdk/host.h"
#include "api/sdk/span_builder.h"
#include "modules/kafka/decode/connection.h"
#include "modules/kafka/decode/topic_names.h"

namespace probed::mod::kafka {

/// Attribute keys and instruments of this module.
struct Keys {
  explicit Keys(sdk::Host host);

  std::uint32_t system;
  std::uint32_t operation_name;
  std::uint32_t operation_type;
  std::uint32_t destination;
  std::uint32_t partition;
  std::uint32_t group;
  std::uint32_t client_id;
  std::uint32_t message_count;
  std::uint32_t message_key;
  std::uint32_t tombstone;
  std::uint32_t offset;
  std::uint32_t server_address;
  std::uint32_t server_port;
  std::uint32_t client_address;
  std::uint32_t client_port;
  std::uint32_t peer_address;
  std::uint32_t peer_port;
  std::uint32_t duration;
  std::uint32_t sent;
  std::uint32_t consumed;
};

/// One span: a request, or what it has to do with one topic.
struct Operation {
  const Request& request;
  std::uint64_t exchange = 0;
  std::uint64_t end_ns = 0;
  const Topic* topic = nullptr;                    // nullptr: of no topic, or of an unknown one
  bool has_batches = false;                        // it moves messages, of which topic->batches (nullptr: none) tells
  std::span<const probe_trace_context_t> links{};  // of all its topics
  std::string_view error{};
};

/// One per shard. [shard]
class Emitter {
 public:
  Emitter(const Keys& keys, const TopicNames& names) : keys_(keys), names_(names) {}

  /// `first`: the request's own; others are those of its further topics.
  static std::uint64_t Begin(sdk::Stream stream, probe_span_kind kind, const Arrival& request, bool first);
  void Emit(sdk::Stream stream, const Operation& operation);

 private:
  std::string_view NameOf(const Topic* topic) const;
  void Name(std::string_view operation, std::string_view destination);
  void Addresses(sdk::Stream stream, const Request& request);
  void Messages(const Operation& operation);
  void Measure(const Operation& operation);

  const Keys& keys_;
  const TopicNames& names_;
  sdk::SpanBuilder span_;
  sdk::AddressText server_{};
  sdk::AddressText peer_{};
};

}  // namespace probed::mod::kafka
