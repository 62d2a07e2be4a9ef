// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// What the conversations of vectors.cc cannot say: times, references, connections joined late, lost bytes, bounds,
// generations, the ledger of records.
#include "modules/http/decode/stitch.h"

#include <gmock/gmock.h>

#include <string>

#include "api/sdk/generations.h"
#include "api/sdk/testing/drive.h"

extern "C" const probe_module_entry_t probe_module_entry;

namespace probed::mod::http {
namespace {

using sdk::testing::Driver;
using sdk::testing::StreamDriver;

const std::string kRequest = "GET /a HTTP/1.1\r\nHost: h\r\n\r\n";
const std::string kResponse = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

class HttpStitch : public ::testing::Test {
 public:
  explicit HttpStitch(const char* config = "{}") : driver(probe_module_entry, config), stream(driver.NewStream()) {}
  ~HttpStitch() override { EXPECT_EQ(driver.host.LedgerProblem(), ""); }

  /// These and no others, each a span.
  void ExpectRequests(const std::vector<std::string>& paths) const {
    std::vector<std::string> found;
    found.reserve(driver.host.spans.size());
    for (const auto& span : driver.host.spans) found.push_back(span.Get("url.path"));
    EXPECT_EQ(found, paths);
    EXPECT_EQ(driver.host.opened(), paths.size());
  }

