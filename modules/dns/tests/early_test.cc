// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Answers that are told of before their questions: one thread reads, another is still inside of its send.
#include "modules/dns/decode/early.h"

#include <gmock/gmock.h>

#include <array>
#include <string>
#include <vector>

#include "api/sdk/generations.h"
#include "api/sdk/testing/drive.h"
#include "modules/dns/tests/messages.h"

extern "C" const probe_module_entry_t probe_module_entry;

namespace probed::mod::dns {
namespace {

using namespace testing;  // NOLINT: the messages of this folder
using sdk::testing::Driver;
using sdk::testing::RecordedSpan;
using sdk::testing::StreamDriver;

constexpr std::uint64_t kMs = 1'000'000;  // every record advances the time by one
constexpr std::uint32_t kSender = 11;
constexpr std::uint32_t kReader = 12;
constexpr std::uint32_t kMostOfSocket = EarlyAnswers::kMostOfSocket;
constexpr std::uint32_t kMost = EarlyAnswers::kMost;

class DnsEarly : public ::testing::Test {
 public:
  explicit DnsEarly(const char* config = R"({"duration_metric":true})")
      : driver(probe_module_entry, config), stream(driver.NewStream()) {}
  ~DnsEarly() override {
    stream.Close(PROBE_CLOSE_LOCAL);
    for (StreamDriver& other : others) other.Close(PROBE_CLOSE_LOCAL);
    EXPECT_EQ(driver.host.LedgerProblem(), "");
    EXPECT_EQ(driver.host.in_flight(), 0U);
    EXPECT_EQ(driver.host.bytes(), 0U);
    EXPECT_EQ(driver.OldestGeneration(), sdk::Pins::kNone);
  }

  void Ask(const std::string& bytes, std::uint32_t thread = kSender) {
    stream.thread_id = thread;
    stream.Datagram(PROBE_SENT, bytes, Peer4());
  }
  void Read(const std::string& bytes) { Read(stream, bytes); }
  static void Read(StreamDriver& socket, const std::string& bytes) {
    socket.thread_id = kReader;
    socket.Datagram(PROBE_RECEIVED, bytes, Peer4());
  }
  void AskOverStream(const std::string& bytes) {
    stream.thread_id = kSender;
    stream.Send(bytes);
  }
  void ReadOverStream(const std::string& bytes) {
    stream.thread_id = kReader;
    stream.Receive(bytes);
  }
  void Ticks(std::uint32_t count) {
    for (std::uint32_t i = 0; i < count; ++i) driver.Tick(stream.now_ns + (i + 1) * 100 * kMs);
  }
  std::uint64_t Unmatched() const { return driver.host.Aborts(PROBE_ABORTED_UNMATCHED); }
  std::size_t Spans() const { return driver.host.spans.size(); }
  const RecordedSpan& Only() {
    EXPECT_EQ(Spans(), 1U);
    return driver.host.spans.at(0);
  }

