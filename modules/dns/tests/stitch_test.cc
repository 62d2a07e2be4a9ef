// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Conversations: what becomes of queries, responses, repetitions, silence, and of what does not belong together.
#include "modules/dns/decode/stitch.h"

#include <gmock/gmock.h>

#include <string>

#include "api/sdk/testing/drive.h"
#include "modules/dns/tests/messages.h"

extern "C" const probe_module_entry_t probe_module_entry;

namespace probed::mod::dns {
namespace {

using namespace testing;  // NOLINT: the messages of this folder
using sdk::testing::Driver;
using sdk::testing::RecordedSpan;
using sdk::testing::StreamDriver;

constexpr std::uint64_t kMs = 1'000'000;

class DnsStitch : public ::testing::Test {
 public:
  explicit DnsStitch(const char* config = "{}") : driver(probe_module_entry, config), stream(driver.NewStream()) {}
  ~DnsStitch() override { EXPECT_EQ(driver.host.LedgerProblem(), ""); }

  void Send(const std::string& bytes) { stream.Datagram(PROBE_SENT, bytes, Peer4()); }
  void Receive(const std::string& bytes) { stream.Datagram(PROBE_RECEIVED, bytes, Peer4()); }
  const RecordedSpan& Only() {
    EXPECT_EQ(driver.host.spans.size(), 1U);
    return driver.host.spans.at(0);
  }

