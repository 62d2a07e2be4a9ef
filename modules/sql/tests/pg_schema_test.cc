// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// What statements, settings and the server's reports make of the search_path; and what is never guessed.
#include "modules/sql/decode/pg_schema.h"

#include <gmock/gmock.h>

#include <string>

#include "modules/sql/tests/conversations.h"

extern "C" const probe_module_entry_t probe_module_entry;

namespace probed::mod::sql::pg {
namespace {

using namespace sql::testing;  // NOLINT: the messages of this folder
using sdk::testing::Driver;
using sdk::testing::StreamDriver;

std::string Shown(std::string_view sql) {
  const PathChange change = PathChangeOf(sql);
  switch (change.step) {
    case PathStep::kNone: return "";
    case PathStep::kSet: return "set " + std::string(change.schema);
    case PathStep::kSetLocal: return "local " + std::string(change.schema);
    case PathStep::kReset: return "reset";
    case PathStep::kUnknown: return "unknown";
  }
  return "?";
}

TEST(PgSchema, OfStatements) {
  const std::vector<std::pair<std::string, std::string>> vectors = {
      {"SET search_path TO sales, public", "set sales"},
      {"set SEARCH_PATH = Sales", "set Sales"},
      {"SET SESSION search_path TO 'sales'", "set sales"},
      {"SET search_path TO \"My Schema\";", "set My Schema"},
      {"/* a */ SET LOCAL search_path = sales", "local sales"},
      {"SET SCHEMA 'sales'", "set sales"},
      {"SET search_path TO \"$user\", public", "set "},
      {"SET search_path TO '$user'", "set "},
      {"SET search_path = ''", "set "},
      {"SET search_path = E'sales'", "set "},
      {"SET search_path TO 'it''s'", "set "},
      {"SET search_path TO DEFAULT", "reset"},
      {"SET LOCAL search_path TO DEFAULT", "unknown"},
      {"SET search_path FROM CURRENT", "unknown"},
      {"RESET search_path", "reset"},
      {"RESET ALL", "reset"},
      {"RESET work_mem", ""},
      {"DISCARD ALL", "reset"},
      {"DISCARD PLANS", ""},
      {"SET work_mem TO '1MB'", ""},
      {"SET SESSION AUTHORIZATION tester", ""},
      {"SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY", ""},
      {"SHOW search_path", ""},
      {"SELECT current_setting('search_path')", ""},
      {"SELECT pg_catalog.set_config('Search_Path', 'sales', false)", "unknown"},
      {"SELECT set_config($1, $2, false)", "unknown"},
      {"SELECT set_config('app.tenant', '7', true)", ""},
      {"DO $$ BEGIN SET search_path TO sales; END $$", "unknown"},
      {"UPDATE pg_settings SET setting = 'x' WHERE name = 'search_path'", "unknown"},
      {"CREATE FUNCTION f() RETURNS int LANGUAGE sql SET search_path = sales AS 'select 1'", ""},
      {"SET search_path TO sales; SELECT 1", "unknown"},
      {"BEGIN; SET work_mem TO '1MB'; COMMIT", ""},
      {"SELECT 1; RESET ALL", "unknown"},
      {"SELECT title FROM song", ""},
      {"", ""},
  };
  for (const auto& [sql, expected] : vectors) EXPECT_EQ(Shown(sql), expected) << sql;
  for (const auto& [sql, expected] : vectors) {
    for (std::size_t size = 0; size <= sql.size(); ++size) Shown(sql.substr(0, size));  // cut anywhere
  }
}

TEST(PgSchema, OfSettings) {
  EXPECT_EQ(FirstSchema("sales, public"), "sales");
  EXPECT_EQ(FirstSchema(" \"My Schema\" ,public"), "My Schema");
  EXPECT_EQ(FirstSchema("\"$user\", public"), "");
  EXPECT_EQ(FirstSchema("$user,public"), "");
  EXPECT_EQ(FirstSchema("\"a\"\"b\""), "");
  EXPECT_EQ(FirstSchema("\"a"), "");
  EXPECT_EQ(FirstSchema("\"\""), "");
  EXPECT_EQ(FirstSchema(""), "");
}

std::string PathOf(std::string_view options) {
  std::string_view path;
  return PathOfOptions(options, &path) ? std::string(path) : "unknown";
}

TEST(PgSchema, OfStartupOptions) {
  EXPECT_EQ(PathOf("-c search_path=sales"), "sales");
  EXPECT_EQ(PathOf("-csearch_path=sales,public -c work_mem=1MB"), "sales,public");
  EXPECT_EQ(PathOf("  --search-path=sales"), "sales");
  EXPECT_EQ(PathOf("--search_path=a -c search_path=b"), "b");
  EXPECT_EQ(PathOf("-c search_path=sales,\\ public"), "sales,\\");
  EXPECT_EQ(PathOf("-c search_path=my\\ schema"), "unknown");
  EXPECT_EQ(PathOf("-c geqo=off"), "");
  EXPECT_EQ(PathOf("-c"), "");
  EXPECT_EQ(PathOf(""), "");
}

/// A connection, and the namespace of its last span.
class PgNamespace : public ::testing::Test {
 protected:
  void SetUp() override { stream_.Open(); }
  void TearDown() override {
    stream_.Close(PROBE_CLOSE_LOCAL);
    EXPECT_EQ(driver_.host.LedgerProblem(), "");
    EXPECT_EQ(driver_.host.bytes(), 0U);
  }

