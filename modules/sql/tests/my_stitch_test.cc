// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// What a MySQL connection may do that the recorded ones did not.
#include <gmock/gmock.h>

#include <string>
#include <vector>

#include "api/sdk/generations.h"
#include "api/sdk/testing/drive.h"
#include "modules/sql/bpf/my_walk.h"
#include "modules/sql/tests/my_messages.h"

extern "C" const probe_module_entry_t probe_module_entry;

namespace probed::mod::sql {
namespace {

using namespace testing::my;  // NOLINT: the packets of this folder
using sdk::testing::Driver;
using sdk::testing::RecordedSpan;
using sdk::testing::StreamDriver;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::Z;

constexpr unsigned kMore = 0x000a;    // more results follow
constexpr unsigned kCursor = 0x0042;  // a cursor is open

class My : public ::testing::Test {
 protected:
  explicit My(std::string_view config = R"({"returned_rows":true})")
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
    stream_.Receive(Greeting());
    stream_.Send(Login());
    stream_.Receive(Done(2));
  }
  void Ask(const std::string& request, const std::string& response) {
    stream_.Send(request);
    stream_.Receive(response);
  }

  /// Name, database, error, rows and whether the statement is unknown, of each span so far.
  std::vector<std::string> Lines() const {
    std::vector<std::string> lines;
    for (const RecordedSpan& span : driver_.host.spans) {
      std::string line = span.name;
      if (span.Has("db.namespace")) line += " @" + span.Get("db.namespace");
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

TEST_F(My, SpanOfAQuery) {
  Connect();
  Ask(Query("SELECT title FROM song WHERE id = 7 AND kind = \"x\""), Rows(2));
  ASSERT_THAT(Lines(), ElementsAre("SELECT song @shop #2"));
  EXPECT_EQ(Last().kind, PROBE_SPAN_CLIENT);
  EXPECT_EQ(Last().Get("db.system.name"), "mysql");
  EXPECT_EQ(Last().Get("db.query.text"), "SELECT title FROM song WHERE id = ? AND kind = ?");
  EXPECT_EQ(Last().Get("server.address"), "192.0.2.10");
  EXPECT_TRUE(Last().measurements.contains("db.client.operation.duration"));
}

TEST_F(My, ErrorHasNumberAndState) {
  Connect();
  Ask(Query("INSERT INTO song VALUES (1)"), Failure(1062, "23000"));
  ASSERT_THAT(Lines(), ElementsAre("INSERT song @shop !1062"));
  EXPECT_EQ(Last().Get("db.response.status_code"), "1062");
  EXPECT_EQ(Last().Get("probed.db.sqlstate"), "23000");
}

TEST_F(My, ErrorAmongRows) {
  Connect();
  stream_.Send(Query("SELECT * FROM t"));
  const std::string rows = Rows(1);
  stream_.Receive(rows.substr(0, rows.size() - End(5).size()) + Failure(1317, "70100", 5));
  EXPECT_THAT(Lines(), ElementsAre("SELECT t @shop !1317 #1"));
}

TEST_F(My, SeveralResultsAreOneSpan) {
  Connect();
  Ask(Query("SELECT a FROM x; UPDATE y SET b = 1; SELECT c FROM z"), Rows(2, 1, kMore) + Done(7, kMore) + Rows(3, 8));
  EXPECT_THAT(Lines(), ElementsAre("BATCH @shop #5"));
}

TEST_F(My, PreparedOnceExecutedOften) {
  Connect();
  Ask(Prepare("SELECT title FROM song WHERE id = ? AND kind = 'x'"), Prepared(1));
  Ask(Execute(1), Rows(1));
  Ask(Execute(1), Rows(1));
  EXPECT_THAT(Lines(), ElementsAre("SELECT song @shop #1", "SELECT song @shop #1"));
  EXPECT_EQ(Last().Get("db.query.text"), "SELECT title FROM song WHERE id = ? AND kind = 'x'");
  stream_.Send(Command(MY_STMT_CLOSE, L(1, 4)));
  Ask(Execute(1), Failure(1243, "HY000"));
  EXPECT_EQ(Lines().back(), "shop @shop !1243 unknown");
}

TEST_F(My, FailedPrepareIsASpan) {
  Connect();
  Ask(Prepare("SELECT nothing FROM song"), Failure(1054, "42S22"));
  EXPECT_THAT(Lines(), ElementsAre("SELECT song @shop !1054"));
}

TEST_F(My, ExecutedBeforeItsNumberIsKnown) {
  Connect();
  stream_.Send(Prepare("SELECT a FROM t WHERE b = ?") + Execute(0xffffffff));
  stream_.Receive(Prepared(3) + Rows(1));
  EXPECT_THAT(Lines(), ElementsAre("SELECT t @shop #1"));
}

TEST_F(My, CursorIsFetchedInParts) {
  Connect();
  Ask(Prepare("SELECT a FROM t"), Prepared(1));
  Ask(Execute(1), Packet(1, L(1, 1)) + Column(2) + End(3, kCursor));
  Ask(Command(MY_STMT_FETCH, L(1, 4) + L(2, 4)),
      Packet(1, std::string(5, '\0')) + Packet(2, std::string(5, '\0')) + End(3, kCursor));
  EXPECT_THAT(Lines(), ElementsAre("SELECT t @shop", "SELECT t @shop #2"));
}

TEST_F(My, StatementOfBeforeIsUnknown) {
  Ask(Execute(5), Rows(1));
  EXPECT_THAT(Lines(), ElementsAre("192.0.2.10:40000 #1 unknown"));
  EXPECT_FALSE(Last().Has("db.query.text"));
  EXPECT_EQ(Last().Get("db.system.name"), "mysql");
}

TEST_F(My, DatabaseIsFollowed) {
  Connect();
  Ask(Command(MY_INIT_DB, "sales"), Done());
  Ask(Query("SELECT a FROM t"), Rows(1));
  Ask(Query("USE `stock`;"), Done());
  Ask(Query("SELECT a FROM t"), Rows(1));
  Ask(Query("USE absent"), Failure(1049, "42000"));
  Ask(Query("SET x = 1; USE other"), Done(1, kMore) + Done(2));
  Ask(Query("SELECT a FROM t"), Rows(1));
  Ask(Query("DO nothing"), DoneIn("told"));
  Ask(Query("SELECT a FROM t"), Rows(1));
  EXPECT_THAT(Lines(), ElementsAre("SELECT t @sales #1", "USE @sales", "SELECT t @stock #1", "USE @stock !1049",
                                   "BATCH @stock", "SELECT t #1", "DO @told", "SELECT t @told #1"));
}

TEST_F(My, AnotherUserIsANewConnection) {
  Connect();
  Ask(Prepare("SELECT a FROM t"), Prepared(1));
  stream_.Send(Command(MY_CHANGE_USER, Z("other") + Text("proof") + Z("sales")));
  stream_.Receive(Packet(1, "\xfe" + Z("mysql_native_password") + "salt"));
  stream_.Send(Packet(2, "twenty bytes of proof"));
  stream_.Receive(Done(3));
  Ask(Execute(1), Rows(1));
  EXPECT_EQ(Lines().back(), "192.0.2.10:40000 #1 unknown");
}

TEST_F(My, DataOfAFileIsNoCommand) {
  Connect();
  Ask(Query("LOAD DATA LOCAL INFILE 'x' INTO TABLE song"), Packet(1, "\xfbx"));
  for (unsigned i = 2; i < 600; ++i) stream_.Send(Packet(i & 0xffU, "\x03SELECT secret FROM data"));
  stream_.Send(Packet(600 & 0xffU, ""));
  stream_.Receive(Packet(601 & 0xffU, "\xff\xff\xff\x01\x02\x02"));  // of its progress
  stream_.Receive(Done(602 & 0xffU));
  Ask(Query("SELECT a FROM t"), Rows(1));
  EXPECT_THAT(Lines(), ElementsAre("LOAD @shop", "SELECT t @shop #1"));
}

TEST_F(My, CommandsWithoutStatementsMakeNoSpans) {
  Connect();
  Ask(Command(MY_PING), Done());
  Ask(Command(MY_STATISTICS), Packet(1, "Uptime: 1"));
  Ask(Command(MY_FIELD_LIST, Z("song")), Column(1) + Column(2) + End(3));
  Ask(Command(MY_RESET_CONNECTION), Done());
  Ask(Query("SELECT a FROM t"), Rows(1));
  EXPECT_THAT(Lines(), ElementsAre("SELECT t @shop #1"));
}

TEST_F(My, TlsIsHandedOver) {
  stream_.Receive(Greeting());
  stream_.Send(TlsRequest());
  EXPECT_EQ(stream_.raw()->handed_to, "tls");
  stream_.Send("\x16\x03\x01");
  EXPECT_EQ(driver_.host.Counted(PROBE_IGNORED_AFTER_UPGRADE), 1U);
  EXPECT_THAT(Lines(), IsEmpty());
}

TEST_F(My, WhatTheKernelLetGoIsNotHandedOver) {
  stream_.Receive(Greeting());
  stream_.Send(TlsRequest().substr(0, 4));  // a server reads the head of a packet by itself
  stream_.Feed({PROBE_SENT, TlsRequest().substr(4), 0, 0, MY_LET_GO});
  EXPECT_EQ(stream_.raw()->handed_to, "");
  stream_.Send("\x16\x03\x01");
  EXPECT_EQ(driver_.host.Counted(PROBE_IGNORED_AFTER_UPGRADE), 1U);
}

TEST_F(My, InsideTlsAServerReadsTheHeadByItself) {
  StreamDriver server = driver_.NewStream();
  server.Open();
  const std::string login = Login(MY_TLS, "shop", 2);
  server.Receive(login.substr(0, MY_HEADER_BYTES));
  server.Receive(login.substr(MY_HEADER_BYTES) + std::string(1000, 'x'));  // more than is kept of a beginning
  EXPECT_EQ(driver_.host.Counted(PROBE_UNDECODABLE_GAP), 0U);
  server.Close(PROBE_CLOSE_LOCAL);
}

TEST_F(My, InsideTlsItBeginsWithTheLogin) {
  stream_.Send(Login(MY_TLS, "shop", 2));
  stream_.Receive(Done(3));
  Ask(Query("SELECT a FROM t"), Rows(1));
  EXPECT_THAT(Lines(), ElementsAre("SELECT t @shop #1"));
}

TEST_F(My, CompressedIsCountedAndGivenAway) {
  stream_.Receive(Greeting());
  stream_.Send(Login(MY_COMPRESS));
  stream_.Receive(Done(2));
  stream_.Send(std::string("\x1a\0\0\0\0\0\0", 7) + Query("SELECT a FROM t"));
  EXPECT_EQ(driver_.host.Counted(PROBE_IGNORED_AFTER_UPGRADE), 1U);
  ASSERT_EQ(driver_.host.points.size(), 1U);
  EXPECT_EQ(driver_.host.points[0].instrument, "probed.db.connections.compressed");
  EXPECT_THAT(Lines(), IsEmpty());
}

/// Of a connection whose addresses nobody knows it is counted without them.
TEST_F(My, CompressedWithoutAddresses) {
  StreamDriver late = driver_.NewStream();
  late.Receive(Greeting());
  late.Send(Login(MY_COMPRESS));
  late.Receive(Done(2));
  ASSERT_EQ(driver_.host.points.size(), 1U);
  EXPECT_EQ(driver_.host.points[0].attributes, (std::map<std::string, std::string>{{"db.system.name", "mysql"}}));
  late.Close(PROBE_CLOSE_UNLOAD);
}

TEST_F(My, QueryAttributesAreNoText) {
  Connect();
  Ask(Command(MY_QUERY, L(0, 1) + L(1, 1) + "SELECT a FROM t"), Rows(1));
  Ask(Command(MY_QUERY, L(1, 1) + L(1, 1) + "bitmap SELECT a FROM t"), Rows(1));
  EXPECT_THAT(Lines(), ElementsAre("SELECT t @shop #1", "shop @shop #1"));
}

TEST_F(My, ConnectionEndsFirst) {
  StreamDriver other = driver_.NewStream();
  other.Open();
  other.Receive(Greeting());
  other.Send(Login());
  other.Receive(Done(2));
  other.Send(Query("SELECT SLEEP(10)"));
  other.Close(PROBE_CLOSE_RESET);
  EXPECT_THAT(Lines(), ElementsAre("SELECT @shop !connection_reset"));
}

TEST_F(My, LostAnswerAbortsAndIsTakenUpAgain) {
  Connect();
  stream_.Send(Query("SELECT a FROM t"));
  stream_.Lose(PROBE_RECEIVED, Rows(1).size());
  Ask(Query("SELECT b FROM t"), Rows(1));
  Ask(Query("SELECT c FROM t"), Rows(1));
  Ask(Query("SELECT d FROM t"), Rows(1));
  EXPECT_EQ(driver_.host.Aborts(PROBE_ABORTED_GAP), 2U);
  EXPECT_THAT(Lines(), ElementsAre("SELECT t @shop #1", "SELECT t @shop #1"));
}

class MyServer : public My {
 protected:
  MyServer() : My(R"({"server_spans":true})") {}
};

/// As a server reads it: the head of a packet by itself.
TEST_F(MyServer, HeadsByThemselves) {
  stream_.Send(Greeting("10.11.6-MariaDB"));
  for (const std::string& packet : {Login(), Query("SELECT a FROM t")}) {
    stream_.Receive(packet.substr(0, 4));
    stream_.Receive(packet.substr(4));
    stream_.Send(packet == Login() ? Done(2) : Rows(1));
  }
  ASSERT_THAT(Lines(), ElementsAre("SELECT t @shop"));
  EXPECT_EQ(Last().kind, PROBE_SPAN_SERVER);
  EXPECT_EQ(Last().Get("db.system.name"), "mariadb");
}

}  // namespace
}  // namespace probed::mod::sql
