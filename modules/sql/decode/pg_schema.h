// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// The schema of a PostgreSQL session: the first one of its search_path, as far as the startup message, the server's
// reports and statements that set it say. What a function or a role's settings make of it cannot be seen; a statement
// that may have changed it makes it unknown.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>

namespace probed::mod::sql::pg {

/// What a text does to the search_path when it succeeds.
enum class PathStep : std::uint8_t {
  kNone,
  kSet,
  kSetLocal,  // until the transaction ends
  kReset,     // to what it was when the connection began
  kUnknown,   // it may have been changed, to something
};

struct PathChange {
  PathStep step = PathStep::kNone;
  std::string_view schema;  // of kSet and kSetLocal; empty: to none that is known
};

PathChange PathChangeOf(std::string_view sql);

/// The first schema of a list as settings have it; empty: none that is known ("$user" may or may not be one).
std::string_view FirstSchema(std::string_view path);

/// The search_path that the startup parameter `options` sets, as it stands there ("-c search_path=..."); empty: none.
/// False: it is not known what is set.
bool PathOfOptions(std::string_view options, std::string_view* path);

struct Schema {
  static constexpr std::size_t kMost = 63;  // NAMEDATALEN less its zero

  std::array<char, kMost> bytes;
  std::uint8_t size;  // 0: none is known

  /// A longer one is not known rather than cut.
  void Set(std::string_view name) {
    size = static_cast<std::uint8_t>(name.size() <= kMost ? name.size() : 0);
    std::copy_n(name.data(), size, bytes.data());
  }
  std::string_view text() const { return {bytes.data(), size}; }
};

/// Plain data: zeroed memory is a session of which nothing is known.
class SearchPath {
 public:
  std::string_view now() const { return now_.text(); }

  /// At the beginning of a connection.
  void Start(std::string_view schema);
  /// The server says it.
  void Report(std::string_view schema);
  /// A statement succeeded.
  void Take(const PathChange& change);
  /// A transaction was ended inside of a query or pipeline. Of a rollback it is not known yet how far it went.
  void Commit();
  void Rollback();
  /// Something failed: if no transaction is open then, all since the last OnReady is undone.
  void Fail() { failed_ = true; }
  /// The server waits; `status` of its ReadyForQuery.
  void OnReady(char status);
  /// Messages were missed.
  void Forget();

 private:
  void All(std::string_view schema);

  Schema now_;
  Schema commits_;  // what it is when the transaction is committed
  Schema aborts_;   // when it is rolled back
  Schema starts_;   // when it is reset
  bool failed_;
  bool rolled_back_;
  bool reported_;  // by the server, each time it changes
};

}  // namespace probed::mod::sql::pg
