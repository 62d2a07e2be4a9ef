// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Values that statements are executed with, of both protocols, by themselves and as attributes.
#include "modules/sql/decode/parameters.h"

#include <gmock/gmock.h>

#include <string>

#include "api/sdk/testing/drive.h"
#include "modules/sql/bpf/my_walk.h"
#include "modules/sql/tests/conversations.h"
#include "modules/sql/tests/my_messages.h"

extern "C" const probe_module_entry_t probe_module_entry;

namespace probed::mod::sql {
namespace {

namespace p = testing;      // PostgreSQL's messages
namespace m = testing::my;  // MySQL's
using sdk::testing::Driver;
using sdk::testing::RecordedSpan;
using sdk::testing::StreamDriver;

constexpr std::string_view kOn = R"({"query_parameters":true})";

class Values : public ::testing::Test {
 protected:
  explicit Values(std::string_view config = kOn) : driver_(probe_module_entry, config) {}
  void SetUp() override { stream_.Open(); }
  void TearDown() override {
    stream_.Close(PROBE_CLOSE_LOCAL);
    EXPECT_EQ(driver_.host.LedgerProblem(), "");
    EXPECT_EQ(driver_.host.bytes(), 0U);
  }
  /// Of the last span: "a|b|c", "-" for a value that is left out.
  std::string Said(std::size_t count) const {
    const RecordedSpan& span = driver_.host.spans.back();
    std::string out;
    for (std::size_t i = 0; i < count; ++i) {
      const std::string key = "db.query.parameter." + std::to_string(i);
      out += (i == 0 ? "" : "|") + (span.Has(key) ? span.Get(key) : "-");
    }
    EXPECT_FALSE(span.Has("db.query.parameter." + std::to_string(count)));
    return out + (span.Has("probed.db.parameters_truncated") ? " cut" : "");
  }
  void Each(const std::string& bytes, bool split) {
    if (!split) return stream_.Send(bytes);
    for (const char byte : bytes) stream_.Send(std::string(1, byte));
  }