  void Connect(const std::string& name = "", const std::string& value = "") {
    std::string body = U32(0x00030000) + Z("user") + Z("tester") + Z("database") + Z("shop");
    if (!name.empty()) body += Z(name) + Z(value);
    body += Z("");
    stream_.Send(U32(static_cast<unsigned>(body.size() + 4)) + body);
    stream_.Receive(Welcome());
  }
  void Ask(const std::string& sql, const std::string& tag, char status = 'I') {
    stream_.Send(Query(sql));
    stream_.Receive(Complete(tag) + Ready(status));
  }
  void Fail(const std::string& sql, char status = 'I') {
    stream_.Send(Query(sql));
    stream_.Receive(Failure("42601") + Ready(status));
  }
  std::string Now() {
    Ask("SELECT 1", "SELECT 1", status_);
    const auto& last = driver_.host.spans.back();
    return last.Has("db.namespace") ? last.Get("db.namespace") : "";
  }

  Driver driver_{probe_module_entry, "{}"};
  StreamDriver stream_ = driver_.NewStream();
  char status_ = 'I';
};

TEST_F(PgNamespace, OfTheStartup) {
  Connect("options", "-c search_path=sales,public");
  EXPECT_EQ(Now(), "shop|sales");
}

TEST_F(PgNamespace, OfAParameterOfTheStartup) {
  Connect("search_path", "sales");
  EXPECT_EQ(Now(), "shop|sales");
  Ask("SET search_path TO other", "SET");
  EXPECT_EQ(Now(), "shop|other");
  Ask("RESET search_path", "RESET");
  EXPECT_EQ(Now(), "shop|sales");
}

TEST_F(PgNamespace, OfSet) {
  Connect();
  EXPECT_EQ(Now(), "shop");
  Ask("SET search_path TO sales, public", "SET");
  EXPECT_EQ(Now(), "shop|sales");
  Fail("SET search_path TO other");
  EXPECT_EQ(Now(), "shop|sales");
  Ask("SELECT set_config('search_path', 'x', false)", "SELECT 1");
  EXPECT_EQ(Now(), "shop");
  Ask("SET SCHEMA 'last'", "SET");
  EXPECT_EQ(Now(), "shop|last");
  Ask("SET LOCAL search_path TO nothing", "SET");  // outside of a transaction: a warning
  EXPECT_EQ(Now(), "shop|last");
  Ask("RESET ALL", "RESET");
  EXPECT_EQ(Now(), "shop");
}

TEST_F(PgNamespace, OfTransactions) {
  Connect("search_path", "sales");
  status_ = 'T';
  Ask("BEGIN", "BEGIN", 'T');
  Ask("SET search_path TO a", "SET", 'T');
  EXPECT_EQ(Now(), "shop|a");
  Ask("ROLLBACK", "ROLLBACK");
  status_ = 'I';
  EXPECT_EQ(Now(), "shop|sales");

  status_ = 'T';
  Ask("BEGIN", "BEGIN", 'T');
  Ask("SET search_path TO b", "SET", 'T');
  Ask("SET LOCAL search_path TO c", "SET", 'T');
  EXPECT_EQ(Now(), "shop|c");
  Ask("COMMIT", "COMMIT");
  status_ = 'I';
  EXPECT_EQ(Now(), "shop|b");

  Ask("BEGIN", "BEGIN", 'T');
  Ask("SET search_path TO d", "SET", 'T');
  Fail("SELECT nothing", 'E');
  Ask("COMMIT", "ROLLBACK");  // of what failed
  EXPECT_EQ(Now(), "shop|b");

  status_ = 'T';
  Ask("BEGIN", "BEGIN", 'T');
  Ask("SAVEPOINT s", "SAVEPOINT", 'T');
  Ask("SET search_path TO e", "SET", 'T');
  Ask("ROLLBACK TO s", "ROLLBACK", 'T');
  EXPECT_EQ(Now(), "shop");  // which of them were undone is not known
  Ask("ROLLBACK", "ROLLBACK");
  status_ = 'I';
  EXPECT_EQ(Now(), "shop|b");
}

TEST_F(PgNamespace, OfAPipelineThatFails) {
  Connect("search_path", "sales");
  stream_.Send(Parse("", "SET search_path TO a") + Bind("", "") + Execute() + Parse("", "SELECT nothing") +
               Bind("", "") + Execute() + Sync());
  stream_.Receive(ParseDone() + BindDone() + Complete("SET") + Failure("42703") + Ready());
  EXPECT_EQ(Now(), "shop|sales");
  stream_.Send(Parse("", "SET search_path TO a") + Bind("", "") + Execute() + Sync());
  stream_.Receive(ParseDone() + BindDone() + Complete("SET") + Ready());
  EXPECT_EQ(Now(), "shop|a");
}

TEST_F(PgNamespace, OfAStatementThatIsNotKnown) {
  Connect("search_path", "sales");
  stream_.Send(Bind("", "before") + Execute() + Sync());
  stream_.Receive(BindDone() + Complete("SET") + Ready());
  EXPECT_EQ(Now(), "shop");
}

TEST_F(PgNamespace, OfWhatTheServerReports) {
  Connect();
  stream_.Receive(Typed('S', Z("search_path") + Z("\"$user\", public")));
  EXPECT_EQ(Now(), "shop");
  stream_.Send(Query("SELECT changes()"));
  const std::string answer = Complete("SELECT 1") + Typed('S', Z("search_path") + Z("sales, public")) + Ready();
  for (const char byte : answer) stream_.Receive(std::string(1, byte));
  EXPECT_EQ(Now(), "shop|sales");
  Ask("SET search_path TO other", "SET");  // it would have said so
  EXPECT_EQ(Now(), "shop|sales");
}

TEST_F(PgNamespace, IsNotKnownBehindAHole) {
  Connect("search_path", "sales");
  stream_.Lose(PROBE_SENT, 100);
  Ask("SELECT 1", "SELECT 1");
  stream_.Receive(Ready());
  EXPECT_EQ(Now(), "shop");
}

}  // namespace
}  // namespace probed::mod::sql::pg
