// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Sanitised texts and summaries, by the rules of the semantic conventions for SQL databases.
#include "modules/sql/decode/sql_text.h"

#include <gmock/gmock.h>

#include <string>
#include <vector>

#include "modules/sql/decode/statements.h"

namespace probed::mod::sql {
namespace {

std::string Sanitised(std::string_view text, Dialect dialect = Dialect::kPostgres) {
  std::string out(text.size(), '\0');
  out.resize(Sanitise(text, dialect, out.data()));
  return out;
}

std::string SummaryOf(std::string_view text, bool cut = false, Dialect dialect = Dialect::kPostgres) {
  Summary summary;
  Summarise(text, dialect, cut, &summary);
  return std::string(summary.text());
}

struct Pair {
  std::string_view text;
  std::string_view expected;
};

TEST(SqlText, LiteralsBecomeQuestionMarks) {
  const Pair pairs[] = {
      {"SELECT 12, -12, +12", "SELECT ?, ?, ?"},
      {"SELECT 1.5, -.5, 2e9, -3.1E-7, 1e+3", "SELECT ?, ?, ?, ?, ?"},
      {"SELECT 99+100", "SELECT ??"},
      {"SELECT 0xBEEF, 0b11, 1_000", "SELECT ?, ?, ?"},
      {"SELECT 'a', 'it''s', 'two\nlines'", "SELECT ?, ?, ?"},
      {"SELECT E'it\\'s', X'1f', B'01', N'n', U&'\\0041'", "SELECT ?, ?, ?, ?, ?"},
      {"SELECT $$it's$$, $tag$ $$ $tag$", "SELECT ?, ?"},
      {"SELECT true, FALSE, NULL", "SELECT ?, ?, NULL"},
      {"SELECT DATE '2020-01-01', INTERVAL '1 day'", "SELECT DATE ?, INTERVAL ?"},
      {"SELECT r2d2, n1 FROM covid19 WHERE n1h1=1234", "SELECT r2d2, n1 FROM covid19 WHERE n1h1=?"},
      {"SELECT a -- one\nFROM /* two \n lines */ t", "SELECT a \nFROM  t"},
      {"SELECT /* a /* nested */ b */ 1", "SELECT  ?"},
      {"SELECT \"it's 1\".x FROM t", "SELECT \"it's 1\".x FROM t"},
      {"SELECT $1::int, x::text FROM t WHERE a[1] = $2", "SELECT $1::int, x::text FROM t WHERE a[?] = $2"},
      {"CREATE TABLE t (a varchar(255), b int DEFAULT (7))", "CREATE TABLE t (a varchar(?), b int DEFAULT (?))"},
      {"CREATE USER u PASSWORD 'secret'", "CREATE USER u PASSWORD ?"},
  };
  for (const Pair& pair : pairs) EXPECT_EQ(Sanitised(pair.text), pair.expected);
}

TEST(SqlText, MysqlHasItsOwnQuotes) {
  EXPECT_EQ(Sanitised("SELECT `a 1`, \"s\", 'it\\'s' FROM t # why\n WHERE x = ?", Dialect::kMysql),
            "SELECT `a 1`, ?, ? FROM t \n WHERE x = ?");
}

TEST(SqlText, NothingOfALiteralIsSeenWhereverTheTextIsCut) {
  const std::string text = "SELECT E'sec\\'ret', 'sec''ret', $x$secret$x$, $$secret$$ /* secret */ -- secret";
  for (std::size_t size = 0; size <= text.size(); ++size) {
    EXPECT_THAT(Sanitised(text.substr(0, size)), ::testing::Not(::testing::HasSubstr("sec"))) << size;
    EXPECT_LE(Sanitised(text.substr(0, size)).size(), size);
  }
}

TEST(SqlText, Placeholders) {
  EXPECT_TRUE(HasPlaceholder("SELECT $1", Dialect::kPostgres));
  EXPECT_FALSE(HasPlaceholder("SELECT '$1', $$ $1 $$, \"$1\" -- $1", Dialect::kPostgres));
  EXPECT_TRUE(HasPlaceholder("SELECT ?", Dialect::kMysql));
  EXPECT_FALSE(HasPlaceholder("SELECT '?'", Dialect::kMysql));
}

TEST(SqlText, SummaryOfQueries) {
  const Pair pairs[] = {
      {"SELECT 1", "SELECT"},
      {"SELECT a FROM covid19 WHERE b=1", "SELECT covid19"},
      {"SELECT a FROM dbo.T JOIN dbo.Other ON 1=1", "SELECT dbo.T dbo.Other"},
      {"SELEcT x\nFROM ORders", "SELEcT ORders"},
      {"SELECT * FROM A a, B b WHERE a.x IN (1, 2)", "SELECT A B"},
      {"SELECT * FROM A a CROSS JOIN B b", "SELECT A B"},
      {"SELECT * FROM SelectedData", "SELECT SelectedData"},
      {"SELECT d FROM (SELECT * FROM orders o JOIN customers c ON o.i = c.i)", "SELECT SELECT orders customers"},
      {"SELECT * FROM A WHERE x IN (SELECT y FROM B)", "SELECT A SELECT B"},
      {"SELECT a FROM Customers UNION SELECT b FROM Suppliers ORDER BY a", "SELECT Customers Suppliers"},
      {"SELECT DISTINCT o.i FROM Orders o", "SELECT Orders"},
      {"SELECT x, count(*) OVER (PARTITION BY d) FROM e", "SELECT e"},
      {"SELECT \"a b\" FROM \"song list\" s, public.\"T 2\"", "SELECT \"song list\" public.\"T 2\""},
      {"SELECT EXTRACT(year FROM d), x IS DISTINCT FROM y FROM t", "SELECT t"},
      {"SELECT * FROM generate_series(1, 10) g, t", "SELECT t"},
      {"SELECT * FROM ONLY t FOR UPDATE", "SELECT t"},
      {"INSERT INTO X VALUES(1, 2)", "INSERT X"},
      {"INSERT INTO X (a) SELECT b FROM orders WHERE c = 1", "INSERT X SELECT orders"},
      {"INSERT INTO X VALUES (1) ON CONFLICT (a) DO UPDATE SET a = 2 RETURNING b", "INSERT X"},
      {"UPDATE t SET a = 1 FROM u WHERE t.i = u.i", "UPDATE t u"},
      {"DELETE FROM t USING u WHERE t.i = u.i", "DELETE t u"},
      {"MERGE INTO t USING u ON t.i = u.i WHEN MATCHED THEN UPDATE SET a = 1", "MERGE t u"},
      {"WITH x AS (SELECT a FROM b) SELECT * FROM x", "SELECT b SELECT x"},
      {"WITH x AS (DELETE FROM b RETURNING *) INSERT INTO c SELECT * FROM x", "DELETE b INSERT c SELECT x"},
      {"/* hint */ SELECT a -- c\nFROM /* d */ t", "SELECT t"},
      {"EXPLAIN (ANALYZE, COSTS off) SELECT * FROM t", "EXPLAIN SELECT t"},
      {"SELECT 1 FROM a; UPDATE b SET c = 1;", "SELECT a UPDATE b"},
      {"", ""},
      {";", ""},
  };
  for (const Pair& pair : pairs) EXPECT_EQ(SummaryOf(pair.text), pair.expected) << pair.text;
}

TEST(SqlText, SummaryOfOtherStatements) {
  const Pair pairs[] = {
      {"CREATE  TABLE MyTable (i int)", "CREATE TABLE MyTable"},
      {"CREATE TABLE IF NOT EXISTS Users (i int)", "CREATE TABLE Users"},
      {"CREATE UNIQUE INDEX CONCURRENTLY ix ON e (m)", "CREATE INDEX ix"},
      {"CREATE INDEX ON e (m)", "CREATE INDEX"},
      {"CREATE OR REPLACE VIEW v AS SELECT * FROM u", "CREATE VIEW v"},
      {"ALTER TABLE Orders DROP COLUMN x", "ALTER TABLE Orders"},
      {"DROP TABLE IF EXISTS a.b", "DROP TABLE a.b"},
      {"CREATE USER joe PASSWORD 'x'", "CREATE USER joe"},
      {"call some_procedure(1)", "call some_procedure"},
      {"EXECUTE p (1)", "EXECUTE p"},
      {"TRUNCATE TABLE t", "TRUNCATE t"},
      {"COPY t (a, b) FROM STDIN", "COPY t"},
      {"COPY (SELECT a FROM t) TO STDOUT", "COPY SELECT t"},
      {"BEGIN", "BEGIN"},
      {"begin; select 1 from t; commit", "begin select t commit"},
      {"SET search_path TO x", "SET"},
      {"vacuum t", "vacuum"},
  };
  for (const Pair& pair : pairs) EXPECT_EQ(SummaryOf(pair.text), pair.expected) << pair.text;
}

TEST(SqlText, SummaryIsCutBetweenNames) {
  EXPECT_EQ(SummaryOf("SELECT * FROM " + std::string(300, 'x') + ", y"), "SELECT");
  std::string many = "SELECT * FROM t";
  for (int i = 0; i < 100; ++i) many += ", table";
  EXPECT_EQ(SummaryOf(many).size(), 254U);  // "SELECT t", then 41 times " table"
}

TEST(SqlText, HalfANameIsNone) {
  EXPECT_EQ(SummaryOf("SELECT * FROM lon", true), "SELECT");
  EXPECT_EQ(SummaryOf("SELECT * FROM lon ", true), "SELECT lon");
  EXPECT_EQ(SummaryOf("SEL", true), "");
}

struct AllOf {
  std::string summary;
  std::uint32_t size;
  bool operator==(const AllOf&) const = default;
};

AllOf SummaryOfAll(std::string_view text, Dialect dialect = Dialect::kPostgres, bool cut = false) {
  Summary summary;
  const std::uint32_t size = SummariseAll(text, dialect, cut, &summary);
  return {std::string(summary.text()), size};
}

TEST(SqlBatch, OfSeveralStatements) {
  EXPECT_EQ(SummaryOfAll("INSERT INTO a VALUES (1); INSERT INTO a VALUES (2);"), (AllOf{"BATCH INSERT a", 2}));
  EXPECT_EQ(SummaryOfAll("BEGIN; DELETE FROM a; COMMIT"), (AllOf{"BATCH", 3}));
  EXPECT_EQ(SummaryOfAll(";; SELECT 1 ; ;SELECT ';' ;"), (AllOf{"BATCH SELECT", 2}));
  EXPECT_EQ(SummaryOfAll("SELECT 1;"), (AllOf{"SELECT", 0}));
  EXPECT_EQ(SummaryOfAll("SELECT 1; -- the end"), (AllOf{"SELECT", 0}));
  EXPECT_EQ(SummaryOfAll("SELECT 1; SELECT", Dialect::kPostgres, true), (AllOf{"BATCH", 0}));  // there may be more
  EXPECT_EQ(SummaryOfAll("DO $$ a; b; $$; SELECT 1"), (AllOf{"BATCH", 2}));
  EXPECT_EQ(SummaryOfAll("CREATE RULE r AS ON INSERT TO a DO (DELETE FROM b; DELETE FROM c)").size, 0U);
  EXPECT_EQ(SummaryOfAll(""), (AllOf{"", 0}));
  EXPECT_EQ(SummaryOfAll(";;"), (AllOf{"", 0}));
}

TEST(SqlBatch, NotOfBodies) {
  const char* texts[] = {"CREATE PROCEDURE p() BEGIN SELECT 1; SELECT 2; END",
                         "CREATE TRIGGER t BEFORE INSERT ON a IF b THEN c; END IF",
                         "BEGIN NOT ATOMIC SELECT 1; SELECT 2; END",
                         "/*!50003 CREATE PROCEDURE p() */ a; b",
                         "l: LOOP SELECT 1; END LOOP",
                         "IF a THEN SELECT 1; END IF"};
  for (const char* text : texts) EXPECT_EQ(SummaryOfAll(text, Dialect::kMysql).size, 0U) << text;
  EXPECT_EQ(SummaryOfAll("CREATE FUNCTION f() BEGIN ATOMIC SELECT 1; SELECT 2; END").size, 0U);
  EXPECT_EQ(SummaryOfAll("CREATE TABLE a (b int); DROP TABLE a", Dialect::kMysql), (AllOf{"BATCH", 2}));
  EXPECT_EQ(SummaryOfAll("BEGIN; SELECT 1; COMMIT", Dialect::kMysql), (AllOf{"BATCH", 3}));
}

TEST(SqlBatch, LongestSummaryIsCutBetweenNames) {
  std::string one = "SELECT * FROM t";
  for (int i = 0; i < 100; ++i) one += ", table";
  const AllOf all = SummaryOfAll(one + ";" + one);
  EXPECT_EQ(all.size, 2U);
  EXPECT_LE(all.summary.size(), Summary::kMost);
  EXPECT_TRUE(all.summary.starts_with("BATCH SELECT t table"));
  EXPECT_TRUE(all.summary.ends_with(" table"));
}

}  // namespace
}  // namespace probed::mod::sql
