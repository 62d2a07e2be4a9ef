// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// What is known of one MySQL connection: its directions, its statements by number, its database, and what its client
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

namespace probed::mod::sql::my {

/// What a client sent and waits for, by how it is answered.
enum class Step : std::uint8_t {
  kStatement,  // results: OK, or columns and rows; perhaps several
  kFetch,      // rows
  kPrepare,    // the number of the statement, and what it takes and gives
  kFields,     // definitions up to an EOF
  kLogin,      // OK or an error, with questions in between
  kSmall,      // one packet
};

/// Where the answer is.
enum class Place : std::uint8_t { kFirst, kData, kNext, kColumns, kColumnsEnd, kRows, kDefinitions };

/// What is to be read of an execution behind its statement's number.
enum class Values : std::uint8_t { kNone, kParameters, kSets };

/// One block of the stream's memory: the struct, then the database that is the session's if it succeeds, or what it is
/// executed with until the server says how many parameters the statement has.
struct Operation {
  Operation* next = nullptr;
  Text* text = nullptr;
  Parameters* parameters = nullptr;
  std::uint64_t exchange = 0;
  Arrival arrival{};
  std::uint64_t rows = 0;
  std::uint64_t left = 0;  // columns or definitions that are still to come
  StatusCode code{};       // the server's number of the error
  StatusCode state{};      // SQLSTATE
  std::uint32_t name_size = 0;
  Step step = Step::kSmall;
  Place place = Place::kFirst;
  bool failed = false;
  bool has_rows = false;
  bool uncounted = false;  // the kernel left out rows that it did not count
  bool unknown = false;    // executes a statement that was prepared before it could be seen
  bool uses = false;       // changes the database
  bool is_long = false;    // its command took several packets: the answer does not begin with sequence 1
  bool switches = false;   // and it will not be known to which
  bool cut = false;        // some of the values are missing
  Values values = Values::kNone;

  std::string_view name() const { return {reinterpret_cast<const char*>(this + 1), name_size}; }
};

/// The database of the session.
struct Database {
  static constexpr std::size_t kMost = 192;  // 64 characters

  std::array<char, kMost> bytes;
  std::uint8_t size;

  void Set(std::string_view name);
  std::string_view text() const { return {bytes.data(), size}; }
};

struct Connection {
  std::array<Direction, 2> directions;  // by enum probe_direction
  Names statements;                     // by their numbers
  Operation* first;                     // the one the server answers next
  Operation* last;
  Text* prepared;  // the last one that a client wanted prepared
  sdk::ConstantAttributes kept;
  sdk::AddressText server;
  Database database;
  std::uint32_t description;          // number of what spans say of the connection; another one for another database
  std::uint32_t epoch;                // how often bytes of the client were lost
  std::uint32_t server_capabilities;  // 0: the greeting was not seen
  std::uint32_t capabilities;         // of the client; 0: its login was not seen
  std::uint8_t front;                 // direction of the client's packets + 1; 0: not known
  std::uint8_t undecodable;           // records since the beginning, none of which could be read
  bool mariadb;
  bool begun;      // its beginning was seen
  bool logged_in;  // commands follow
  bool login_cut;  // the next record inside the client's answer to the greeting is its database
  bool paired;     // it is known which answer belongs to which command
  bool waits;      // not paired: a command was sent, and nothing answered since
  bool more;       // the client's next packet goes on with the last one
  bool given_away;
  bool spoke;
  bool back_more;  // the server's next packet goes on with the last one
};

/// The key of a statement in Names.
struct StatementKey {
  explicit StatementKey(std::uint32_t number);
  std::string_view text() const { return {bytes.data(), bytes.size()}; }
  std::array<char, 4> bytes;
};

/// Frees the first operation and its references.
void Pop(sdk::Stream stream, Connection& connection);

}  // namespace probed::mod::sql::my
