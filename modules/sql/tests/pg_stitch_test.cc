// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// What a connection may do that the recorded ones did not.
#include <gmock/gmock.h>

#include <string>
#include <vector>

#include "api/sdk/generations.h"
#include "api/sdk/testing/drive.h"
#include "modules/sql/bpf/pg_walk.h"
#include "modules/sql/tests/conversations.h"

extern "C" const probe_module_entry_t probe_module_entry;

namespace probed::mod::sql {
namespace {

using namespace testing;  // NOLINT: the messages of this folder
using sdk::testing::Driver;
using sdk::testing::RecordedSpan;
using sdk::testing::StreamDriver;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr std::uint64_t kMs = 1'000'000;

class Pg : public ::testing::Test {
 protected:
  explicit Pg(std::string_view config = R"({"returned_rows":true})")
      : driver_(probe_module_entry, config), stream_(driver_.NewStream()) {}

  void SetUp() override { stream_.Open(); }
  void TearDown() override {
    stream_.Close(PROBE_CLOSE_UNLOAD);
    EXPECT_EQ(driver_.host.LedgerProblem(), "");
    EXPECT_EQ(driver_.host.in_flight(), 0U);
    EXPECT_EQ(driver_.host.bytes(), 0U);
    EXPECT_EQ(driver_.OldestGeneration(), sdk::Pins::kNone);
  }

  void Connect() {
    stream_.Send(Startup());
    stream_.Receive(Welcome());
  }

  /// Name, error, rows and whether the statement is unknown, of each span so far.
  std::vector<std::string> Lines() const {
    std::vector<std::string> lines;
    for (const RecordedSpan& span : driver_.host.spans) {
      std::string line = span.name;
      if (!span.error_type.empty()) line += " !" + span.error_type;
      if (span.Has("db.response.returned_rows")) line += " #" + span.Get("db.response.returned_rows");
      if (span.Has("probed.db.statement_unknown")) line += " unknown";
      lines.push_back(line);
    }
    return lines;
  }
  const RecordedSpan& Last() const { return driver_.host.spans.back(); }

