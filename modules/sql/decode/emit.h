// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Operations to the host: what is said of them is decided here, for both database protocols.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "api/sdk/endpoint.h"
#include "api/sdk/host.h"
#include "api/sdk/span_builder.h"
#include "modules/sql/config.h"
#include "modules/sql/decode/operation.h"

namespace probed::mod::sql {

/// Attribute keys and instruments of this module.
struct Keys {
  explicit Keys(sdk::Host host);

  std::uint32_t system;
  std::uint32_t name_space;
  std::uint32_t summary;
  std::uint32_t query;
  std::uint32_t batch_size;
  std::array<std::uint32_t, Parameters::kMost> parameters;  // by their index
  std::uint32_t parameters_truncated;
  std::uint32_t status_code;
  std::uint32_t returned_rows;
  std::uint32_t server_address;
  std::uint32_t server_port;
  std::uint32_t statement_unknown;
  std::uint32_t text_truncated;
  std::uint32_t sql_state;
  std::uint32_t duration;
  std::uint32_t compressed;
};

/// What an operation's span says of its connection.
struct ConnectionView {
  std::string_view system;
  std::string_view name_space;  // empty: not known
  sdk::AddressText* server;
  std::uint16_t default_port;
  sdk::ConstantAttributes* kept;
  std::uint32_t description = 1;  // number of what is kept
};

struct OperationView {
  std::uint64_t exchange;
  std::uint64_t start_ns;
  std::uint64_t end_ns;
  const Text* text;  // nullptr: not known
  const Parameters* parameters = nullptr;
  std::string_view code;
  std::string_view state = {};  // SQLSTATE, where the code is another one
  std::string_view error;       // error.type; empty: none
  std::int64_t rows;            // -1: it returns none
  bool unknown;
};

std::uint64_t BeginExchange(sdk::Stream stream, probe_span_kind kind, const Arrival& arrival);

/// One per shard. [shard]
class Emitter {
 public:
  Emitter(const Keys& keys, sdk::ShardHost host) : keys_(keys), host_(host) {}

  void Emit(sdk::Stream stream, probe_span_kind kind, const Config& config, const ConnectionView& connection,
            const OperationView& operation);
  /// A connection whose statements cannot be read.
  void CountCompressed(sdk::Stream stream, probe_span_kind kind, std::string_view system);

 private:
  void DescribeConnection(sdk::Stream stream, probe_span_kind kind, const ConnectionView& connection);
  std::string_view NameOf(const ConnectionView& connection, const OperationView& operation);

  const Keys& keys_;
  sdk::ShardHost host_;
  sdk::SpanBuilder span_;
};

}  // namespace probed::mod::sql