  Driver driver;
  StreamDriver stream;
};

class DnsStitchServer : public DnsStitch {
 protected:
  DnsStitchServer() : DnsStitch(R"({"server_spans":true})") {}
};

class DnsStitchMetric : public DnsStitch {
 protected:
  DnsStitchMetric() : DnsStitch(R"({"duration_metric":true})") {}
};

TEST_F(DnsStitch, MakesAClientSpanOfALookup) {
  stream.cause = {5, 6, 0, {}};
  Send(Query("www.example.com"));
  const std::uint64_t sent = stream.now_ns;
  EXPECT_EQ(driver.host.exchanges.at(0).raw.cause.offset, 6U);
  Receive(Response("www.example.com", kA, 0x1234, 0, Record(kA, kAddress4), 1));
  const RecordedSpan& span = Only();
  EXPECT_EQ(span.kind, static_cast<std::uint32_t>(PROBE_SPAN_CLIENT));
  EXPECT_EQ(span.name, "DNS lookup www.example.com");
  EXPECT_EQ(span.start_ns, sent);
  EXPECT_EQ(span.end_ns, stream.now_ns);
  EXPECT_EQ(span.status, static_cast<std::uint32_t>(PROBE_STATUS_UNSET));
  EXPECT_EQ(span.Get("dns.question.name"), "www.example.com");
  EXPECT_EQ(span.Get("dns.answers"), "[192.0.2.1]");
  EXPECT_EQ(span.Get("server.address"), "192.0.2.53");
  EXPECT_EQ(span.Get("server.port"), "53");
  EXPECT_EQ(span.Get("network.peer.address"), "192.0.2.53");
  EXPECT_EQ(span.Get("network.transport"), "udp");
  EXPECT_EQ(span.Get("network.type"), "ipv4");
  EXPECT_EQ(span.Get("probed.dns.question.type"), "A");
  EXPECT_EQ(span.Get("probed.dns.response_code"), "NOERROR");
  EXPECT_FALSE(span.Has("probed.dns.retransmissions"));
  EXPECT_TRUE(span.measurements.empty());
}

TEST_F(DnsStitch, NamesReverseLookups) {
  Send(Query("1.2.0.192.in-addr.arpa", kPtr));
  Receive(Response("1.2.0.192.in-addr.arpa", kPtr));
  EXPECT_EQ(Only().name, "DNS reverse lookup 1.2.0.192.in-addr.arpa");
}

TEST_F(DnsStitch, KeepsLookupsOfOneSocketApart) {
  Send(Query("a", kA, 1));
  Send(Query("a", kAaaa, 1));  // another question under the same id
  Send(Query("a", kA, 17));    // another id of the same row
  Receive(Response("a", kA, 17, 3));
  Receive(Response("a", kAaaa, 1, 2));
  Receive(Response("a", kA, 1));
  ASSERT_EQ(driver.host.spans.size(), 3U);
  EXPECT_EQ(driver.host.spans[0].error_type, "host_not_found");
  EXPECT_EQ(driver.host.spans[1].error_type, "try_again");
  EXPECT_EQ(driver.host.spans[2].error_type, "");
  EXPECT_EQ(driver.host.in_flight(), 0U);
}

TEST_F(DnsStitch, MatchesNamesWhateverTheirCase) {
  Send(Query("wWw.eXample"));
  Receive(Response("www.EXAMPLE"));
  EXPECT_EQ(Only().Get("dns.question.name"), "wWw.eXample");
}

TEST_F(DnsStitch, CountsARepeatedQueryAsTheSameLookup) {
  Send(Query("a"));
  const std::uint64_t first = stream.now_ns;
  Send(Query("a"));
  Send(Query("a"));
  Receive(Response("a"));
  EXPECT_EQ(Only().start_ns, first);
  EXPECT_EQ(Only().Get("probed.dns.retransmissions"), "2");
  EXPECT_EQ(driver.host.opened(), 1U);
}

TEST_F(DnsStitch, EndsALookupThatNobodyAnswersAfterItsLastRepetition) {
  Send(Query("a"));
  Send(Query("b", kA, 2));
  Send(Query("a"));
  const std::uint64_t last = stream.now_ns;
  driver.Tick(last + 5000 * kMs - 1);
  EXPECT_EQ(Only().Get("dns.question.name"), "b");
  driver.Tick(last + 5000 * kMs);
  ASSERT_EQ(driver.host.spans.size(), 2U);
  EXPECT_EQ(driver.host.spans[1].error_type, "timeout");
  EXPECT_EQ(driver.host.spans[1].status, static_cast<std::uint32_t>(PROBE_STATUS_ERROR));
  EXPECT_EQ(driver.host.spans[1].end_ns, last + 5000 * kMs);
  EXPECT_EQ(driver.OldestGeneration(), sdk::Pins::kNone);
}

TEST_F(DnsStitch, EndsWhatIsOpenWithItsSocket) {
  Send(Query("a"));
  stream.Close(PROBE_CLOSE_LOCAL);
  EXPECT_EQ(Only().error_type, "timeout");
  EXPECT_EQ(driver.host.bytes(), 0U);
}

TEST_F(DnsStitch, AbortsWhatIsOpenAtUnload) {
  Send(Query("a"));
  Send(Query("b"));
  stream.Close(PROBE_CLOSE_UNLOAD);
  EXPECT_EQ(driver.host.Aborts(PROBE_ABORTED_UNLOAD), 2U);
  EXPECT_EQ(driver.host.bytes(), 0U);
}

TEST_F(DnsStitch, CountsAResponseWithoutItsQuery) {
  Receive(Response("a"));
  Send(Query("a"));
  Receive(Response("b"));
  for (int i = 0; i < 2; ++i) driver.Tick(stream.now_ns);
  EXPECT_EQ(driver.host.Aborts(PROBE_ABORTED_UNMATCHED), 2U);
  EXPECT_TRUE(driver.host.spans.empty());
  EXPECT_EQ(driver.host.in_flight(), 1U);
}

TEST_F(DnsStitch, AcceptsAnErrorThatRepeatsNoQuestion) {
  Send(Query("a"));
  Receive(Header{.flags = 0x8181, .questions = 0}.Bytes());
  EXPECT_EQ(Only().error_type, "no_recovery");
  EXPECT_EQ(Only().Get("probed.dns.response_code"), "FORMERR");
}

TEST_F(DnsStitch, SaysThatAnAnswerWasTooLarge) {
  Send(Query("a"));
  Receive(Header{.flags = 0x8380}.Bytes() + QuestionBytes("a", kA));
  EXPECT_EQ(Only().Get("probed.dns.truncated"), "true");
}

TEST_F(DnsStitch, CountsWhatIsNoMessage) {
  Send("not a message of this protocol");
  Send("short");
  stream.Datagram(PROBE_SENT, "abc", Peer4(), 3);
  EXPECT_EQ(driver.host.Counted(PROBE_UNDECODABLE_MALFORMED), 2U);
  EXPECT_EQ(driver.host.Counted(PROBE_UNDECODABLE_TRUNCATED), 1U);
}

TEST_F(DnsStitch, LeavesServersAndMulticastOutUnlessAsked) {
  Receive(Query("a"));
  Send(Response("a"));
  stream.Datagram(PROBE_SENT, Query("b"), Peer4(251, 5353));
  EXPECT_EQ(driver.host.Counted(PROBE_IGNORED_CONFIGURED), 3U);
  EXPECT_EQ(driver.host.opened(), 0U);
}

TEST_F(DnsStitch, KeepsTheConfigurationOfTheQuery) {
  Send(Query("a"));
  driver.Configure(R"({"timeout":100})", 2);
  driver.Tick(stream.now_ns + 1000 * kMs);
  EXPECT_TRUE(driver.host.spans.empty());
  EXPECT_EQ(driver.OldestGeneration(), 1U);
  Receive(Response("a"));
  EXPECT_EQ(driver.OldestGeneration(), sdk::Pins::kNone);
}

TEST_F(DnsStitch, SaysWhatItKnowsOfAnUnknownPeer) {
  stream.Datagram(PROBE_SENT, Query("a"), {});
  stream.Datagram(PROBE_RECEIVED, Response("a"), {});
  EXPECT_FALSE(Only().Has("server.address"));
  EXPECT_FALSE(Only().Has("network.type"));
}

TEST_F(DnsStitch, GivesUpALookupThereIsNoMemoryFor) {
  Send(Query("a"));
  driver.host.memory_limit = driver.host.bytes();
  Send(Query("b"));
  EXPECT_EQ(driver.host.Aborts(PROBE_EVICTED_MEMORY), 1U);
}

TEST_F(DnsStitchServer, TellsClientsApartByTheirAddresses) {
  stream.Open();
  stream.Datagram(PROBE_RECEIVED, Query("a"), Peer4(1, 1000));
  stream.Datagram(PROBE_RECEIVED, Query("a"), Peer4(2, 1000));
  stream.Datagram(PROBE_SENT, Response("a", kA, 0x1234, 3), Peer4(2, 1000));
  stream.Datagram(PROBE_SENT, Response("a"), Peer4(1, 1000));
  ASSERT_EQ(driver.host.spans.size(), 2U);
  const RecordedSpan& span = driver.host.spans[0];
  EXPECT_EQ(span.kind, static_cast<std::uint32_t>(PROBE_SPAN_SERVER));
  EXPECT_EQ(span.Get("client.address"), "192.0.2.2");
  EXPECT_EQ(span.Get("client.port"), "1000");
  EXPECT_EQ(span.Get("server.address"), "192.0.2.1");
  EXPECT_EQ(span.Get("server.port"), "8080");
  EXPECT_EQ(span.error_type, "host_not_found");
}

TEST_F(DnsStitchMetric, RecordsTheDurationIfAsked) {
  Send(Query("a"));
  Receive(Response("a"));
  EXPECT_NEAR(Only().measurements.at("dns.lookup.duration"), 0.001, 1e-9);
}

TEST(DnsConfig, ReportsWhatItDoesNotKnow) {
  Driver driver(probe_module_entry);
  EXPECT_TRUE(
      driver.Check(R"({"timeout":1000,"server_spans":true,"duration_metric":true,"capture_bytes":512})").empty());
  EXPECT_THAT(driver.Check(R"({"timeout":1,"server_spam":true})"),
              ::testing::UnorderedElementsAre(::testing::Key("timeout"), ::testing::Key("server_spam")));
  driver.Configure(R"({"capture_bytes":1024})", 2);
  EXPECT_EQ(driver.kernel.capture_bytes, 1024U);
}

}  // namespace
}  // namespace probed::mod::dns