  Driver driver_;
  StreamDriver stream_;
};

class PgServer : public Pg {
 protected:
  PgServer() : Pg(R"({"server_spans":true})") {}
};

TEST_F(Pg, SpanOfAQuery) {
  Connect();
  stream_.Send(Query("SELECT title FROM song WHERE id = 7"));
  stream_.Receive(Columns() + Row() + Row() + Complete("SELECT 2") + Ready());
  ASSERT_THAT(Lines(), ElementsAre("SELECT song #2"));
  EXPECT_EQ(Last().kind, PROBE_SPAN_CLIENT);
  EXPECT_EQ(Last().Get("db.system.name"), "postgresql");
  EXPECT_EQ(Last().Get("db.namespace"), "shop");
  EXPECT_EQ(Last().Get("db.query.summary"), "SELECT song");
  EXPECT_EQ(Last().Get("db.query.text"), "SELECT title FROM song WHERE id = ?");
  EXPECT_EQ(Last().Get("server.address"), "192.0.2.10");
  EXPECT_EQ(Last().Get("server.port"), "40000");
  EXPECT_FALSE(Last().Has("db.response.status_code"));
  EXPECT_EQ(Last().end_ns - Last().start_ns, 1 * kMs);
  EXPECT_TRUE(Last().measurements.contains("db.client.operation.duration"));
}

TEST_F(Pg, StatementsSentAsOneAreABatch) {
  Connect();
  stream_.Send(Query("INSERT INTO plays VALUES (1); INSERT INTO plays VALUES (2)"));
  stream_.Receive(Complete("INSERT 0 1") + Complete("INSERT 0 1") + Ready());
  ASSERT_THAT(Lines(), ElementsAre("BATCH INSERT plays"));
  EXPECT_EQ(Last().Get("db.operation.batch.size"), "2");
  EXPECT_EQ(Last().Get("db.query.text"), "INSERT INTO plays VALUES (?); INSERT INTO plays VALUES (?)");
  stream_.Send(Query("SELECT 1;"));
  stream_.Receive(Complete("SELECT 1") + Ready());
  EXPECT_FALSE(Last().Has("db.operation.batch.size"));
}

TEST_F(Pg, DefaultPortIsNotSaid) {
  StreamDriver other = driver_.NewStream();
  probe_open_t open{};
  open.struct_size = sizeof(open);
  open.peer = {{192, 0, 2, 10}, 5432, PROBE_FAMILY_INET, {}};
  other.OpenWith(open);
  other.Send(Startup());
  other.Receive(Welcome());
  other.Send(Query("SELECT 1"));
  other.Receive(Complete("SELECT 1") + Ready());
  EXPECT_EQ(Last().Get("server.address"), "192.0.2.10");
  EXPECT_FALSE(Last().Has("server.port"));
  other.Close(PROBE_CLOSE_LOCAL);
}

TEST_F(Pg, PreparedOnceExecutedOften) {
  Connect();
  stream_.Send(Parse("s1", "SELECT title FROM song WHERE id = $1 AND kind = 'x'") + Describe('S', "s1") + Sync());
  stream_.Receive(ParseDone() + Typed('t', U16(0)) + Columns() + Ready());
  for (int i = 0; i < 3; ++i) {
    stream_.Send(Bind("", "s1") + Execute() + Sync());
    stream_.Receive(BindDone() + Row() + Complete("SELECT 1") + Ready());
  }
  EXPECT_THAT(Lines(), ElementsAre("SELECT song #1", "SELECT song #1", "SELECT song #1"));
  // its values come apart from it, so it stays as it is
  EXPECT_EQ(Last().Get("db.query.text"), "SELECT title FROM song WHERE id = $1 AND kind = 'x'");
  stream_.Send(CloseStatement("s1") + Sync());
  stream_.Receive(CloseDone() + Ready());
  stream_.Send(Bind("", "s1") + Execute() + Sync());
  stream_.Receive(Failure("26000") + Ready());
  EXPECT_EQ(Lines().back(), "shop !26000 unknown");
}

TEST_F(Pg, StatementOfBeforeIsUnknown) {
  stream_.Send(Bind("", "old") + Describe('P', "") + Execute() + Sync());
  stream_.Receive(BindDone() + Columns() + Row() + Complete("SELECT 1") + Ready());
  EXPECT_THAT(Lines(), ElementsAre("192.0.2.10:40000 #1 unknown"));
  EXPECT_FALSE(Last().Has("db.query.text"));
  EXPECT_FALSE(Last().Has("db.namespace"));
}

TEST_F(Pg, PortalIsFetchedInParts) {
  Connect();
  stream_.Send(Parse("", "SELECT * FROM song") + Bind("p", "") + Execute("p", 2) + Sync());
  stream_.Receive(ParseDone() + BindDone() + Row() + Row() + Suspended() + Ready('T'));
  stream_.Send(Execute("p", 2) + Sync());
  stream_.Receive(Row() + Complete("SELECT 1") + Ready());
  EXPECT_THAT(Lines(), ElementsAre("SELECT song #2", "SELECT song #1"));
}

TEST_F(Pg, PipelineOfSyncs) {
  Connect();
  std::string requests;
  std::string answers;
  for (const char* table : {"a", "b", "c"}) {
    requests += Parse("", std::string("UPDATE ") + table + " SET x = $1") + Bind("", "") + Execute() + Sync();
    answers += ParseDone() + BindDone() + Complete("UPDATE 1") + Ready();
  }
  stream_.Send(requests);
  stream_.Receive(answers);
  EXPECT_THAT(Lines(), ElementsAre("UPDATE a", "UPDATE b", "UPDATE c"));
}

TEST_F(Pg, FailedParseIsTheExecutesFailure) {
  Connect();
  stream_.Send(Parse("", "SELECT nothing FROM song") + Bind("", "") + Execute() + Sync());
  stream_.Receive(Failure("42703") + Ready());
  stream_.Send(Parse("bad", "SELEC") + Describe('S', "bad") + Sync());  // no Execute behind it
  stream_.Receive(Failure("42601") + Ready());
  EXPECT_THAT(Lines(), ElementsAre("SELECT song !42703", "SELEC !42601"));
  EXPECT_EQ(Last().Get("db.response.status_code"), "42601");
  stream_.Send(Bind("", "bad") + Execute() + Sync());
  stream_.Receive(Failure("26000") + Ready());
  EXPECT_EQ(Lines().back(), "shop !26000 unknown");
}

TEST_F(Pg, NameThatIsTakenKeepsItsStatement) {
  Connect();
  stream_.Send(Parse("s", "SELECT 1 FROM first") + Sync());
  stream_.Receive(ParseDone() + Ready());
  stream_.Send(Parse("s", "SELECT 1 FROM second") + Sync());
  stream_.Receive(Failure("42P05") + Ready());
  stream_.Send(Bind("", "s") + Execute() + Sync());
  stream_.Receive(BindDone() + Complete("SELECT 0") + Ready());
  EXPECT_THAT(Lines(), ElementsAre("SELECT second !42P05", "SELECT first"));
}

TEST_F(Pg, BehindAFailureNothingIsExecuted) {
  Connect();
  const std::string one = Parse("", "SELECT 1 FROM a") + Bind("", "") + Execute();
  const std::string two = Parse("", "SELECT 1 FROM b") + Bind("", "") + Execute();
  stream_.Send(one + two);
  stream_.Receive(ParseDone() + BindDone() + Failure("22012"));
  stream_.Send(two + Sync());  // sent after the failure
  stream_.Receive(Ready());
  stream_.Send(Query("SELECT 1 FROM c"));
  stream_.Receive(Complete("SELECT 1") + Ready());
  EXPECT_THAT(Lines(),
              ElementsAre("SELECT a !22012", "SELECT b !pipeline_aborted", "SELECT b !pipeline_aborted", "SELECT c"));
}

TEST_F(Pg, WarningIsSaidAndIsNoError) {
  Connect();
  stream_.Send(Query("COMMIT"));
  stream_.Receive(Notice("01000") + Complete("COMMIT") + Ready());
  stream_.Send(Query("DROP TABLE IF EXISTS t"));
  stream_.Receive(Notice("00000") + Complete("DROP TABLE") + Ready());
  ASSERT_THAT(Lines(), ElementsAre("COMMIT", "DROP TABLE t"));
  EXPECT_EQ(driver_.host.spans[0].Get("db.response.status_code"), "01000");
  EXPECT_FALSE(Last().Has("db.response.status_code"));
}

TEST_F(Pg, CancelledQueryHasItsCode) {
  Connect();
  stream_.Send(Query("SELECT pg_sleep(10)"));
  StreamDriver other = driver_.NewStream();
  other.Open();
  other.Send(CancelRequest());
  other.Close(PROBE_CLOSE_PEER);
  stream_.Receive(Failure("57014") + Ready());
  EXPECT_THAT(Lines(), ElementsAre("SELECT !57014"));
}

TEST_F(Pg, ConnectionEndsBeforeTheAnswer) {
  StreamDriver other = driver_.NewStream();
  other.Open();
  other.Send(Startup());
  other.Receive(Welcome());
  other.Send(Query("SELECT 1"));
  other.Close(PROBE_CLOSE_RESET);
  EXPECT_THAT(Lines(), ElementsAre("SELECT !connection_reset"));
}

TEST_F(Pg, ServerEndsWithACode) {
  StreamDriver other = driver_.NewStream();
  other.Open();
  other.Send(Startup());
  other.Receive(Welcome());
  other.Send(Query("SELECT 1"));
  other.Receive(Failure("57P01"));
  other.Close(PROBE_CLOSE_PEER);
  EXPECT_THAT(Lines(), ElementsAre("SELECT !57P01"));
}

TEST_F(Pg, TlsIsGivenAway) {
  stream_.Send(SslRequest());
  stream_.Receive("S");
  EXPECT_EQ(stream_.raw()->handed_to, "tls");
  stream_.Send("\x16\x03\x01");
  EXPECT_EQ(driver_.host.Counted(PROBE_IGNORED_AFTER_UPGRADE), 1U);
}

TEST_F(Pg, WhatTheKernelLetGoIsNotGivenAway) {
  stream_.Send(SslRequest());
  stream_.Feed({PROBE_RECEIVED, "S", 0, 0, PG_HINT_LET_GO});
  EXPECT_EQ(stream_.raw()->handed_to, "");
  stream_.Close(PROBE_CLOSE_HANDED_OVER);
  EXPECT_THAT(Lines(), IsEmpty());
}

TEST_F(Pg, RefusedTlsGoesOn) {
  stream_.Send(SslRequest());
  stream_.Receive("N");
  Connect();
  stream_.Send(Query("SELECT 1"));
  stream_.Receive(Complete("SELECT 1") + Ready());
  EXPECT_THAT(Lines(), ElementsAre("SELECT"));
}

TEST_F(Pg, RowsThatAreNotThereAreCounted) {
  Connect();
  stream_.Send(Query("SELECT * FROM big"));
  stream_.Feed({PROBE_RECEIVED, Columns() + Row(std::string(5000, 'x')).substr(0, 100), 4911 - 100 + 100});
  EXPECT_THAT(Lines(), IsEmpty());
  stream_.Receive(Row() + Complete("SELECT 2") + Ready());
  EXPECT_THAT(Lines(), ElementsAre("SELECT big #2"));
}

TEST_F(Pg, PasswordsAreNotThere) {
  stream_.Send(Startup());
  stream_.Receive(Typed('R', U32(3)));
  stream_.Feed({PROBE_SENT, Typed('p', Z("secret")).substr(0, 5), 7});
  stream_.Receive(Welcome());
  stream_.Send(Query("SELECT 1"));
  stream_.Receive(Complete("SELECT 1") + Ready());
  EXPECT_THAT(Lines(), ElementsAre("SELECT"));
}

TEST_F(Pg, RowsLeftOutByTheKernel) {
  Connect();
  stream_.Send(Query("SELECT * FROM big"));
  stream_.Receive(Columns() + Row() + Row());
  stream_.Lose(PROBE_RECEIVED, 100'000);
  stream_.Feed({PROBE_RECEIVED, Row() + Complete("SELECT 700") + Ready(), 0, 0, PG_HINT_PASSED});
  stream_.Send(Query("COPY big TO STDOUT"));
  stream_.Receive(Typed('H', "x") + Typed('d', "y"));
  stream_.Lose(PROBE_RECEIVED, 100'000);
  stream_.Feed({PROBE_RECEIVED, Typed('c', "") + Complete("COPY 700") + Ready(), 0, 0, PG_HINT_PASSED});
  EXPECT_THAT(Lines(), ElementsAre("SELECT big #700", "COPY big"));
}

TEST_F(Pg, AnswerThatWasLostIsNoneAtTheEnd) {
  StreamDriver other = driver_.NewStream();
  other.Open();
  other.Send(Startup());
  other.Receive(Welcome());
  other.Send(Query("SELECT 1"));
  other.Lose(PROBE_RECEIVED, 50);
  other.Receive("x");
  other.Close(PROBE_CLOSE_PEER);
  EXPECT_THAT(Lines(), IsEmpty());
  EXPECT_EQ(driver_.host.Aborts(PROBE_ABORTED_GAP), 1U);
}

TEST_F(Pg, LongStatementIsCut) {
  Connect();
  driver_.Configure(R"({"capture_bytes":64})", 2);
  stream_.generation = 2;
  stream_.Send(Query("SELECT a FROM first JOIN second ON 1 = 1 WHERE x = '" + std::string(100'000, 's') + "'"));
  stream_.Receive(Complete("SELECT 0") + Ready());
  ASSERT_THAT(Lines(), ElementsAre("SELECT first second"));
  EXPECT_EQ(Last().Get("db.query.text"), "SELECT a FROM first JOIN second ON ? = ? WHERE x = ?");
  EXPECT_EQ(Last().Get("probed.db.text_truncated"), "true");
}

TEST_F(Pg, StatementsForgottenBySql) {
  Connect();
  stream_.Send(Parse("a", "SELECT 1 FROM a") + Parse("b", "SELECT 1 FROM b") + Sync());
  stream_.Receive(ParseDone() + ParseDone() + Ready());
  stream_.Send(Query("DEALLOCATE a"));
  stream_.Receive(Complete("DEALLOCATE") + Ready());
  for (const char* name : {"a", "b"}) {
    stream_.Send(Bind("", name) + Execute() + Sync());
    stream_.Receive(BindDone() + Complete("SELECT 1") + Ready());
  }
  EXPECT_THAT(Lines(), ElementsAre("DEALLOCATE", "shop unknown", "SELECT b"));
}

TEST_F(Pg, AnswerThatCannotBeEndsTrust) {
  Connect();
  stream_.Send(Query("SELECT 1 FROM a"));
  stream_.Receive(BindDone());
  EXPECT_EQ(driver_.host.Aborts(PROBE_ABORTED_GAP), 1U);
  stream_.Receive(Complete("SELECT 1") + Ready());
  EXPECT_THAT(Lines(), IsEmpty());
  stream_.Send(Query("SELECT 1 FROM b"));
  stream_.Receive(Complete("SELECT 1") + Ready());
  EXPECT_THAT(Lines(), ElementsAre("SELECT b"));
}

TEST_F(Pg, OperationsWhoseAnswerWouldBeGuessedAreCounted) {
  Connect();
  stream_.Lose(PROBE_SENT, 500);
  stream_.Send(Query("SELECT * FROM a"));
  stream_.Receive(Complete("SELECT 1") + Ready());
  EXPECT_EQ(driver_.host.Aborts(PROBE_ABORTED_GAP), 1U);
  stream_.Lose(PROBE_SENT, 500);
  stream_.Send(Parse("", "SELECT 1 FROM b") + Bind("", "") + Execute() + Sync());
  stream_.Receive(ParseDone() + BindDone() + Complete("SELECT 1") + Ready());
  EXPECT_EQ(driver_.host.Aborts(PROBE_ABORTED_GAP), 2U);
  stream_.Send(Query("SELECT * FROM c"));
  stream_.Receive(Complete("SELECT 1") + Ready());
  EXPECT_THAT(Lines(), ElementsAre("SELECT c"));
}

TEST_F(Pg, TakenUpWhereTheServerIsReady) {
  Connect();
  stream_.Send(Query("SELECT * FROM a"));
  stream_.Lose(PROBE_RECEIVED, 5000);
  stream_.Receive("the rest of a row" + Row() + Complete("SELECT 99") + Ready());
  EXPECT_EQ(driver_.host.Aborts(PROBE_ABORTED_GAP), 1U);
  stream_.Send(Query("SELECT * FROM b"));
  stream_.Receive(Complete("SELECT 1") + Ready());
  EXPECT_THAT(Lines(), ElementsAre("SELECT b"));
}

TEST_F(Pg, StatementsBehindLostOnesAreCounted) {
  Connect();
  stream_.Lose(PROBE_SENT, 20);
  stream_.Lose(PROBE_RECEIVED, 60);
  for (const char* text : {"select 1", "select 2", "select 3"}) {
    stream_.Send(Query(text));
    stream_.Receive(Columns() + Row("1") + Complete("SELECT 1") + Ready());
  }
  EXPECT_THAT(Lines(), ElementsAre("select #1", "select #1"));
  EXPECT_EQ(driver_.host.opened(), 3U);
  EXPECT_EQ(driver_.host.Aborts(PROBE_ABORTED_GAP), 1U);
}

TEST_F(Pg, ForeignBytesAreGivenUp) {
  for (int i = 0; i < 8; ++i) stream_.Receive("HTTP/1.1 200 OK\r\n");
  EXPECT_TRUE(stream_.raw()->not_mine);
}

TEST_F(Pg, ServersStayQuietUnlessAsked) {
  stream_.Receive(Startup());
  stream_.Send(Welcome());
  stream_.Receive(Query("SELECT 1"));
  stream_.Send(Complete("SELECT 1") + Ready());
  EXPECT_THAT(Lines(), IsEmpty());
  EXPECT_EQ(driver_.host.opened(), 0U);
}

TEST_F(PgServer, SpanOfAServer) {
  stream_.Receive(Startup());
  stream_.Send(Welcome());
  stream_.Receive(Query("SELECT 1"));
  stream_.Send(Complete("SELECT 1") + Ready());
  ASSERT_THAT(Lines(), ElementsAre("SELECT"));
  EXPECT_EQ(Last().kind, PROBE_SPAN_SERVER);
  EXPECT_EQ(Last().Get("server.port"), "8080");
  EXPECT_THAT(Last().measurements, IsEmpty());
}

TEST(PgConfig, IsChecked) {
  Driver driver(probe_module_entry);
  EXPECT_THAT(driver.Check(R"({"capture_bytes":100,"query_text":false})"), IsEmpty());
  EXPECT_FALSE(driver.Check(R"({"capture_bytes":1})").empty());
}

}  // namespace
}  // namespace probed::mod::sql