  Driver driver_;
  StreamDriver stream_ = driver_.NewStream();
};

class ValuesOff : public Values {
 protected:
  ValuesOff() : Values("{}") {}
};

std::string Value(std::string_view bytes) { return p::U32(static_cast<unsigned>(bytes.size())) + std::string(bytes); }
std::string Null() { return p::U32(0xffffffff); }
/// `formats` and `values` as they are in the message.
std::string Bind(unsigned format_count, const std::string& formats, unsigned count, const std::string& values) {
  return p::Typed('B', p::Z("") + p::Z("s") + p::U16(format_count) + formats + p::U16(count) + values + p::U16(0));
}

class PgValues : public Values {
 protected:
  void Connect() {
    stream_.Send(p::Startup());
    stream_.Receive(p::Welcome());
  }
  void Prepare(const std::string& types, unsigned count) {
    stream_.Send(p::Typed('P', p::Z("s") + p::Z("SELECT $1") + p::U16(count) + types) + p::Sync());
    stream_.Receive(p::ParseDone() + p::Ready());
  }
  void Do(const std::string& bind, bool split = false) {
    Each(bind + p::Execute() + p::Sync(), split);
    stream_.Receive(p::BindDone() + p::Complete("SELECT 1") + p::Ready());
  }
};

TEST_F(PgValues, InTextFormat) {
  Connect();
  Prepare("", 0);
  for (const bool split : {false, true}) {
    Do(Bind(0, "", 3, Value("7") + Null() + Value("it's")), split);
    EXPECT_EQ(Said(3), "7|NULL|it's");
  }
  Do(Bind(0, "", 0, ""));
  EXPECT_EQ(Said(0), "");
}

TEST_F(PgValues, InBinaryFormat) {
  Connect();
  const unsigned types[] = {16, 21, 23, 20, 700, 701, 25, 2950, 26, 17};
  std::string declared;
  for (const unsigned type : types) declared += p::U32(type);
  Prepare(declared, 10);
  const std::string uuid("\x12\x34\x56\x78\x9a\xbc\xde\xf0\x01\x23\x45\x67\x89\xab\xcd\xef", 16);
  const std::string values = Value(std::string("\1", 1)) + Value("\xff\xfe") + Value(p::U32(0xffffffff)) +
                             Value(p::U32(1) + p::U32(2)) + Value(p::U32(0x3fc00000)) +
                             Value(p::U32(0x40040000) + p::U32(0)) + Value("text") + Value(uuid) +
                             Value(p::U32(0xfffffff0)) + Value("bytes");
  for (const bool split : {false, true}) {
    Do(Bind(1, p::U16(1), 10, values), split);
    EXPECT_EQ(Said(10), "true|-2|-1|4294967298|1.5|2.5|text|12345678-9abc-def0-0123-456789abcdef|4294967280|-");
  }
}

TEST_F(PgValues, TypesByDescription) {
  Connect();
  stream_.Send(p::Parse("s", "SELECT $1, $2") + p::Describe('S', "s") + p::Sync());
  stream_.Receive(p::ParseDone() + p::Typed('t', p::U16(2) + p::U32(23) + p::U32(25)) + p::Columns() + p::Ready());
  Do(Bind(2, p::U16(1) + p::U16(0), 2, Value(p::U32(7)) + Value("x")));
  EXPECT_EQ(Said(2), "7|x");
}

TEST_F(PgValues, OfNoKnownTypeAreLeftOut) {
  Connect();
  Prepare("", 0);
  Do(Bind(1, p::U16(1), 2, Value(p::U32(7)) + Null()));
  EXPECT_EQ(Said(2), "-|NULL");
  Prepare(p::U32(23), 1);
  Do(Bind(1, p::U16(1), 1, Value("123")));  // of a size that an int has not
  EXPECT_EQ(Said(1), "-");
}

TEST_F(PgValues, LongOnesAreCut) {
  Connect();
  Prepare("", 0);
  Do(Bind(0, "", 1, Value(std::string(300, 'x'))));
  EXPECT_EQ(Said(1), std::string(256, 'x') + " cut");
  std::string many;
  for (int i = 0; i < 70; ++i) many += Value("1");
  Do(Bind(0, "", 70, many));
  std::string first = "1";
  for (int i = 1; i < 64; ++i) first += "|1";
  EXPECT_EQ(Said(64), first + " cut");
  Do(Bind(0, "", 2, Value("7") + Value(std::string(5000, 'y'))));
  EXPECT_EQ(Said(2), "7|" + std::string(256, 'y') + " cut");
  Do(Bind(0, "", 2, Value(std::string(6000, 'y')) + Value("7")));  // behind what is looked at
  EXPECT_EQ(Said(1), std::string(256, 'y') + " cut");
}

TEST_F(ValuesOff, NothingIsSaid) {
  stream_.Send(p::Startup());
  stream_.Receive(p::Welcome());
  stream_.Send(p::Parse("s", "SELECT $1") + Bind(0, "", 1, Value("7")) + p::Execute() + p::Sync());
  stream_.Receive(p::ParseDone() + p::BindDone() + p::Complete("SELECT 1") + p::Ready());
  EXPECT_EQ(Said(0), "");
}

/// types: 2 bytes each
std::string Execution(const std::string& nulls, const std::string& types, const std::string& values) {
  const std::string typed = types.empty() ? std::string("\0", 1) : "\1" + types;
  return m::Command(MY_STMT_EXECUTE, m::L(1, 4) + m::L(0, 1) + m::L(1, 4) + nulls + typed + values);
}

class MyValues : public Values {
 protected:
  explicit MyValues(std::string_view config = kOn) : Values(config) {}
  void Connect(unsigned more = 0) {
    stream_.Receive(m::Greeting());
    stream_.Send(m::Login(more));
    stream_.Receive(m::Done(2));
  }
  void Prepare(unsigned count) {
    stream_.Send(m::Prepare("SELECT ?"));
    std::string answer = m::Packet(1, m::L(0, 1) + m::L(1, 4) + m::L(0, 2) + m::L(count, 2) + m::L(0, 3));
    for (unsigned i = 0; i < count; ++i) answer += m::Column(2 + i);
    stream_.Receive(answer + m::End(2 + count));
  }
  void Ask(const std::string& command, bool split = false) {
    Each(command, split);
    stream_.Receive(m::Done());
  }
};

TEST_F(MyValues, OfAllKinds) {
  Connect();
  Prepare(9);
  const std::string types = m::L(1, 2) + m::L(0x8001, 2) + m::L(3, 2) + m::L(8, 2) + m::L(4, 2) + m::L(5, 2) +
                            m::L(0xfd, 2) + m::L(6, 2) + m::L(0xff, 2);
  const std::string values = m::L(0xff, 1) + m::L(0xff, 1) + m::L(0xfffffffe, 4) + m::L(2, 4) + m::L(1, 4) +
                             m::L(0x3fc00000, 4) + m::L(0, 4) + m::L(0x40040000, 4) + m::Text("it's") +
                             m::Text("1234567");
  const std::string nulls = m::L(0x80, 1) + m::L(0, 1);
  for (const bool split : {false, true}) {
    Ask(Execution(nulls, types, values), split);
    EXPECT_EQ(Said(9), "-1|255|-2|4294967298|1.5|2.5|it's|NULL|-");
  }
  Ask(Execution(nulls, "", values));  // of the same types
  EXPECT_EQ(Said(9), "-1|255|-2|4294967298|1.5|2.5|it's|NULL|-");
  Ask(Execution(nulls, types, values + "x"));  // that is not what the packet holds
  EXPECT_EQ(Said(0), "");
}

/// year, month, day
std::string Date() { return m::L(2024, 2) + m::L(2, 1) + m::L(29, 1); }
std::string Clock() { return m::L(13, 1) + m::L(4, 1) + m::L(5, 1); }

TEST_F(MyValues, DatesAndTimes) {
  Connect();
  Prepare(7);
  const std::string types =
      m::L(10, 2) + m::L(12, 2) + m::L(7, 2) + m::L(7, 2) + m::L(11, 2) + m::L(12, 2) + m::L(3, 2);
  const std::string values = m::Text(Date()) + m::Text(Date() + Clock()) + m::Text(Date() + Clock() + m::L(60, 4)) +
                             m::Text("") + m::Text(m::L(1, 1) + m::L(1, 4) + Clock()) + m::Text("fives") + m::L(9, 4);
  for (const bool split : {false, true}) {
    Ask(Execution(m::L(0, 1), types, values), split);
    EXPECT_EQ(Said(7), "2024-02-29|2024-02-29 13:04:05|2024-02-29 13:04:05.000060|0000-00-00 00:00:00|-37:04:05|-|9");
  }
  // a length that goes on behind the packet: that is not what it holds
  Ask(Execution(m::L(0, 1), types, m::L(200, 1) + Date()));
  EXPECT_EQ(Said(0), "");
}

TEST_F(MyValues, NotOfWhatWasSentBefore) {
  Connect();
  Prepare(1);
  stream_.Send(m::Command(MY_STMT_SEND_LONG_DATA, m::L(1, 4) + m::L(0, 2) + "long"));
  Ask(Execution(m::L(0, 1), m::L(0xfd, 2), ""));
  EXPECT_EQ(Said(0), "");
  Ask(Execution(m::L(0, 1), m::L(0xfd, 2), m::Text("short")));
  EXPECT_EQ(Said(1), "short");
}

TEST_F(MyValues, NotBehindAHole) {
  Connect();
  Prepare(1);
  Ask(Execution(m::L(0, 1), m::L(3, 2), m::L(7, 4)));
  EXPECT_EQ(Said(1), "7");
  stream_.Lose(PROBE_SENT, 40);  // types may have changed
  Ask(Execution(m::L(0, 1), "", m::L(7, 4)));
  Ask(Execution(m::L(0, 1), "", m::L(7, 4)));
  EXPECT_EQ(Said(0), "");
}

TEST_F(MyValues, NotWithAttributesOfTheQuery) {
  Connect(MY_QUERY_ATTRIBUTES);
  Prepare(1);
  Ask(Execution(m::L(0, 1), m::L(3, 2), m::L(7, 4)));
  EXPECT_EQ(Said(0), "");
}

TEST_F(MyValues, LongOnesAreCut) {
  Connect();
  Prepare(1);
  Ask(Execution(m::L(0, 1), m::L(0xfd, 2), m::L(0xfc, 1) + m::L(9000, 2) + std::string(9000, 'x')));
  EXPECT_EQ(Said(1), std::string(256, 'x') + " cut");
}

/// MariaDB prepares and executes at once: the second goes by the number of the first, which is not known yet.
TEST_F(MyValues, ExecutedBeforeItsNumberIsKnown) {
  Connect();
  const std::string execution = Execution(m::L(0, 1), m::L(3, 2), m::L(7, 4));
  const std::string ahead = execution.substr(0, MY_HEADER_BYTES + 1);
  const std::string early = ahead + m::L(0xffffffff, 4) + execution.substr(ahead.size() + 4);
  stream_.Send(m::Prepare("SELECT ?") + early);
  EXPECT_THAT(driver_.host.spans, ::testing::IsEmpty());
  stream_.Receive(m::Packet(1, m::L(0, 1) + m::L(1, 4) + m::L(0, 2) + m::L(1, 2) + m::L(0, 3)) + m::Column(2) +
                  m::End(3) + m::Done());
  EXPECT_EQ(Said(1), "7");
  Ask(Execution(m::L(0, 1), "", m::L(8, 4)));  // of the same types
  EXPECT_EQ(Said(1), "8");
}

/// Types that were sent with a value that is not read: those of before may not hold any more.
TEST_F(MyValues, TypesThatWereNotRead) {
  Connect();
  Prepare(1);
  Ask(Execution(m::L(0, 1), m::L(3, 2), m::L(7, 4)));
  EXPECT_EQ(Said(1), "7");
  stream_.Send(m::Command(MY_STMT_SEND_LONG_DATA, m::L(1, 4) + m::L(0, 2) + "long"));
  Ask(Execution(m::L(0, 1), m::L(0xfd, 2), ""));
  Ask(Execution(m::L(0, 1), "", m::Text("abc")));
  EXPECT_EQ(Said(0), "");
}

/// The answer to an execution will not be known: the types it says are not read.
TEST_F(MyValues, TypesOfAnExecutionWithoutAPlace) {
  Connect();
  Prepare(1);
  Ask(Execution(m::L(0, 1), m::L(3, 2), m::L(7, 4)));
  EXPECT_EQ(Said(1), "7");
  stream_.Send(Execution(m::L(0, 1), "", m::L(7, 4)));
  stream_.Feed(sdk::testing::Received(m::Done().substr(0, 2), 40));  // where the next packet begins is not known
  stream_.Send(Execution(m::L(0, 1), m::L(0xfd, 2), m::Text("abc")));
  stream_.Receive(m::Done());
  Ask(Execution(m::L(0, 1), "", m::Text("abc")));  // as many bytes as a number of the first type
  Ask(Execution(m::L(0, 1), "", m::Text("abc")));
  EXPECT_EQ(Said(0), "");
}

/// -1 stands for what was prepared last, which may have been lost.
TEST_F(MyValues, LastPreparedIsNotKnownBehindAHole) {
  Connect();
  Prepare(1);
  const std::string last = m::Command(MY_STMT_EXECUTE, m::L(0xffffffff, 4) + m::L(0, 1) + m::L(1, 4));
  Ask(last);
  EXPECT_EQ(driver_.host.spans.back().Get("db.query.text"), "SELECT ?");
  stream_.Lose(PROBE_SENT, 40);
  Ask(last);
  Ask(last);
  EXPECT_FALSE(driver_.host.spans.back().Has("db.query.text"));
}

// --- several sets of values in one packet: MariaDB -----------------------------------------------------------------

constexpr unsigned kTyped = 0x80;

std::string Bulk(unsigned flags, const std::string& rest, unsigned statement = 1) {
  return m::Command(MY_STMT_BULK_EXECUTE, m::L(statement, 4) + m::L(flags, 2) + rest);
}
/// A number, and a text of that size; 0: NULL, and what the column has by itself.
std::string Set(std::size_t size) {
  if (size == 0) return m::L(1, 1) + m::L(2, 1);
  const std::string text =
      size < 251 ? m::L(static_cast<unsigned>(size), 1) : m::L(0xfc, 1) + m::L(static_cast<unsigned>(size), 2);
  return m::L(0, 1) + m::L(7, 4) + m::L(0, 1) + text + std::string(size, 'x');
}
const std::string kTypes = m::L(3, 2) + m::L(0xfd, 2);

class MyBulk : public MyValues {
 protected:
  explicit MyBulk(std::string_view config = kOn) : MyValues(config) {}
  /// Summary, size of the batch, error.
  std::string Line() const {
    const RecordedSpan& span = driver_.host.spans.back();
    EXPECT_EQ(span.name, span.Get("db.query.summary"));
    EXPECT_EQ(span.Get("db.query.text"), "SELECT ?");
    EXPECT_FALSE(span.Has("db.query.parameter.0"));
    const std::string size = span.Has("db.operation.batch.size") ? " " + span.Get("db.operation.batch.size") : "";
    return span.name + size + (span.error_type.empty() ? "" : " !" + span.error_type);
  }
  void SetUp() override {
    MyValues::SetUp();
    Connect();
    Prepare(2);
  }
};

class MyBulkByDefault : public MyBulk {
 protected:
  MyBulkByDefault() : MyBulk("{}") {}
};

TEST_F(MyBulk, SetsAreCounted) {
  for (const bool split : {false, true}) {
    Ask(Bulk(kTyped, kTypes + Set(3) + Set(0) + Set(300)), split);
    EXPECT_EQ(Line(), "BATCH SELECT 3");
  }
  Ask(Bulk(0, Set(1) + Set(2)));  // of the same types
  EXPECT_EQ(Line(), "BATCH SELECT 2");
  Ask(Bulk(kTyped, kTypes + Set(9)));
  EXPECT_EQ(Line(), "SELECT");
  stream_.Send(Bulk(kTyped, kTypes + Set(3) + Set(3)));
  stream_.Receive(m::Failure(1062, "23000"));
  EXPECT_EQ(Line(), "BATCH SELECT 2 !1062");
}

TEST_F(MyBulkByDefault, AlsoWhereParametersAreNotWanted) {
  Ask(Bulk(kTyped, kTypes + Set(3) + Set(0)));
  EXPECT_EQ(Line(), "BATCH SELECT 2");
  Ask(Execution(m::L(0, 1), m::L(3, 2) + m::L(3, 2), m::L(7, 4) + m::L(8, 4)));
  Ask(Bulk(0, Set(1) + Set(2)));  // of the types of the execution, which nobody read
  EXPECT_EQ(Line(), "SELECT");
}

TEST_F(MyBulk, EveryCutLeavesTheSizeOut) {
  const std::string whole = Bulk(kTyped, kTypes + Set(3) + Set(3) + Set(3));
  const std::size_t second = whole.size() - 2 * Set(3).size();
  for (std::size_t there = MY_HEADER_BYTES + 12; there < whole.size(); ++there) {
    stream_.Feed(sdk::testing::Sent(whole.substr(0, there), static_cast<std::uint32_t>(whole.size() - there)));
    stream_.Receive(m::Done());
    EXPECT_EQ(Line(), there <= second ? "SELECT" : "BATCH SELECT") << there;
  }
}

/// As the kernel ships it.
TEST_F(MyBulk, LongerThanWhatIsLookedAt) {
  constexpr std::size_t kShipped = MY_COMMAND_BYTES + 4096;
  for (const std::size_t second : {std::size_t{3000}, std::size_t{3}}) {
    const std::string whole = Bulk(kTyped, kTypes + Set(second == 3 ? 6000 : 3000) + Set(second));
    const auto left_out = static_cast<std::uint32_t>(whole.size() - kShipped);
    stream_.Feed(sdk::testing::Sent(whole.substr(0, kShipped), left_out));
    stream_.Receive(m::Done());
    EXPECT_EQ(Line(), second == 3 ? "SELECT" : "BATCH SELECT");
  }
}

TEST_F(MyBulk, WhatThePacketDoesNotHold) {
  const std::string wrong[] = {Set(3) + Set(3) + "\x04",                   // no indicator
                               Set(3) + Set(3) + m::L(0, 1) + m::L(7, 3),  // not all of a number
                               Set(3) + m::L(0, 1) + m::L(7, 4) + m::L(0, 1) + "\xfe" + std::string(8, '\xff'), ""};
  for (const std::string& sets : wrong) {
    Ask(Bulk(kTyped, kTypes + sets));
    EXPECT_EQ(Line(), "SELECT");
    Ask(Bulk(0, Set(3) + Set(3)));  // by types that did not fit
    EXPECT_EQ(Line(), "SELECT");
  }
  Ask(Bulk(kTyped, "x"));
  EXPECT_EQ(Line(), "SELECT");
  Ask(Bulk(0, Set(3) + Set(3)));  // the types were not all there
  EXPECT_EQ(Line(), "SELECT");
}

TEST_F(MyBulk, NotBehindAHole) {
  stream_.Lose(PROBE_SENT, 40);
  Ask(Bulk(kTyped, kTypes + Set(3) + Set(3)));
  Ask(Bulk(kTyped, kTypes + Set(3) + Set(3)));
  EXPECT_EQ(Line(), "SELECT");
}

TEST_F(MyBulk, ExecutedBeforeItsNumberIsKnown) {
  const std::size_t before = driver_.host.spans.size();
  stream_.Send(m::Prepare("SELECT ?") + Bulk(kTyped, kTypes + Set(3) + Set(3), 0xffffffff));
  stream_.Send(Bulk(0, Set(3) + Set(3) + Set(3), 0xffffffff));
  stream_.Receive(m::Packet(1, m::L(0, 1) + m::L(2, 4) + m::L(0, 2) + m::L(2, 2) + m::L(0, 3)) + m::Column(2) +
                  m::Column(3) + m::End(4) + m::Done());
  EXPECT_EQ(Line(), "BATCH SELECT 2");
  stream_.Receive(m::Done());
  EXPECT_EQ(Line(), "BATCH SELECT 3");
  EXPECT_EQ(driver_.host.spans.size(), before + 2);
  stream_.Send(m::Prepare("SELECT ?") + Bulk(kTyped, kTypes + Set(3) + Set(3), 0xffffffff));
  stream_.Receive(m::Failure(1054, "42S22") + m::Failure(1243, "HY000"));
  EXPECT_EQ(Line(), "SELECT !1243");
}

}  // namespace
}  // namespace probed::mod::sql
