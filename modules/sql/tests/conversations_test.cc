// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// What real clients and PostgreSQL 15 or MariaDB 10.11 said to each other: whole, byte by byte and with a hole at every
// place, as the client and as the server sees it.
#include <gmock/gmock.h>

#include <algorithm>
#include <string>
#include <tuple>
#include <vector>

#include "api/sdk/generations.h"
#include "api/sdk/testing/drive.h"
#include "modules/sql/tests/conversations.h"

extern "C" const probe_module_entry_t probe_module_entry;

namespace probed::mod::sql {
namespace {

using namespace testing;  // NOLINT: the conversations of this folder
using sdk::testing::Driver;
using sdk::testing::FeedWithHole;
using sdk::testing::RecordedSpan;
using sdk::testing::SplitAtEveryByte;
using sdk::testing::StreamDriver;
using sdk::testing::TotalBytes;
using ::testing::ElementsAreArray;

/// Spans in their order: text, error, rows.
struct Expected {
  std::string name;
  std::vector<std::string> spans;
  std::string system = "postgresql";
};

/// Of the programs in tests/e2e/servers/sql, whose libraries send so many statements of their own first.
std::vector<std::string> Clients(int own) {
  std::vector<std::string> spans(static_cast<std::size_t>(own), "*");
  spans.insert(spans.end(), 3, "select title from song where id = ? - 1");
  spans.emplace_back("insert into song values (?, ?) 1062 -");
  return spans;
}

const std::vector<Expected>& AllExpected() {
  static const std::string kSelect = "select title from song where id = ?;";
  static const std::vector<Expected> all = {
      {"psql_simple",
       {"select id, title from song where id < ? - 2", "select nothing from song where title = ? 42703 -",
        "insert into plays (song) values (?); delete from plays where song = ? - -",
        "drop table if exists absent - -"}},
      {"psql_copy",
       {"copy song from stdin - -", "copy (select * from song where id > ?) to stdout - -",
        "delete from song where id > ? - -"}},
      {"pgbench_simple", {kSelect + " - 1", kSelect + " - 1", kSelect + " - 1"}},
      {"pgbench_extended",
       {"begin; - -", "insert into plays (song) values (?); - -", "select count(*) from plays; - 1", "rollback; - -"}},
      {"pgbench_prepared",
       {"select title from song where id = $1; - 1", "select title from song where id = $1; - 1",
        "select title from song where id = $1; - 1"}},
      {"libpq_pipeline",
       {kSelect + " - 1", "update song set title = title where id = ?; - -", kSelect + " - 1", kSelect + " - 1",
        "update song set title = title where id = ?; - -", kSelect + " - 1"}},
      {"libpq_pipeline_error",
       {kSelect + " - 1", "select ?/(id-id) from song; 22012 -", kSelect + " pipeline_aborted -"}},
      {"psycopg2",
       {"BEGIN - -", "select title from song where id = ? and title <> ? - 1", "insert into song values (?, ?) 23505 -",
        "ROLLBACK - -"}},
      {"maria_simple",
       {"select id, title from song where id < ? - ? - 2", "select nothing from song where title = ? 1054 -",
        "insert into plays (song) values (?) - -", "drop table if exists absent - -", "SELECT DATABASE() - 1",
        "select count(*) from db where User = ? - 1", "SELECT DATABASE() - 1"},
       "mariadb"},
      {"maria_infile",
       {"load data local infile ? into table song fields terminated by ? optionally enclosed by ? - -",
        "delete from song where id > ? - -", "load data local infile ? into table song - -"},
       "mariadb"},
      {"pymysql",
       {"SET AUTOCOMMIT = ? - -", "select title from song where id = ? and title <> ? - 1",
        "insert into song values (?,?) 1062 -",
        "select ?; update song set title=title where id=?; select id from song where id < ? - 4",
        "drop procedure if exists two - -",
        "create procedure two() begin select ?; select title from song where id<?; end - -", "call two() - 3",
        "ROLLBACK - -", "select ? from db - 0"},
       "mariadb"},
      {"go_mysql", Clients(0), "mariadb"},
      {"node_mysql2", Clients(0), "mariadb"},
      {"connector_j", Clients(3), "mariadb"},
      {"mariadb_j", Clients(1), "mariadb"},
  };
  return all;
}

/// What the libraries send by themselves is of no interest.
std::string Line(const RecordedSpan& span) {
  const std::string& text = span.Get("db.query.text");
  if (text.find("@@") != std::string::npos || text.starts_with("SET character") || text.starts_with("SET autocommit"))
    return "*";
  const std::string rows = span.Has("db.response.returned_rows") ? span.Get("db.response.returned_rows") : "-";
  return span.Get("db.query.text") + " " + (span.error_type.empty() ? "-" : span.error_type) + " " + rows;
}

constexpr const char* kConfig = R"({"returned_rows":true,"server_spans":true})";

class Conversations : public ::testing::TestWithParam<std::tuple<std::size_t, char>> {
 protected:
  const Expected& expected() const { return AllExpected()[std::get<0>(GetParam())]; }
  bool is_client() const { return std::get<1>(GetParam()) == '>'; }
  std::vector<Steps> connections() const { return Conversation(expected().name, std::get<1>(GetParam())); }

