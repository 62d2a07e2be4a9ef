// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Messages on a stream: every conversation whole, byte by byte and with a hole at every place, as its client and as its
// server sees it; then what is special about connections.
#include <gmock/gmock.h>

#include <algorithm>
#include <string>
#include <tuple>
#include <vector>

#include "api/sdk/generations.h"
#include "api/sdk/testing/drive.h"
#include "modules/dns/tests/messages.h"

extern "C" const probe_module_entry_t probe_module_entry;

namespace probed::mod::dns {
namespace {

using namespace testing;  // NOLINT: the messages of this folder
using sdk::testing::Driver;
using sdk::testing::FeedWithHole;
using sdk::testing::Received;
using sdk::testing::RecordedSpan;
using sdk::testing::Sent;
using sdk::testing::SplitAtEveryByte;
using sdk::testing::Step;
using sdk::testing::StreamDriver;
using ::testing::ElementsAreArray;

constexpr std::uint64_t kMs = 1'000'000;
constexpr unsigned kAxfr = 252;
const std::string kTwoAddresses = Record(kA, kAddress4) + Record(kAaaa, kAddress6);

/// As the client sees it, and the spans in their order: name, answers, code, error.
struct Conversation {
  std::string name;
  std::vector<Step> steps;
  std::vector<std::string> spans;
};

const std::vector<Conversation>& Conversations() {
  static const std::vector<Conversation> all = {
      {"OneLookup",
       {Sent(Framed(Query("www.example.com"))),
        Received(Framed(Response("www.example.com", kA, 0x1234, 0, kTwoAddresses, 2)))},
       {"www.example.com [192.0.2.1,2001:db8::1] NOERROR -"}},
      {"OneAfterTheOther",
       {Sent(Framed(Query("a.example", kA, 1))), Received(Framed(Response("a.example", kA, 1, 3))),
        Sent(Framed(Query("b.example", kA, 2))), Received(Framed(Response("b.example", kA, 2, 2)))},
       {"a.example  NXDOMAIN host_not_found", "b.example  SERVFAIL try_again"}},
      {"PipelinedOutOfOrder",
       {Sent(Framed(Query("a.example", kA, 1)) + Framed(Query("b.example", kA, 2)) + Framed(Query("c.example", kA, 3))),
        Received(Framed(Response("c.example", kA, 3)) +
                 Framed(Response("a.example", kA, 1, 0, Record(kA, kAddress4), 1))),
        Received(Framed(Response("b.example", kA, 2, 5)))},
       {"c.example  NOERROR -", "a.example [192.0.2.1] NOERROR -", "b.example  REFUSED no_recovery"}},
      {"LengthInAReadOfItsOwn",
       {Sent(Framed(Query("a.example")).substr(0, 2)), Sent(Query("a.example")),
        Received(Framed(Response("a.example", kA, 0x1234, 0, kTwoAddresses, 2)).substr(0, 2)),
        Received(Response("a.example", kA, 0x1234, 0, kTwoAddresses, 2))},
       {"a.example [192.0.2.1,2001:db8::1] NOERROR -"}},
      {"LongAnswer",
       {Sent(Framed(Query("long.example", kTxt))),
        Received(Framed(Response("long.example", kTxt, 0x1234, 0, Record(kTxt, std::string(3000, 't')), 1)))},
       {"long.example  NOERROR -"}},
  };
  return all;
}

std::string Summary(const RecordedSpan& span) {
  const std::string code = span.Has("probed.dns.response_code") ? span.Get("probed.dns.response_code") : "?";
  return span.Get("dns.question.name") + " " + span.Get("dns.answers") + " " + code + " " +
         (span.error_type.empty() ? "-" : span.error_type);
}

class DnsStreams : public ::testing::TestWithParam<std::tuple<std::size_t, bool>> {
 protected:
  const Conversation& conversation() const { return Conversations()[std::get<0>(GetParam())]; }
  bool server() const { return std::get<1>(GetParam()); }
  std::vector<Step> Steps() const {
    std::vector<Step> steps = conversation().steps;
    for (Step& step : steps)
      if (server()) step.direction = step.direction == PROBE_SENT ? PROBE_RECEIVED : PROBE_SENT;
    return steps;
  }
  std::vector<std::string> Seen(const Driver& driver) const {
    std::vector<std::string> out;
    out.reserve(driver.host.spans.size());
    for (const RecordedSpan& span : driver.host.spans) {
      EXPECT_EQ(span.kind, std::uint32_t{server() ? PROBE_SPAN_SERVER : PROBE_SPAN_CLIENT});
      EXPECT_EQ(span.Get("network.transport"), "tcp");
      out.push_back(Summary(span));
    }
    return out;
  }
  static void ExpectClosed(const Driver& driver) {
    ASSERT_EQ(driver.host.LedgerProblem(), "");
    ASSERT_EQ(driver.host.in_flight(), 0U);
    ASSERT_EQ(driver.host.bytes(), 0U) << "memory of the stream was not given back";
    ASSERT_EQ(driver.OldestGeneration(), sdk::Pins::kNone);
  }
  void ExpectAll(const std::vector<Step>& steps, bool from_start) {
    Driver driver(probe_module_entry, R"({"server_spans":true})");
    StreamDriver stream = driver.NewStream();
    stream.Open(from_start);
    for (const Step& step : steps) stream.Feed(step);
    stream.Close(PROBE_CLOSE_PEER);
    EXPECT_THAT(Seen(driver), ElementsAreArray(conversation().spans));
    ExpectClosed(driver);
  }
};

TEST_P(DnsStreams, YieldsItsSpans) {
  ExpectAll(Steps(), true);
  ExpectAll(Steps(), false);
}

TEST_P(DnsStreams, YieldsTheSameSplitAtEveryByte) {
  ExpectAll(SplitAtEveryByte(Steps()), true);
  ExpectAll(SplitAtEveryByte(Steps()), false);
}

/// With bytes missing a span may be missing too, or answers of it, or its end; but it never claims what was not there,
/// nothing that may have been answered is called an error, and every exchange ends.
TEST_P(DnsStreams, StaysHonestWithAHoleAnywhere) {
  const std::vector<Step> steps = Steps();
  std::size_t seen = 0;
  for (const std::size_t length : {std::size_t{1}, std::size_t{25}, std::size_t{1000}}) {
    for (std::size_t at = 0; at < sdk::testing::TotalBytes(steps); ++at) {
      Driver driver(probe_module_entry, R"({"server_spans":true})");
      StreamDriver stream = driver.NewStream();
      stream.Open();
      FeedWithHole(stream, steps, at, length);
      // So that what was lost at the end shows: a hole is known by what follows it.
      stream.Receive(Framed(Response("later.example", kA, 99)));
      stream.Send(Framed(Response("later.example", kA, 99)));
      stream.Close(PROBE_CLOSE_PEER);
      ExpectClosed(driver);
      for (const std::string& span : Seen(driver)) {
        const bool known =
            std::any_of(conversation().spans.begin(), conversation().spans.end(), [&](const std::string& expected) {
              // The answers may end early; name and code may not differ.
              return expected.substr(0, expected.find(' ')) == span.substr(0, span.find(' ')) &&
                     expected.substr(expected.rfind(' ', expected.rfind(' ') - 1)) ==
                         span.substr(span.rfind(' ', span.rfind(' ') - 1));
            });
        ASSERT_TRUE(known) << span << " with a hole of " << length << " at " << at;
        ++seen;
      }
    }
  }
  EXPECT_GT(seen, 0U);
}

INSTANTIATE_TEST_SUITE_P(
    All, DnsStreams, ::testing::Combine(::testing::Range(std::size_t{0}, Conversations().size()), ::testing::Bool()),
    [](const auto& which) {
      return Conversations()[std::get<0>(which.param)].name + (std::get<1>(which.param) ? "Server" : "Client");
    });

class DnsStream : public ::testing::Test {
 public:
  DnsStream() : driver(probe_module_entry), stream(driver.NewStream()) { stream.Open(); }
  ~DnsStream() override { EXPECT_EQ(driver.host.LedgerProblem(), ""); }