  Driver driver;
  StreamDriver stream;
  std::vector<StreamDriver> others;
};

class DnsEarlyServer : public DnsEarly {
 protected:
  DnsEarlyServer() : DnsEarly(R"({"server_spans":true})") {}
};

TEST_F(DnsEarly, AnAnswerReadFirstIsThatOfTheQuestionBehindIt) {
  Read(Response("www.Example", kA, 7, 3, Record(kA, kAddress4) + Record(kAaaa, kAddress6), 2));
  const std::uint64_t answered = stream.now_ns;
  EXPECT_EQ(driver.host.opened(), 0U);
  EXPECT_EQ(driver.OldestGeneration(), sdk::Pins::kNone);
  stream.cause = {5, 6, 0, {}};
  Ask(Query("wWw.example", kA, 7));
  const RecordedSpan& span = Only();
  EXPECT_EQ(span.name, "DNS lookup wWw.example");
  EXPECT_EQ(span.kind, static_cast<std::uint32_t>(PROBE_SPAN_CLIENT));
  EXPECT_EQ(span.start_ns, answered);
  EXPECT_EQ(span.end_ns, answered);
  EXPECT_EQ(span.measurements.at("dns.lookup.duration"), 0);
  EXPECT_EQ(span.Get("dns.answers"), "[192.0.2.1,2001:db8::1]");
  EXPECT_EQ(span.Get("probed.dns.response_code"), "NXDOMAIN");
  EXPECT_EQ(span.error_type, "host_not_found");
  EXPECT_FALSE(span.Has("probed.dns.truncated"));
  EXPECT_EQ(span.Get("server.address"), "192.0.2.53");
  EXPECT_EQ(driver.host.exchanges.at(0).raw.cause.offset, 6U);
  EXPECT_EQ(driver.host.exchanges.at(0).raw.start_ns, answered);
  EXPECT_EQ(driver.host.opened(), 1U);
  EXPECT_EQ(Unmatched(), 0U);
}

TEST_F(DnsEarly, ATruncatedOneStaysTruncated) {
  Read(Header{.flags = 0x8380}.Bytes() + QuestionBytes("a", kA));
  Ask(Query("a"));
  EXPECT_EQ(Only().Get("probed.dns.truncated"), "true");
}

TEST_F(DnsEarly, OnlyThePlaceInTheRingWasTheOtherWayRound) {
  Read(Response("a"));
  const std::uint64_t answered = stream.now_ns;
  stream.now_ns -= 3 * kMs;
  Ask(Query("a"));
  EXPECT_EQ(Only().start_ns, answered - 2 * kMs);
  EXPECT_EQ(Only().end_ns, answered);
}

TEST_F(DnsEarly, NoLookupEndsBeforeItBegan) {
  Ask(Query("a"));
  const std::uint64_t asked = stream.now_ns;
  stream.now_ns -= 3 * kMs;
  Read(Response("a"));
  EXPECT_EQ(Only().start_ns, asked);
  EXPECT_EQ(Only().end_ns, asked);
  EXPECT_EQ(Only().measurements.at("dns.lookup.duration"), 0);
}

TEST_F(DnsEarly, ManyWaitAtOnce) {
  for (unsigned id = 0; id < 3; ++id) Read(Response("a", kA, id));
  Read(Response("b", kAaaa, 1));
  Ask(Query("b", kAaaa, 1));
  for (unsigned id = 3; id-- > 0;) Ask(Query("a", kA, id));
  ASSERT_EQ(Spans(), 4U);
  EXPECT_EQ(driver.host.spans[0].Get("dns.question.name"), "b");
  EXPECT_EQ(driver.host.in_flight(), 0U);
  EXPECT_EQ(Unmatched(), 0U);
}

TEST_F(DnsEarly, OneThatNobodyAskedForIsCountedWithTheSecondTick) {
  Read(Response("a"));
  Ticks(1);
  EXPECT_EQ(Unmatched(), 0U);
  Ticks(1);
  EXPECT_EQ(Unmatched(), 1U);
  Ask(Query("a"));
  EXPECT_EQ(Spans(), 0U);
  EXPECT_EQ(driver.host.in_flight(), 1U);
}

TEST_F(DnsEarly, TheWaitHasAnEnd) {
  Read(Response("a", kA, 1));
  stream.now_ns += EarlyAnswers::kWaitNs - kMs;
  Ask(Query("a", kA, 1));
  EXPECT_EQ(Spans(), 1U);
  Read(Response("a", kA, 2));
  stream.now_ns += EarlyAnswers::kWaitNs;
  Ask(Query("a", kA, 2));
  EXPECT_EQ(Spans(), 1U);
  EXPECT_EQ(driver.host.in_flight(), 1U);
  Ticks(2);
  EXPECT_EQ(Unmatched(), 1U);
}

/// It was seen to ask before it read anything.
TEST_F(DnsEarly, AThreadCannotReadInsideOfItsSend) {
  Read(Response("a"));
  Ask(Query("a"), kReader);
  EXPECT_EQ(Spans(), 0U);
  Read(Response("a", kA, 0x1234, 3));
  EXPECT_EQ(Only().error_type, "host_not_found");
  Ticks(2);
  EXPECT_EQ(Unmatched(), 1U);
}

TEST_F(DnsEarly, AnotherQuestionIsNotAnswered) {
  Read(Response("a"));
  Ask(Query("a", kA, 0x1235));
  Ask(Query("a", kAaaa));
  Ask(Query("b"));
  Ask(Header{}.Bytes() + Name("a") + U16(kA) + U16(3));
  EXPECT_EQ(Spans(), 0U);
  EXPECT_EQ(driver.host.in_flight(), 4U);
  Ask(Query("a"));
  EXPECT_EQ(Spans(), 1U);
}

TEST_F(DnsEarly, ASecondAnswerIsNotThatOfTheNextQuestion) {
  Ask(Query("a"));
  Read(Response("a"));
  Read(Response("a"));
  EXPECT_EQ(Unmatched(), 1U);
  Ask(Query("a"));
  EXPECT_EQ(Spans(), 1U);
  Read(Response("a"));
  EXPECT_EQ(Spans(), 2U);
  EXPECT_EQ(driver.host.spans[1].end_ns - driver.host.spans[1].start_ns, kMs);
}

TEST_F(DnsEarly, NorIsOneBehindALookupThatWasAnsweredEarly) {
  Read(Response("a"));
  Read(Response("a"));
  EXPECT_EQ(Unmatched(), 1U);
  Ask(Query("a"));
  EXPECT_EQ(Spans(), 1U);
  Read(Response("a"));
  EXPECT_EQ(Unmatched(), 2U);
  Ask(Query("a"));
  EXPECT_EQ(Spans(), 1U);
  EXPECT_EQ(driver.host.in_flight(), 1U);
}

TEST_F(DnsEarly, AnIdMayBeUsedAgainInTime) {
  Ask(Query("a"));
  Read(Response("a"));
  stream.now_ns += EarlyAnswers::kWaitNs;
  Read(Response("a"));
  Ask(Query("a"));
  EXPECT_EQ(Spans(), 2U);
  EXPECT_EQ(Unmatched(), 0U);
}

TEST_F(DnsEarly, AFloodTakesNoMoreThanItsSocketMayHave) {
  for (unsigned id = 0; id < kMostOfSocket + 10; ++id) Read(Response("a", kA, id));
  EXPECT_EQ(Unmatched(), 10U);
  const std::uint64_t memory = driver.host.bytes();
  Read(Response("a", kA, 1000));
  EXPECT_EQ(driver.host.bytes(), memory);
  Ask(Query("a", kA, 10));  // the oldest, which went for it
  EXPECT_EQ(Spans(), 0U);
  Ask(Query("a", kA, 11));
  EXPECT_EQ(Spans(), 1U);
  stream.Close(PROBE_CLOSE_LOCAL);
  EXPECT_EQ(Unmatched(), kMostOfSocket + 10);
}

TEST_F(DnsEarly, ManySocketsTogetherHaveABoundToo) {
  Read(Response("first"));
  for (unsigned made = 1; made < kMost; ++made) {
    if (made % kMostOfSocket == 1) others.push_back(driver.NewStream());
    Read(others.back(), Response("a", kA, made));
  }
  EXPECT_EQ(Unmatched(), 0U);
  Read(others.front(), Response("b"));  // its own oldest goes
  Ask(Query("first"));
  EXPECT_EQ(Spans(), 1U);
  Read(Response("second", kA, 2));
  EXPECT_EQ(Unmatched(), 1U);
  others.push_back(driver.NewStream());
  Read(others.back(), Response("b"));  // the oldest of all goes
  EXPECT_EQ(Unmatched(), 2U);
  Ask(Query("second", kA, 2));
  EXPECT_EQ(Spans(), 2U);
}

TEST_F(DnsEarly, OneThereIsNoMemoryForIsCountedAtOnce) {
  Read(Response("a", kA, 1));
  driver.host.memory_limit = driver.host.bytes();
  Read(Response("a", kA, 2));
  EXPECT_EQ(Unmatched(), 1U);
  driver.host.memory_limit = 1U << 20U;
}

TEST_F(DnsEarly, WithoutMemoryForTheLookupBothAreCounted) {
  Read(Response("a"));
  driver.host.memory_limit = driver.host.bytes();
  Ask(Query("a"));
  EXPECT_EQ(driver.host.Aborts(PROBE_EVICTED_MEMORY), 1U);
  driver.host.memory_limit = 1U << 20U;
  Ticks(2);
  EXPECT_EQ(Unmatched(), 1U);
}

TEST_F(DnsEarly, WhateverEndsTheSocketTheyAreCounted) {
  std::uint64_t expected = 0;
  for (int reason = PROBE_CLOSE_LOCAL; reason <= PROBE_CLOSE_HANDED_OVER; ++reason) {
    StreamDriver ended = driver.NewStream();
    Read(ended, Response("a"));
    ended.Close(static_cast<probe_close_reason>(reason));
    EXPECT_EQ(Unmatched(), ++expected);
  }
  EXPECT_EQ(driver.host.bytes(), 0U);
}

TEST_F(DnsEarly, OneThatRepeatsNoQuestionDoesNotWait) {
  Read(Header{.flags = 0x8181, .questions = 0, .answers = 1}.Bytes() + Record(kA, kAddress4));
  EXPECT_EQ(Unmatched(), 1U);
}

TEST_F(DnsEarly, WhoeverHearsSeveralAnswersToOneQueryByMulticastHasTheFirst) {
  const probe_endpoint_t group = {{224, 0, 0, 251}, 5353, PROBE_FAMILY_INET, {}};
  stream.Open();
  stream.thread_id = kSender;
  stream.Datagram(PROBE_SENT, Query("a.local"), group);
  stream.thread_id = kReader;
  for (const std::uint8_t host : std::array<std::uint8_t, 3>{7, 8, 9})
    stream.Datagram(PROBE_RECEIVED, Response("a.local", kA, 0x1234, 0, Record(kA, kAddress4), 1), Peer4(host, 5353));
  EXPECT_EQ(Spans(), 1U);
  EXPECT_EQ(Unmatched(), 2U);
}

TEST_F(DnsEarly, FromPort5353NothingWaits) {
  probe_open_t open{};
  open.struct_size = sizeof(open);
  open.local = {{}, 5353, PROBE_FAMILY_INET, {}};
  stream.OpenWith(open);
  stream.thread_id = kReader;
  stream.Datagram(PROBE_RECEIVED, Response("a.local", kA, 0, 0, Record(kA, kAddress4), 1), Peer4(7, 5353));
  stream.thread_id = kSender;
  stream.Datagram(PROBE_SENT, Query("a.local", kA, 0), Peer4(251, 5353));
  EXPECT_EQ(driver.host.Counted(PROBE_IGNORED_CONFIGURED), 1U);
  EXPECT_EQ(Spans(), 0U);
}

TEST_F(DnsEarly, AServersAnswersAreIgnoredAsBefore) {
  stream.Datagram(PROBE_SENT, Response("a"), Peer4());
  EXPECT_EQ(driver.host.Counted(PROBE_IGNORED_CONFIGURED), 1U);
}

/// It has read the question before it answers, and was seen to.
TEST_F(DnsEarlyServer, AServersAnswersDoNotWait) {
  stream.Datagram(PROBE_SENT, Response("a"), Peer4());
  EXPECT_EQ(Unmatched(), 1U);
  stream.thread_id = kReader;
  stream.Datagram(PROBE_RECEIVED, Query("a"), Peer4());
  EXPECT_EQ(Spans(), 0U);
  EXPECT_EQ(driver.host.in_flight(), 1U);
}

/// A client's answer waits in a socket that is a server's too, which the server's questions leave alone.
TEST_F(DnsEarlyServer, NobodyElsesQuestionIsAnswered) {
  Read(Response("a"));
  stream.thread_id = kSender;
  stream.Datagram(PROBE_RECEIVED, Query("a"), Peer4());
  EXPECT_EQ(Spans(), 0U);
  Ask(Query("a"));
  EXPECT_EQ(Only().kind, static_cast<std::uint32_t>(PROBE_SPAN_CLIENT));
}

TEST_F(DnsEarly, OverAStreamItIsTheSame) {
  for (const bool from_start : {true, false}) {
    StreamDriver connection = driver.NewStream();
    connection.Open(from_start);
    connection.thread_id = kReader;
    connection.Receive(Framed(Response("a", kA, 1, 0, Record(kA, kAddress4), 1)) + Framed(Response("b", kA, 2)));
    const std::uint64_t answered = connection.now_ns;
    connection.thread_id = kSender;
    connection.Send(Framed(Query("a", kA, 1)) + Framed(Query("b", kA, 2)) + Framed(Query("c", kA, 3)));
    ASSERT_EQ(Spans(), 2U);
    EXPECT_EQ(driver.host.spans[0].Get("dns.answers"), "[192.0.2.1]");
    EXPECT_EQ(driver.host.spans[0].Get("network.transport"), "tcp");
    EXPECT_EQ(driver.host.spans[0].start_ns, answered);
    EXPECT_EQ(driver.host.spans[0].end_ns, answered);
    EXPECT_EQ(driver.host.exchanges.at(0).raw.wire_sequence, 1000U);
    connection.thread_id = kReader;
    connection.Receive(Framed(Response("c", kA, 3)));
    EXPECT_EQ(Spans(), 3U);
    connection.Close(PROBE_CLOSE_PEER);
    EXPECT_EQ(driver.host.in_flight(), 0U);
    EXPECT_EQ(Unmatched(), 0U);
    driver.host.spans.clear();
    driver.host.exchanges.clear();
  }
}

TEST_F(DnsEarly, OverAStreamAQuestionBeganWithItsFirstByte) {
  const std::string query = Framed(Query("a"));
  stream.Open();
  AskOverStream(query.substr(0, 5));
  const std::uint64_t asked = stream.now_ns;
  ReadOverStream(Framed(Response("a")));
  AskOverStream(query.substr(5));
  EXPECT_EQ(Only().start_ns, asked);
  EXPECT_EQ(Only().end_ns, asked + kMs);
}

TEST_F(DnsEarly, OverAStreamTwoAlikeAreTwo) {
  stream.Open();
  ReadOverStream(Framed(Response("a", kA, 1, 3)) + Framed(Response("a", kA, 1)));
  AskOverStream(Framed(Query("a", kA, 1)));
  AskOverStream(Framed(Query("a", kA, 1)));
  ASSERT_EQ(Spans(), 2U);
  EXPECT_EQ(driver.host.spans[0].error_type, "host_not_found");
  EXPECT_EQ(driver.host.spans[1].error_type, "");
}

TEST_F(DnsEarly, MessagesOfATransferDoNotWait) {
  stream.Open();
  ReadOverStream(Framed(Response("zone", kTypeAxfr, 7, 0, Record(kA, kAddress4), 1)));
  EXPECT_EQ(Unmatched(), 1U);
  AskOverStream(Framed(Query("zone", kTypeAxfr, 7)));
  EXPECT_EQ(driver.host.Counted(PROBE_IGNORED_CONFIGURED), 1U);
}

}  // namespace
}  // namespace probed::mod::dns
