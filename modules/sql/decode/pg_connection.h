// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// What is known of one PostgreSQL connection: its directions, its statements and portals by name, and what its client
// waits for, in the order in which it was sent. Plain data: zeroed memory is a connection of which nothing was seen.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "api/sdk/endpoint.h"
#include "api/sdk/host.h"
#include "api/sdk/span_builder.h"
#include "modules/sql/decode/direction.h"
#include "modules/sql/decode/names.h"
#include "modules/sql/decode/operation.h"
#include "modules/sql/decode/pg_schema.h"

namespace probed::mod::sql::pg {

/// What a client sent and waits for.
enum class Step : std::uint8_t { kQuery, kParse, kBind, kDescribe, kExecute, kClose, kSync, kFunction };

/// One block of the stream's memory: the struct, then the name of the statement that Parse or Close is about.
struct Operation {
  Operation* next = nullptr;
  Text* text = nullptr;
  Parameters* parameters = nullptr;
  Text* replaced = nullptr;    // what the statement's name stood for before
  std::uint64_t exchange = 0;  // of Query and Execute
  Arrival arrival{};
  std::uint64_t rows = 0;
  std::uint64_t rows_here = 0;  // of the statement at hand
  StatusCode code{};
  std::uint32_t name_size = 0;
  Step step = Step::kSync;
  bool failed = false;
  bool has_rows = false;
  bool passed = false;   // not all rows of the statement at hand were seen
  bool unknown = false;  // executes a statement that was prepared before it could be seen
  bool sets = false;     // the server says that it set or reset something
  bool commits = false;  // that it ended a transaction
  bool rolls_back = false;
  bool named = false;  // Parse or Close of a statement: `replaced` is to come back if it fails

  std::string_view name() const { return {reinterpret_cast<const char*>(this + 1), name_size}; }
};

struct Connection {
  static constexpr std::size_t kMostDatabase = Schema::kMost;
  static constexpr std::size_t kMostNamespace = kMostDatabase + 1 + Schema::kMost;

  std::array<Direction, 2> directions;  // by enum probe_direction
  Names statements;
  Names portals;
  Names passed;      // statements of Parse messages that the server passes over
  Operation* first;  // the one the server answers next
  Operation* last;
  Arrival group;  // where the operation at hand began: its first Parse, Bind or Describe
  sdk::ConstantAttributes kept;
  sdk::AddressText server;
  SearchPath path;
  Schema database;
  Schema said;                                  // the schema in `name_space`
  std::array<char, kMostNamespace> name_space;  // database|schema
  std::uint8_t name_space_size;
  std::uint32_t description;  // number of what spans say of the connection; another one for another schema
  std::uint8_t front;         // direction of the client's messages + 1; 0: not known
  std::uint8_t undecodable;   // records since the beginning, none of which could be read
  bool startup;               // the client's next message is one without a type
  bool tls_asked;             // the server's next byte is its answer
  bool begun;                 // its beginning was seen: no direction has bytes before those that are known
  bool grouped;               // `group` is set
  bool paired;                // it is known which answer belongs to which operation
  bool skipping;              // the server passes over everything up to Sync
  bool ready;                 // the server's last message was ReadyForQuery
  bool inside_group;          // not paired: messages since the last Sync were passed over
  bool spoke;                 // a message was read
  bool given_away;
  std::int32_t balance;        // not paired: operations less ReadyForQuery since then
  std::int32_t least_balance;  // the lowest it was
};

/// db.namespace, as far as it is known now.
std::string_view NamespaceOf(Connection& connection);

/// Frees the first operation and its references.
void Pop(sdk::Stream stream, Connection& connection);

}  // namespace probed::mod::sql::pg