  void Send(const std::string& bytes) { stream.Send(bytes); }
  void Receive(const std::string& bytes) { stream.Receive(bytes); }
  std::vector<std::string> Seen() const {
    std::vector<std::string> out;
    out.reserve(driver.host.spans.size());
    for (const RecordedSpan& span : driver.host.spans) out.push_back(Summary(span));
    return out;
  }

  Driver driver;
  StreamDriver stream;
};

TEST_F(DnsStream, TakesTheTimesOfTheFirstByteAskedAndTheLastAnswered) {
  const std::string query = Framed(Query("a"));
  const std::string answer = Framed(Response("a"));
  stream.cause = {5, 6, 0, {}};
  Send(query.substr(0, 2));
  const std::uint64_t asked = stream.now_ns;
  stream.cause = {};
  Send(query.substr(2));
  Receive(answer.substr(0, 20));
  Receive(answer.substr(20));
  const RecordedSpan& span = driver.host.spans.at(0);
  EXPECT_EQ(span.start_ns, asked);
  EXPECT_EQ(span.end_ns, stream.now_ns);
  const probe_exchange_t& exchange = driver.host.exchanges.at(0).raw;
  EXPECT_EQ(exchange.cause.offset, 6U);
  EXPECT_EQ(exchange.offset, 0U);
  EXPECT_EQ(exchange.end_offset, query.size());
  EXPECT_EQ(exchange.wire_sequence, 1000U);
}

TEST_F(DnsStream, KnowsThePlaceOfEachOfSeveralQueries) {
  const std::string one = Framed(Query("a", kA, 1));
  Send(one + Framed(Query("b", kA, 2)));
  const probe_exchange_t& second = driver.host.exchanges.at(1).raw;
  EXPECT_EQ(second.offset, one.size());
  EXPECT_EQ(second.wire_sequence, 1000U + one.size());
}

TEST_F(DnsStream, NamesTheServerByTheConnection) {
  Send(Framed(Query("a")));
  Receive(Framed(Response("a")));
  const RecordedSpan& span = driver.host.spans.at(0);
  EXPECT_EQ(span.Get("server.address"), "192.0.2.10");
  EXPECT_EQ(span.Get("server.port"), "40000");
  EXPECT_EQ(span.Get("network.type"), "ipv4");
}

TEST_F(DnsStream, SaysHowTheConnectionEnded) {
  for (const probe_close_reason reason :
       {PROBE_CLOSE_LOCAL, PROBE_CLOSE_PEER, PROBE_CLOSE_RESET, PROBE_CLOSE_TIMEOUT}) {
    StreamDriver one = driver.NewStream();
    one.Open();
    one.Send(Framed(Query("a")));
    one.Receive(Framed(Response("a", kA, 0x1234, 3)).substr(0, 15));  // the code is there, but not the question
    one.Close(reason);
  }
  EXPECT_EQ(Seen(), (std::vector<std::string>{"a  ? connection_closed", "a  ? connection_closed",
                                              "a  ? connection_reset", "a  ? timeout"}));
  EXPECT_EQ(driver.host.bytes(), 0U);
}

TEST_F(DnsStream, EndsALookupThatNobodyAnswers) {
  Send(Framed(Query("a")));
  driver.Tick(stream.now_ns + 5000 * kMs);
  EXPECT_EQ(Seen(), std::vector<std::string>{"a  ? timeout"});
  Receive(Framed(Response("a")));
  for (int i = 0; i < 2; ++i) driver.Tick(stream.now_ns);
  EXPECT_EQ(driver.host.Aborts(PROBE_ABORTED_UNMATCHED), 1U);
}

TEST_F(DnsStream, SaysNothingOfAQuerySentWhenTheConnectionHadEnded) {
  StreamDriver ended = driver.NewStream();
  ended.Send(Framed(Query("a")));
  driver.Tick(ended.now_ns + 5000 * kMs);
  EXPECT_TRUE(driver.host.spans.empty());
  EXPECT_EQ(driver.host.Aborts(PROBE_ABORTED_CLOSE), 1U);
}

TEST_F(DnsStream, CountsWhatItLeavesOutOfALongMessageOfATransfer) {
  Send(Framed(Query("zone", kAxfr, 7)));
  const std::string answer = Framed(Response("zone", kAxfr, 7, 0, Record(kTxt, std::string(900, 't')), 1));
  stream.Feed(Received(answer.substr(0, 512), static_cast<std::uint32_t>(answer.size() - 512)));
  EXPECT_EQ(driver.host.Counted(PROBE_IGNORED_CONFIGURED), 2U);
}

TEST_F(DnsStream, KeepsTwoLookupsAlikeApart) {
  Send(Framed(Query("a")) + Framed(Query("a")));
  Receive(Framed(Response("a", kA, 0x1234, 3)));
  Receive(Framed(Response("a")));
  EXPECT_EQ(Seen(), (std::vector<std::string>{"a  NXDOMAIN host_not_found", "a  NOERROR -"}));
  EXPECT_FALSE(driver.host.spans.at(0).Has("probed.dns.retransmissions"));
}

TEST_F(DnsStream, BeginsInTheMiddleOfAConnection) {
  StreamDriver late = driver.NewStream();
  late.Open(false);
  late.Receive(Framed(Response("before.example", kA, 1)).substr(9));
  late.Send(Framed(Query("a.example", kA, 2)));
  late.Receive("rest of something" + Framed(Response("a.example", kA, 2)));
  EXPECT_EQ(Seen(), std::vector<std::string>{"a.example  NOERROR -"});
  EXPECT_EQ(driver.host.Counted(PROBE_UNDECODABLE_GAP), 1U);
}

TEST_F(DnsStream, KeepsTheAnswersThatStandBeforeAHole) {
  const std::string answer =
      Framed(Response("a", kA, 0x1234, 0, Record(kA, kAddress4) + Record(kTxt, std::string(200, 't')), 2));
  Send(Framed(Query("a")));
  Receive(answer.substr(0, 60));
  stream.Lose(PROBE_RECEIVED, 100);
  Receive(answer.substr(160) + Framed(Response("b")));
  EXPECT_EQ(Seen(), std::vector<std::string>{"a [192.0.2.1] NOERROR -"});
  EXPECT_EQ(driver.host.spans.at(0).end_ns, stream.now_ns);
  for (int i = 0; i < 2; ++i) driver.Tick(stream.now_ns);
  EXPECT_EQ(driver.host.Aborts(PROBE_ABORTED_UNMATCHED), 1U);  // the boundary behind it is known
}

TEST_F(DnsStream, TakesTheEndOfAMessageThatWasLeftOutFromItsRecord) {
  const std::string answer = Framed(Response("a", kA, 0x1234, 0, Record(kTxt, std::string(900, 't')), 1));
  Send(Framed(Query("a")));
  stream.Feed(Received(answer.substr(0, 512), 100));
  stream.Skip(PROBE_RECEIVED, static_cast<std::uint32_t>(answer.size() - 612));
  EXPECT_EQ(Seen(), std::vector<std::string>{"a  NOERROR -"});
  EXPECT_EQ(driver.host.spans.at(0).end_ns, stream.now_ns);
}

TEST_F(DnsStream, CallsNothingAnErrorThatMayHaveBeenAnswered) {
  Send(Framed(Query("a", kA, 1)));
  Send(Framed(Query("b", kA, 2)));
  stream.Lose(PROBE_RECEIVED, 50);
  Receive(Framed(Response("b", kA, 2)));
  driver.Tick(stream.now_ns + 5000 * kMs);
  EXPECT_EQ(Seen(), std::vector<std::string>{"b  NOERROR -"});
  EXPECT_EQ(driver.host.Aborts(PROBE_ABORTED_GAP), 1U);
}

TEST_F(DnsStream, GoesOnBehindWhatItDoesNotUnderstand) {
  Send(Framed(Query("a", kA, 1)));
  Send(Framed(Header{.id = 2, .flags = 0x2800}.Bytes() + QuestionBytes("zone", 6)));  // UPDATE
  Send(Framed(Query("b", kA, 3)));
  Receive(Framed(Response("b", kA, 3)) + Framed(Response("a", kA, 1)));
  EXPECT_EQ(Seen(), (std::vector<std::string>{"b  NOERROR -", "a  NOERROR -"}));
  EXPECT_EQ(driver.host.Counted(PROBE_UNDECODABLE_MALFORMED), 1U);
}

TEST_F(DnsStream, LeavesZoneTransfersOut) {
  Send(Framed(Query("zone", kAxfr, 7)));
  Receive(Framed(Response("zone", kAxfr, 7, 0, Record(kA, kAddress4), 1)));
  Receive(Framed(Header{.id = 7, .flags = 0x8180, .questions = 0, .answers = 1}.Bytes() + Record(kA, kAddress4)));
  stream.Close(PROBE_CLOSE_LOCAL);
  EXPECT_EQ(driver.host.opened(), 0U);
  EXPECT_EQ(driver.host.Counted(PROBE_IGNORED_CONFIGURED), 3U);
  EXPECT_EQ(driver.host.bytes(), 0U);
}

TEST_F(DnsStream, LeavesServersOutUnlessAsked) {
  StreamDriver older = driver.NewStream();
  older.Open(false);
  older.Receive(Framed(Query("a")));
  older.Send(Framed(Response("a")));
  EXPECT_EQ(driver.host.Counted(PROBE_IGNORED_CONFIGURED), 2U);
  EXPECT_EQ(driver.host.opened(), 0U);
}

TEST_F(DnsStream, GivesAStreamUpThatIsNoneOfIts) {
  StreamDriver other = driver.NewStream();
  other.Open(false);
  for (int i = 0; i < 4; ++i) other.Receive(std::string(40, '\xff'));
  EXPECT_TRUE(other.raw()->not_mine);
}

TEST_F(DnsStream, LosesWhatThereIsNoMemoryFor) {
  Send(Framed(Query("a")));
  driver.host.memory_limit = driver.host.bytes();
  const std::string answer = Framed(Response("a"));
  Receive(answer.substr(0, 10));
  EXPECT_EQ(driver.host.Counted(PROBE_UNDECODABLE_GAP), 1U);
  driver.host.memory_limit = 1U << 20U;
  Receive(answer.substr(10));
  stream.Close(PROBE_CLOSE_PEER);
  EXPECT_EQ(driver.host.Aborts(PROBE_ABORTED_GAP), 1U);
  EXPECT_TRUE(driver.host.spans.empty());
}

TEST_F(DnsStream, KeepsTheConfigurationOfAMessageInTheMaking) {
  const std::string query = Framed(Query("a"));
  Send(query.substr(0, 5));
  driver.Configure(R"({"timeout":100})", 2);
  EXPECT_EQ(driver.OldestGeneration(), 1U);
  stream.generation = 2;
  Send(query.substr(5));
  EXPECT_EQ(driver.OldestGeneration(), 1U);
  Receive(Framed(Response("a")));
  EXPECT_EQ(driver.OldestGeneration(), sdk::Pins::kNone);
}

}  // namespace
}  // namespace probed::mod::dns