  void ExpectAll(const Driver& driver) {
    std::vector<std::string> lines;
    for (const RecordedSpan& span : driver.host.spans) {
      lines.push_back(Line(span));
      EXPECT_EQ(span.kind, is_client() ? PROBE_SPAN_CLIENT : PROBE_SPAN_SERVER);
      EXPECT_EQ(span.Get("db.system.name"), expected().system);
      EXPECT_THAT(span.Get("db.namespace"), ::testing::AnyOf("shop", "mysql"));
      EXPECT_EQ(span.Get("server.address"), is_client() ? "192.0.2.10" : "192.0.2.1");
      EXPECT_FALSE(span.Has("probed.db.statement_unknown"));
      EXPECT_EQ(span.measurements.contains("db.client.operation.duration"), is_client());
      for (const auto& [key, value] : span.attributes)
        EXPECT_THAT(value, ::testing::Not(::testing::HasSubstr("tester")));
    }
    EXPECT_THAT(lines, ElementsAreArray(expected().spans));
    EXPECT_EQ(driver.host.Counted(PROBE_UNDECODABLE_MALFORMED), 0U);
    EXPECT_EQ(driver.host.aborted(), 0U);
  }

  static void ExpectClean(const Driver& driver) {
    EXPECT_EQ(driver.host.LedgerProblem(), "");
    EXPECT_EQ(driver.host.in_flight(), 0U);
    EXPECT_EQ(driver.host.bytes(), 0U);
    EXPECT_EQ(driver.OldestGeneration(), sdk::Pins::kNone);
  }
};

TEST_P(Conversations, Whole) {
  Driver driver(probe_module_entry, kConfig);
  for (const Steps& steps : connections()) {
    StreamDriver stream = driver.NewStream();
    stream.Open();
    for (const auto& step : steps) stream.Feed(step);
    stream.Close(PROBE_CLOSE_LOCAL);
  }
  ExpectAll(driver);
  ExpectClean(driver);
}

TEST_P(Conversations, ByteByByte) {
  Driver driver(probe_module_entry, kConfig);
  for (const Steps& steps : connections()) {
    StreamDriver stream = driver.NewStream();
    stream.Open();
    for (const auto& step : SplitAtEveryByte(steps)) stream.Feed(step);
    stream.Close(PROBE_CLOSE_LOCAL);
  }
  ExpectAll(driver);
  ExpectClean(driver);
}

/// Spans may be missing then, and of the first operation after the hole the statement may not be known; what is said is
/// still true and in order.
TEST_P(Conversations, WithAHoleAnywhere) {
  const std::vector<Steps> all = connections();
  const Steps& steps = all.back();
  std::size_t spans = 0;
  std::size_t runs = 0;
  Driver driver(probe_module_entry, kConfig);
  for (const std::size_t length : {std::size_t{1}, std::size_t{7}, std::size_t{100}}) {
    for (std::size_t at = 0; at < TotalBytes(steps); ++at) {
      driver.Restart();
      StreamDriver stream = driver.NewStream();
      stream.Open();
      FeedWithHole(stream, steps, at, length);
      stream.Close(PROBE_CLOSE_UNLOAD);
      ExpectClean(driver);
      auto from = expected().spans.begin();
      for (const RecordedSpan& span : driver.host.spans) {
        if (span.Has("probed.db.statement_unknown") || span.Has("probed.db.text_truncated")) continue;
        from = std::find(from, expected().spans.end(), Line(span));
        ASSERT_NE(from, expected().spans.end()) << "hole of " << length << " at " << at << ": " << Line(span);
        ++from;
      }
      spans += driver.host.spans.size();
      ++runs;
    }
  }
  EXPECT_GT(spans, runs * expected().spans.size() / 4);
}

/// The beginning was not seen: joined at each place.
TEST_P(Conversations, JoinedLate) {
  const std::vector<Steps> all = connections();
  const Steps& steps = all.back();
  std::size_t spans = 0;
  for (std::size_t skipped = 1; skipped < steps.size(); ++skipped) {
    Driver driver(probe_module_entry, kConfig);
    StreamDriver stream = driver.NewStream();
    stream.Open(false);
    for (std::size_t i = skipped; i < steps.size(); ++i) stream.Feed(steps[i]);
    stream.Close(PROBE_CLOSE_LOCAL);
    ExpectClean(driver);
    auto from = expected().spans.begin();
    for (const RecordedSpan& span : driver.host.spans) {
      if (span.Has("probed.db.statement_unknown")) continue;
      from = std::find(from, expected().spans.end(), Line(span));
      ASSERT_NE(from, expected().spans.end()) << "joined at " << skipped << ": " << Line(span);
      ++from;
    }
    spans += driver.host.spans.size();
  }
  EXPECT_GT(spans, expected().spans.size());
}

INSTANTIATE_TEST_SUITE_P(Recorded, Conversations,
                         ::testing::Combine(::testing::Range(std::size_t{0}, AllExpected().size()),
                                            ::testing::Values('>', '<')),
                         [](const auto& at) {
                           return AllExpected()[std::get<0>(at.param)].name +
                                  (std::get<1>(at.param) == '>' ? "_client" : "_server");
                         });

}  // namespace
}  // namespace probed::mod::sql