  Driver driver;
  StreamDriver stream;
};

TEST_F(HttpStitch, OpensTheExchangeWithTheHeadAndNotBefore) {
  stream.Open();
  stream.cause = {5, 6, 0, {}};
  stream.Receive(kRequest.substr(0, 10));
  const std::uint64_t first = stream.now_ns;
  EXPECT_EQ(driver.host.opened(), 0U);
  stream.cause = {};
  stream.Receive(kRequest.substr(10));
  ASSERT_EQ(driver.host.opened(), 1U);
  const probe_exchange_t& exchange = driver.host.exchanges[0].raw;
  EXPECT_EQ(exchange.start_ns, first);
  EXPECT_EQ(exchange.offset, 0U);
  EXPECT_EQ(exchange.end_offset, kRequest.size());
  EXPECT_EQ(exchange.wire_sequence, 1000U);
  EXPECT_EQ(exchange.cookie, 77U);
  EXPECT_EQ(exchange.cause.offset, 6U);
}

TEST_F(HttpStitch, GivesPipelinedRequestsTheirOwnOffsets) {
  stream.Open();
  stream.Receive(kRequest + kRequest);
  ASSERT_EQ(driver.host.opened(), 2U);
  EXPECT_EQ(driver.host.exchanges[1].raw.offset, kRequest.size());
  EXPECT_EQ(driver.host.exchanges[1].raw.wire_sequence, 1000U + kRequest.size());
}

TEST_F(HttpStitch, EndsWithTheLastByteOfTheResponse) {
  stream.Open();
  stream.Receive(kRequest);
  const std::uint64_t start = stream.now_ns;
  stream.Send(kResponse.substr(0, kResponse.size() - 1));
  EXPECT_TRUE(driver.host.spans.empty());
  stream.Send("k");
  ASSERT_EQ(driver.host.spans.size(), 1U);
  EXPECT_EQ(driver.host.spans[0].start_ns, start);
  EXPECT_EQ(driver.host.spans[0].end_ns, stream.now_ns);
  EXPECT_DOUBLE_EQ(driver.host.spans[0].measurements.at("http.server.request.duration"), 0.002);
}

TEST_F(HttpStitch, UnmarkedChunksEndWithTheirLastRecord) {
  stream.Open();
  stream.Receive(kRequest);
  stream.Feed({PROBE_SENT, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", 3000});
  stream.Skip(PROBE_SENT, 500, PROBE_SEGMENT_UNREADABLE);
  const std::uint64_t last = stream.now_ns;
  stream.Receive(kRequest);
  stream.Send(kResponse);
  ASSERT_EQ(driver.host.spans.size(), 2U);
  EXPECT_EQ(driver.host.spans[0].end_ns, last);
  EXPECT_FALSE(driver.host.spans[0].measurements.contains("http.server.response.body.size"));
}

TEST_F(HttpStitch, JoinsAConnectionInTheMiddleOfABody) {
  stream.Open(false);
  stream.Send("tail of some body\r\n");
  stream.Receive(kRequest);
  stream.Send(kResponse);
  ASSERT_EQ(driver.host.spans.size(), 1U);
  EXPECT_EQ(driver.host.Counted(PROBE_UNDECODABLE_GAP), 1U);
}

TEST_F(HttpStitch, CountsAResponseWhoseRequestWasNotSeen) {
  stream.Open(false);
  stream.Send(kResponse);
  stream.Receive(kRequest);
  stream.Send(kResponse);
  ASSERT_EQ(driver.host.spans.size(), 1U);
  EXPECT_EQ(driver.host.spans[0].kind, std::uint32_t{PROBE_SPAN_SERVER});
  EXPECT_EQ(driver.host.Aborts(PROBE_ABORTED_UNMATCHED), 1U);
}

TEST_F(HttpStitch, AnUnseenHeadRequestDoesNotSwallowTheNextResponse) {
  stream.Open(false);
  stream.Send("HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n");
  stream.Receive(kRequest);
  stream.Send(kResponse);
  EXPECT_EQ(driver.host.spans.size(), 1U);
}

TEST_F(HttpStitch, KnowsTheClientByTheRequestItSends) {
  stream.Open(false);
  stream.Receive("HTTP/1.1 304 Not Modified\r\n\r\n");
  stream.Send(kRequest);
  stream.Receive(kResponse);
  ASSERT_EQ(driver.host.spans.size(), 1U);
  EXPECT_EQ(driver.host.spans[0].kind, std::uint32_t{PROBE_SPAN_CLIENT});
}

TEST_F(HttpStitch, AHoleInsideABodyIsNothingSpecial) {
  stream.Open();
  stream.Receive(kRequest);
  stream.Send("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nstart");
  stream.Lose(PROBE_SENT, 990);
  stream.Send("final");
  ASSERT_EQ(driver.host.spans.size(), 1U);
  EXPECT_EQ(driver.host.spans[0].error_type, "");
  EXPECT_DOUBLE_EQ(driver.host.spans[0].measurements.at("http.server.response.body.size"), 1000);
}

TEST_F(HttpStitch, AHoleOverABoundaryGivesUpWhoWaits) {
  stream.Open();
  stream.Receive(kRequest);
  stream.Lose(PROBE_SENT, kResponse.size());
  stream.Receive(kRequest);
  stream.Send(kResponse);  // of the second, but nobody can tell
  EXPECT_EQ(driver.host.spans.size(), 0U);
  EXPECT_EQ(driver.host.Aborts(PROBE_ABORTED_GAP), 2U);
  stream.Receive(kRequest);
  stream.Send(kResponse);
  EXPECT_EQ(driver.host.spans.size(), 1U);
  EXPECT_EQ(driver.host.opened(), 3U);
}

TEST_F(HttpStitch, APipelinedConnectionIsTrustedAgainAfterSilence) {
  stream.Open();
  stream.Receive(kRequest + kRequest);
  stream.Send(kResponse);
  stream.Receive(kRequest + kRequest);
  stream.Lose(PROBE_SENT, 10);
  stream.Send("rest of a body\r\n");
  EXPECT_EQ(driver.host.Aborts(PROBE_ABORTED_GAP), 3U);
  stream.Receive(kRequest);
  stream.Send(kResponse);
  EXPECT_EQ(driver.host.spans.size(), 1U);
  stream.now_ns += 2 * Stitcher::kIdleNs;
  stream.Receive(kRequest);
  stream.Send(kResponse);
  EXPECT_EQ(driver.host.spans.size(), 2U);
}

TEST_F(HttpStitch, FindsTheNextHeadAfterMalformedBytes) {
  stream.Open();
  stream.Receive(kRequest);
  stream.Send(kResponse);
  stream.Receive("\x01\x02garbage without meaning\r\n" + kRequest);
  stream.Send(kResponse);
  EXPECT_EQ(driver.host.spans.size(), 2U);
  EXPECT_EQ(driver.host.Counted(PROBE_UNDECODABLE_MALFORMED), 1U);
}

TEST_F(HttpStitch, AResponseNobodyCanReadIsAnError) {
  stream.Open();
  stream.Receive(kRequest);
  stream.Send("ICY 200 OK\r\n\r\n");
  ASSERT_EQ(driver.host.spans.size(), 1U);
  EXPECT_EQ(driver.host.spans[0].error_type, "malformed_response");
  EXPECT_FALSE(driver.host.spans[0].Has("http.response.status_code"));
}

TEST_F(HttpStitch, ContradictoryFramingIsFlaggedAndNotBelieved) {
  stream.Open();
  stream.Receive(
      "POST /s HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n"
      "0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n");
  stream.Send(kResponse);
  stream.Receive(kRequest);
  stream.Send(kResponse);
  ASSERT_EQ(driver.host.spans.size(), 2U);
  EXPECT_EQ(driver.host.spans[0].Get("probed.http.framing_conflict"), "true");
  EXPECT_EQ(driver.host.spans[1].Get("url.path"), "/a");
  EXPECT_FALSE(driver.host.spans[1].Has("probed.http.framing_conflict"));
}

TEST_F(HttpStitch, ACutHeadStillMakesItsSpan) {
  stream.Open();
  stream.Feed({PROBE_RECEIVED, "GET /cut HTTP/1.1\r\nHost: h\r\nCookie: aaaaaaa", 5000, PROBE_SEGMENT_TRUNCATED, 0});
  stream.Send(kResponse);
  ASSERT_EQ(driver.host.spans.size(), 1U);
  EXPECT_EQ(driver.host.spans[0].Get("url.path"), "/cut");
  EXPECT_EQ(driver.host.spans[0].Get("probed.http.head_truncated"), "true");
  EXPECT_EQ(driver.host.Counted(PROBE_UNDECODABLE_TRUNCATED), 1U);
  stream.Receive(kRequest);
  stream.Send(kResponse);
  EXPECT_EQ(driver.host.spans.size(), 2U);
}

TEST_F(HttpStitch, BelievesNoRequestInTheBodyOfACutOne) {
  stream.Open();
  stream.Feed({PROBE_RECEIVED, "POST /cut HTTP/1.1\r\nHost: h\r\nCookie: aaaaaaa", 5000, PROBE_SEGMENT_TRUNCATED, 0});
  stream.Receive("GET /fake HTTP/1.1\r\nHost: h\r\n\r\n");
  stream.Send("HTTP/1.1 100 Continue\r\n\r\n");
  stream.Receive("GET /fake HTTP/1.1\r\nHost: h\r\n\r\n");
  stream.Send(kResponse);
  stream.Receive(kRequest);
  stream.Send(kResponse);
  ExpectRequests({"/cut", "/a"});
  EXPECT_EQ(driver.host.Counted(PROBE_UNDECODABLE_GAP), 2U);
}

TEST_F(HttpStitch, BelievesNoRequestBehindOneOfContradictoryLengthsBeforeItsResponse) {
  stream.Open();
  stream.Receive("POST /x HTTP/1.1\r\nContent-Length: 900\r\nContent-Length: 3\r\n\r\nabc");
  stream.Receive("GET /fake HTTP/1.1\r\nHost: h\r\n\r\n");
  stream.Send(kResponse);
  stream.Receive(kRequest);
  stream.Send(kResponse);
  ExpectRequests({"/x", "/a"});
}

TEST_F(HttpStitch, BelievesNoRequestInChunksThatWereLost) {
  stream.Open();
  stream.Receive("POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
  stream.Skip(PROBE_RECEIVED, 5000, 0);
  stream.Receive("GET /fake HTTP/1.1\r\nHost: h\r\n\r\n");
  stream.Send(kResponse);
  stream.Receive(kRequest);
  stream.Send(kResponse);
  ExpectRequests({"/x", "/a"});
}

TEST_F(HttpStitch, BelievesNoResponseInChunksThatWereLost) {
  stream.Open();
  stream.Receive(kRequest);
  stream.Send("HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n");
  stream.Skip(PROBE_SENT, 5000, 0);
  stream.Send("HTTP/1.1 500 Fake\r\nContent-Length: 900\r\n\r\n");
  const std::uint64_t last = stream.now_ns;
  stream.Receive(kRequest);
  stream.Send(kResponse);
  ASSERT_EQ(driver.host.spans.size(), 2U);
  EXPECT_EQ(driver.host.spans[0].Get("http.response.status_code"), "201");
  EXPECT_EQ(driver.host.spans[0].end_ns, last);
  EXPECT_EQ(driver.host.spans[1].Get("http.response.status_code"), "200");
  EXPECT_EQ(driver.host.Counted(PROBE_ABORTED_UNMATCHED), 0U);
}

TEST_F(HttpStitch, CountsWhatFollowsAnUpgrade) {
  stream.Open();
  stream.Receive("GET /ws HTTP/1.1\r\nUpgrade: x\r\n\r\n");
  stream.Send("HTTP/1.1 101 Switching Protocols\r\n\r\n");
  stream.Send("\x81\x01x");
  stream.Receive(kRequest);
  EXPECT_EQ(driver.host.opened(), 1U);
  EXPECT_EQ(driver.host.Counted(PROBE_IGNORED_AFTER_UPGRADE), 2U);
  EXPECT_TRUE(stream.raw()->not_mine);
}

TEST_F(HttpStitch, KeepsTheOutsideOfATunnel) {
  stream.Open();
  stream.Receive("CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n\r\n");
  stream.Send("HTTP/1.1 200 OK\r\n\r\n");
  stream.Receive("\x16\x03\x01");
  EXPECT_EQ(driver.host.Counted(PROBE_IGNORED_AFTER_UPGRADE), 1U);
  EXPECT_FALSE(stream.raw()->not_mine);
}

TEST_F(HttpStitch, CountsBodiesAsIgnored) {
  stream.Open();
  stream.Receive("POST /b HTTP/1.1\r\nContent-Length: 6\r\n\r\n");
  stream.Receive("abc");
  stream.Receive("def");
  EXPECT_EQ(driver.host.Counted(PROBE_IGNORED_BODY), 1U);
  EXPECT_EQ(driver.host.used, 2U);
}

TEST_F(HttpStitch, EvictsTheOldestBeyondItsBound) {
  stream.Open();
  const std::uint32_t count = Stitcher::kMaxOpen + 5;
  for (std::uint32_t i = 0; i < count; ++i) stream.Receive("GET /" + std::to_string(i) + " HTTP/1.1\r\n\r\n");
  EXPECT_EQ(driver.host.Aborts(PROBE_EVICTED_MEMORY), 5U);
  for (std::uint32_t i = 0; i < count; ++i) stream.Send(kResponse);
  ASSERT_EQ(driver.host.spans.size(), std::size_t{Stitcher::kMaxOpen});
  EXPECT_EQ(driver.host.spans[0].Get("url.path"), "/5");
  EXPECT_EQ(driver.host.in_flight(), 0U);
}

TEST_F(HttpStitch, LivesWithoutMemory) {
  driver.host.memory_limit = sizeof(Connection) + 100;
  stream.Open();
  stream.Receive(kRequest);
  stream.Receive(kRequest);
  EXPECT_EQ(driver.host.Aborts(PROBE_EVICTED_MEMORY), 2U);
  stream.Send(kResponse + kResponse);
  driver.host.memory_limit = std::size_t{1} << 20U;
  stream.Receive(kRequest);
  stream.Send(kResponse);
  EXPECT_EQ(driver.host.spans.size(), 1U);
}

TEST_F(HttpStitch, CountsRecordsOfStreamsItHasNoMemoryFor) {
  driver.host.memory_limit = 10;
  stream.Receive(kRequest);
  EXPECT_EQ(driver.host.Counted(PROBE_UNDECODABLE_GAP), 1U);
  EXPECT_EQ(driver.host.opened(), 0U);
}

TEST_F(HttpStitch, AllocatesOnceOnAKeepAliveConnection) {
  stream.Open();
  for (int i = 0; i < 2; ++i) {  // what is remembered of a connection is allocated once it is used again
    stream.Receive(kRequest);
    stream.Send(kResponse);
  }
  const std::size_t blocks = driver.host.blocks();
  const std::size_t bytes = driver.host.bytes();
  for (int i = 0; i < 100; ++i) {
    stream.Receive(kRequest);
    stream.Send(kResponse);
  }
  EXPECT_EQ(driver.host.blocks(), blocks);
  EXPECT_EQ(driver.host.bytes(), bytes);
}

TEST_F(HttpStitch, GivesForeignStreamsBack) {
  stream.Open();
  for (std::uint32_t i = 0; i < Stitcher::kUndecodableBeforeGivingUp; ++i) stream.Receive("\x01\x02\x03\x04");
  EXPECT_TRUE(stream.raw()->not_mine);
}

TEST_F(HttpStitch, GivesHttp2Back) {
  stream.Open();
  stream.Receive("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
  EXPECT_TRUE(stream.raw()->not_mine);
  EXPECT_EQ(driver.host.opened(), 0U);
}

TEST_F(HttpStitch, FlushEndsWhatIsOpen) {
  stream.Open();
  StreamDriver other = driver.NewStream();
  other.Open();
  stream.Receive(kRequest);
  other.Receive(kRequest);
  driver.Flush();
  EXPECT_EQ(driver.host.Aborts(PROBE_ABORTED_UNLOAD), 2U);
  EXPECT_EQ(driver.OldestGeneration(), sdk::Pins::kNone);
  stream.Close(PROBE_CLOSE_UNLOAD);
  other.Close(PROBE_CLOSE_UNLOAD);
  EXPECT_EQ(driver.host.bytes(), 0U);
}

TEST_F(HttpStitch, AnEvictedStreamIsNotCountedTwice) {
  stream.Open();
  stream.Receive(kRequest);
  stream.Close(PROBE_CLOSE_EVICTED);
  EXPECT_EQ(driver.host.aborted(), 0U);  // the host ends it
  EXPECT_EQ(driver.OldestGeneration(), sdk::Pins::kNone);
}

TEST_F(HttpStitch, AnExchangeKeepsTheConfigurationOfItsFirstRecord) {
  stream.Open();
  stream.Receive(kRequest.substr(0, 5));
  EXPECT_EQ(driver.OldestGeneration(), 1U);
  driver.Configure(R"({"route_patterns":["/{any}"]})", 2);
  stream.generation = 2;
  stream.Receive(kRequest.substr(5));
  EXPECT_EQ(driver.OldestGeneration(), 1U);
  stream.Send(kResponse);
  EXPECT_EQ(driver.OldestGeneration(), sdk::Pins::kNone);
  driver.Retire(2);
  stream.Receive(kRequest);
  EXPECT_EQ(driver.OldestGeneration(), 2U);
  stream.Send(kResponse);
  ASSERT_EQ(driver.host.spans.size(), 2U);
  EXPECT_EQ(driver.host.spans[0].name, "GET");
  EXPECT_EQ(driver.host.spans[1].name, "GET /{any}");
}

class HttpIgnored : public HttpStitch {
 protected:
  HttpIgnored() : HttpStitch(R"({"ignored_paths":["/health/*"]})") {}
};

TEST_F(HttpIgnored, MakesNoSpanAndKeepsTheOrder) {
  stream.Open();
  stream.Receive("GET /health/live?x=1 HTTP/1.1\r\n\r\n" + kRequest);
  stream.Send("HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n" + kResponse);
  ASSERT_EQ(driver.host.spans.size(), 1U);
  EXPECT_EQ(driver.host.spans[0].Get("http.response.status_code"), "200");
  EXPECT_EQ(driver.host.Aborts(PROBE_IGNORED_CONFIGURED), 1U);
}

}  // namespace
}  // namespace probed::mod::http
