// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include "api/sdk/testing/drive.h"
#include "modules/grpc/bpf/h2_frames.h"
#include "modules/grpc/decode/stitch.h"
#include "modules/grpc/tests/frames.h"
#include "modules/grpc/tests/vectors.h"

extern "C" const probe_module_entry_t probe_module_entry;

namespace probed::mod::grpc {
namespace {

using namespace testing;  // NOLINT: the frames of this folder
using sdk::testing::Driver;
using sdk::testing::RecordedSpan;
using sdk::testing::StreamDriver;
using ::testing::ElementsAre;

constexpr const char* kTraceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// A server under test, with its peer.
class GrpcStitch : public ::testing::Test {
 protected:
  void Start(std::string_view config = "{}") {
    driver_ = std::make_unique<Driver>(probe_module_entry, config);
    stream_ = std::make_unique<StreamDriver>(driver_->NewStream());
    stream_->Open();
    stream_->Receive(p_.Hello());
    stream_->Send(Settings());
  }
  void TearDown() override {
    if (stream_ == nullptr) return;
    stream_->Close(PROBE_CLOSE_PEER);
    EXPECT_EQ(driver_->host.LedgerProblem(), "");
    EXPECT_EQ(driver_->host.in_flight(), 0U);
    EXPECT_EQ(driver_->host.bytes(), 0U);
    EXPECT_EQ(driver_->OldestGeneration(), sdk::Pins::kNone);
  }
  const std::vector<RecordedSpan>& spans() const { return driver_->host.spans; }

  Peers p_;
  std::unique_ptr<Driver> driver_;
  std::unique_ptr<StreamDriver> stream_;
};

TEST_F(GrpcStitch, SaysWhatTheConventionsAsk) {
  Start();
  stream_->Receive(p_.Ask(1, "shop.Cart/Get"));
  stream_->Send(p_.Answer(1));
  ASSERT_EQ(spans().size(), 1U);
  const RecordedSpan& span = spans()[0];
  EXPECT_EQ(span.name, "shop.Cart/Get");
  EXPECT_EQ(span.attributes, (std::map<std::string, std::string>{{"rpc.system.name", "grpc"},
                                                                 {"rpc.method", "shop.Cart/Get"},
                                                                 {"rpc.status_code", "OK"},
                                                                 {"server.address", "shop"},
                                                                 {"server.port", "50051"},
                                                                 {"network.peer.address", "192.0.2.10"},
                                                                 {"network.peer.port", "40000"}}));
  EXPECT_EQ(span.measurements.count("rpc.server.call.duration"), 1U);
  EXPECT_EQ(span.status, PROBE_STATUS_UNSET);
  EXPECT_EQ(span.end_ns - span.start_ns, 1'000'000U);
}

TEST_F(GrpcStitch, EndsAStreamWithItsTrailers) {
  Start();
  stream_->Receive(p_.Ask(1, "a.B/Watch"));
  stream_->Send(p_.server.Frames(1, GrpcResponse()));
  for (int i = 0; i < 10; ++i) stream_->Send(Data(1, Message("event")));
  EXPECT_TRUE(spans().empty());
  stream_->Send(p_.server.Frames(1, GrpcTrailers("14"), true));
  ASSERT_EQ(spans().size(), 1U);
  EXPECT_EQ(spans()[0].error_type, "UNAVAILABLE");
  EXPECT_EQ(spans()[0].end_ns - spans()[0].start_ns, 12'000'000U);
}

TEST_F(GrpcStitch, CountsMessagesOnlyWhereAllOfThemWereSeen) {
  Start(R"({"count_messages": true})");
  EXPECT_EQ(driver_->kernel.values[0], H2_SHIP_DATA);
  stream_->Receive(
      Join({p_.client.Frames(1, GrpcRequest("a.B/Sum")), Data(1, Message("one") + Message("two").substr(0, 6)),
            Data(1, Message("two").substr(6)), Data(1, "", true)}));
  stream_->Send(p_.Answer(1));
  stream_->Receive(p_.client.Frames(3, GrpcRequest("a.B/Sum")));
  stream_->Feed({PROBE_RECEIVED, Data(3, Message("lost"), true).substr(0, 9), 9, 0, H2_HINT_PACKED});
  stream_->Send(p_.Answer(3));
  ASSERT_EQ(spans().size(), 2U);
  EXPECT_EQ(spans()[0].Get("probed.rpc.messages.received"), "2");
  EXPECT_EQ(spans()[0].Get("probed.rpc.messages.sent"), "1");
  EXPECT_FALSE(spans()[1].Has("probed.rpc.messages.received"));
}

TEST_F(GrpcStitch, ContinuesTheTraceOfItsMetadata) {
  Start();
  const Headers trace = {{"traceparent", kTraceparent}, {"tracestate", "a=1"}, {"tracestate", "b=2"}};
  stream_->Receive(p_.client.Frames(1, GrpcRequest("a.B/C", trace), true));
  stream_->Receive(
      p_.client.Frames(3, GrpcRequest("a.B/C", {{"traceparent", kTraceparent}, {"traceparent", kTraceparent}}), true));
  ASSERT_EQ(driver_->host.exchanges.size(), 2U);
  EXPECT_EQ(driver_->host.exchanges[0].raw.remote.valid, 1);
  EXPECT_EQ(driver_->host.exchanges[0].raw.remote.trace_id[0], 0x0a);
  EXPECT_EQ(driver_->host.exchanges[0].tracestate, "a=1,b=2");
  EXPECT_EQ(driver_->host.exchanges[1].raw.remote.valid, 0);
}

TEST_F(GrpcStitch, TellsADeadlineFromACancellation) {
  Start();
  stream_->Receive(p_.client.Frames(1, GrpcRequest("a.B/C", {{"grpc-timeout", "5m"}})));
  stream_->Receive(p_.client.Frames(3, GrpcRequest("a.B/C", {{"grpc-timeout", "1S"}})));
  stream_->Receive(p_.client.Frames(5, GrpcRequest("a.B/C", {{"grpc-timeout", "5m"}})));
  stream_->now_ns += 5'000'000;
  stream_->Receive(Join({Reset(1, 8), Reset(3, 8)}));
  stream_->Send(Reset(5, 8));
  ASSERT_EQ(spans().size(), 3U);
  EXPECT_EQ(spans()[0].Get("rpc.status_code"), "DEADLINE_EXCEEDED");
  EXPECT_EQ(spans()[1].Get("rpc.status_code"), "CANCELLED");
  EXPECT_EQ(spans()[2].Get("rpc.status_code"), "DEADLINE_EXCEEDED");
}

TEST_F(GrpcStitch, EndsWhatIsOpenWithTheConnection) {
  Start();
  stream_->Receive(p_.Ask(1, "a.B/C"));
  stream_->Close(PROBE_CLOSE_RESET);
  ASSERT_EQ(spans().size(), 1U);
  EXPECT_EQ(Shown(spans()[0]), "server a.B/C - connection_reset");
  EXPECT_EQ(driver_->host.bytes(), 0U);
  stream_.reset();
}

TEST_F(GrpcStitch, CapturesMetadata) {
  Start(R"({"capture_request_headers": ["x-tenant"], "capture_response_headers": ["x-shard"],
            "capture_response_trailers": ["grpc-message", "x-cost"]})");
  stream_->Receive(p_.client.Frames(1, GrpcRequest("a.B/C", {{"x-tenant", "red"}, {"x-tenant", "blue"}}), true));
  Headers response = GrpcResponse();
  response.emplace_back("x-shard", "7");
  stream_->Send(p_.server.Frames(1, response));
  stream_->Send(p_.server.Frames(1, {{"grpc-status", "9"}, {"grpc-message", "no"}, {"x-cost", "3"}}, true));
  ASSERT_EQ(spans().size(), 1U);
  EXPECT_EQ(spans()[0].Get("rpc.request.header.x-tenant"), "[red,blue]");
  EXPECT_EQ(spans()[0].Get("rpc.response.header.x-shard"), "[7]");
  EXPECT_EQ(spans()[0].Get("rpc.response.trailer.grpc-message"), "[no]");
  EXPECT_EQ(spans()[0].Get("rpc.response.trailer.x-cost"), "[3]");
}

TEST_F(GrpcStitch, LeavesOutWhatDoesNotFit) {
  Start(R"({"capture_bytes": 64, "capture_request_headers": ["x-big"]})");
  stream_->Receive(p_.client.Frames(1, GrpcRequest("a.B/C", {{"x-big", std::string(100, 'x')}}), true));
  stream_->Send(p_.Answer(1));
  ASSERT_EQ(spans().size(), 1U);
  EXPECT_FALSE(spans()[0].Has("rpc.request.header.x-big"));
  EXPECT_EQ(spans()[0].Get("probed.http.head_truncated"), "true");
  EXPECT_EQ(spans()[0].name, "a.B/C");
}

TEST_F(GrpcStitch, IgnoresWhatIsConfiguredSo) {
  Start(R"({"ignored_paths": ["/grpc.health.v1.Health/*"]})");
  stream_->Receive(p_.Ask(1, "grpc.health.v1.Health/Check"));
  stream_->Send(p_.Answer(1));
  stream_->Receive(p_.Ask(3, "a.B/C"));
  stream_->Send(p_.Answer(3));
  EXPECT_THAT(Shown(spans()), ElementsAre("server a.B/C OK -"));
  EXPECT_EQ(driver_->host.Aborts(PROBE_IGNORED_CONFIGURED), 1U);
}

TEST_F(GrpcStitch, AThreadSpeaksForACallThatIsAloneAndNotTheFirst) {
  Start();
  stream_->cause = {5, 6, 0, {}};
  for (const std::uint32_t id : {1U, 3U}) {
    stream_->Receive(p_.Ask(id, "a.B/C"));
    stream_->Send(p_.Answer(id));
  }
  stream_->Receive(p_.Ask(5, "a.B/C"));
  stream_->Receive(p_.Ask(7, "a.B/C"));
  std::vector<std::uint64_t> causes;
  for (const auto& exchange : driver_->host.exchanges) causes.push_back(exchange.raw.cause.cookie);
  EXPECT_THAT(causes, ElementsAre(0, 5, 5, 0));
}

TEST_F(GrpcStitch, AThreadThatDidNotAskBeforeMayAskForAnother) {
  Start();
  stream_->cause = {5, 6, 0, {}};
  for (const std::uint32_t id : {1U, 3U, 5U, 7U, 9U}) {
    stream_->thread_id = id == 5 ? 2 : 1;
    stream_->Receive(p_.Ask(id, "a.B/C"));
    stream_->Send(p_.Answer(id));
  }
  std::vector<std::uint64_t> causes;
  for (const auto& exchange : driver_->host.exchanges) causes.push_back(exchange.raw.cause.cookie);
  EXPECT_THAT(causes, ElementsAre(0, 5, 0, 0, 5));
}

// --- what is not known --------------------------------------------------------------------------------------------

/// The same connection, joined after `before` calls.
class GrpcJoined : public GrpcStitch {
 protected:
  void Join(int before) {
    driver_ = std::make_unique<Driver>(probe_module_entry);
    stream_ = std::make_unique<StreamDriver>(driver_->NewStream());
    for (int i = 0; i < before; ++i) {
      client_.Request(next_, "a.B/Old");
      p_.Answer(next_);
      next_ += 2;
    }
    stream_->Open(false);
  }
  void Call(std::string_view method, std::string_view status = "0") {
    stream_->Receive(client_.Request(next_, std::string(method)));
    stream_->Send(p_.Answer(next_, status));
    next_ += 2;
  }
  Indexing client_;
  std::uint32_t next_ = 1;
};

TEST_F(GrpcJoined, CountsAndTimesWhatItCannotName) {
  Join(3);
  Call("a.B/Old");
  Call("a.B/New");
  Call("a.B/New");
  ASSERT_EQ(spans().size(), 3U);
  EXPECT_EQ(spans()[0].name, "grpc");
  EXPECT_EQ(spans()[0].Get("probed.rpc.method_unknown"), "true");
  EXPECT_FALSE(spans()[0].Has("rpc.method"));
  EXPECT_FALSE(spans()[0].Has("rpc.status_code"));
  EXPECT_EQ(spans()[0].error_type, "");
  EXPECT_EQ(spans()[0].end_ns - spans()[0].start_ns, 1'000'000U);
  EXPECT_EQ(spans()[1].name, "a.B/New");
  EXPECT_EQ(spans()[2].name, "a.B/New");
}

TEST_F(GrpcJoined, StatusesThatWereSaidBeforeStayUnknown) {
  Join(1);
  Call("a.B/Old", "0");
  Call("a.B/Old", "5");
  Call("a.B/Old", "5");
  ASSERT_EQ(spans().size(), 3U);
  EXPECT_FALSE(spans()[0].Has("rpc.status_code"));
  // The value was new, its name was not.
  for (std::size_t i = 1; i < 3; ++i) EXPECT_THAT(spans()[i].Get("rpc.status_code"), ::testing::AnyOf("", "NOT_FOUND"));
}

TEST_F(GrpcJoined, AResponseWithoutItsRequestIsCounted) {
  Join(2);
  stream_->Send(p_.Answer(next_));
  EXPECT_TRUE(spans().empty());
  EXPECT_EQ(driver_->host.Aborts(PROBE_ABORTED_UNMATCHED), 1U);
}

TEST_F(GrpcStitch, AfterAHoleNamesAreNewOrUnknown) {
  Start();
  Indexing client;
  stream_->Receive(client.Request(1, "a.B/First"));
  stream_->Send(p_.Answer(1));
  stream_->Lose(PROBE_RECEIVED, client.Request(3, "a.B/Lost").size());
  for (const auto& [id, method] : {std::pair{5U, "a.B/First"}, std::pair{7U, "a.B/Lost"}, std::pair{9U, "a.B/Fresh"},
                                   std::pair{11U, "a.B/Fresh"}}) {
    stream_->Feed({PROBE_RECEIVED, client.Request(id, method), 0, 0, H2_HINT_ALIGNED});
    stream_->Send(p_.Answer(id));
  }
  EXPECT_THAT(Shown(spans()), ElementsAre("server a.B/First OK -", "server a.B/Fresh OK -", "server a.B/Fresh OK -",
                                          "server grpc OK -", "server grpc OK -"));
}

// --- bounds -------------------------------------------------------------------------------------------------------

TEST_F(GrpcStitch, KeepsABoundedNumberOfCalls) {
  Start();
  for (std::uint32_t i = 0; i < Stitcher::kMaxOpen + 10; ++i) {
    stream_->Receive(p_.client.Frames(2 * i + 1, GrpcRequest("a.B/C"), true));
  }
  EXPECT_EQ(driver_->host.Aborts(PROBE_EVICTED_MEMORY), 10U);
  EXPECT_EQ(driver_->host.in_flight(), Stitcher::kMaxOpen);
}

TEST_F(GrpcStitch, GivesUpABlockThatIsTooLong) {
  Start();
  std::string block;
  for (int i = 0; i < 700; ++i) block += std::string("\0\1x\x7f\x1d", 5) + std::string(127 + 29, 'v');  // literals
  ASSERT_GT(block.size(), std::size_t{Stitcher::kMaxBlock});
  std::string frames;
  for (std::size_t at = 0; at < block.size(); at += 16384) {
    frames += testing::Frame(at == 0 ? H2_HEADERS : H2_CONTINUATION, at + 16384 >= block.size() ? H2_END_HEADERS : 0, 1,
                             block.substr(at, 16384));
  }
  stream_->Receive(frames);
  EXPECT_EQ(driver_->host.Counted(PROBE_UNDECODABLE_TRUNCATED), 1U);
  stream_->Receive(p_.Ask(3, "a.B/C"));  // its table is not known any more, but frames are
  stream_->Send(p_.Answer(3));
  EXPECT_THAT(Shown(spans()), ElementsAre("server a.B/C OK -"));
  EXPECT_LT(driver_->host.bytes(), 200'000U);
}

TEST_F(GrpcStitch, RunsOutOfMemoryWithoutAWrongWord) {
  for (std::size_t limit = 0; limit < 30'000; limit += 500) {
    Driver driver(probe_module_entry);
    driver.host.memory_limit = limit;
    StreamDriver stream = driver.NewStream();
    stream.Open();
    Peers p;
    stream.Receive(p.Hello());
    for (std::uint32_t id = 1; id < 20; id += 2) stream.Receive(p.Ask(id, "a.B/C"));
    for (std::uint32_t id = 1; id < 20; id += 2) stream.Send(p.Answer(id));
    stream.Close(PROBE_CLOSE_PEER);
    for (const RecordedSpan& span : driver.host.spans) {
      EXPECT_THAT(span.name, ::testing::AnyOf("a.B/C", "grpc", "POST")) << limit;
    }
    EXPECT_EQ(driver.host.LedgerProblem(), "");
    EXPECT_EQ(driver.host.in_flight(), 0U);
    EXPECT_EQ(driver.host.bytes(), 0U);
  }
}

/// A connection on which HTTP/1 asked for HTTP/2 and got it: nobody saw what came in the segment of the 101.
class GrpcUpgrade : public GrpcStitch {
 protected:
  void SetUp() override {
    driver_ = std::make_unique<Driver>(probe_module_entry, R"({"capture_response_headers": ["x-once", "x-late"]})");
    stream_ = std::make_unique<StreamDriver>(driver_->NewStream());
    stream_->Open();
    stream_->Lose(PROBE_RECEIVED, 120);
    stream_->Lose(PROBE_SENT, 80);
  }
  void Receive(const std::string& bytes) { stream_->Feed({PROBE_RECEIVED, bytes, 0, 0, H2_HINT_ALIGNED}); }
  void Send(const std::string& bytes) { stream_->Feed({PROBE_SENT, bytes, 0, 0, H2_HINT_ALIGNED}); }
  std::string Response(std::uint32_t id, const std::string& status, bool end = true) {
    return p_.server.Frames(id, {{":status", status}, {"x-once", "one"}}, end);
  }
};

TEST_F(GrpcUpgrade, SpansBeginWithTheFirstRequestOfHttp2) {
  Send(Settings());
  Receive(Join({p_.Hello(), p_.client.Frames(3, HttpRequest("GET", "/three"), true)}));
  Send(Join({Response(1, "200", false), Data(1, "answer", true)}));
  Send(Response(3, "404"));
  Receive(p_.Ask(5, "a.B/C"));
  Send(p_.Answer(5));
  EXPECT_THAT(Shown(spans()), ElementsAre("server GET /three 404 -", "server a.B/C OK -"));
  EXPECT_EQ(spans()[0].Get("http.response.header.x-once"), "[one]");
  EXPECT_EQ(driver_->host.Aborts(PROBE_ABORTED_UNMATCHED), 1U);
}

TEST_F(GrpcUpgrade, AnAnswerBeforeThePrefaceIsCountedOnce) {
  Send(Join({Settings(), Response(1, "200", false)}));
  Send(Data(1, "answer"));
  Receive(Join({p_.Hello(), p_.client.Frames(3, HttpRequest("GET", "/three"), true)}));
  Send(p_.server.Frames(1, {{"x-trailer", "t"}}, true));
  Send(Response(3, "200"));
  EXPECT_THAT(Shown(spans()), ElementsAre("server GET /three 200 -"));
  EXPECT_EQ(driver_->host.Aborts(PROBE_ABORTED_UNMATCHED), 1U);
}

TEST_F(GrpcUpgrade, WhatTheMissedAnswerPutIntoTheTableIsNotGuessed) {
  (void)Response(1, "418");  // came with the 101
  Receive(Join({p_.Hello(), p_.client.Frames(3, HttpRequest("GET", "/three"), true)}));
  Send(Response(3, "418"));
  Receive(p_.client.Frames(5, HttpRequest("GET", "/five"), true));
  Send(Response(5, "200"));
  Receive(p_.client.Frames(7, HttpRequest("GET", "/seven"), true));
  Send(p_.server.Frames(7, {{":status", "418"}, {"x-late", "two"}}, true));
  ASSERT_EQ(spans().size(), 3U);
  EXPECT_FALSE(spans()[0].Has("http.response.status_code"));
  EXPECT_FALSE(spans()[0].Has("http.response.header.x-once"));
  EXPECT_EQ(spans()[1].Get("http.response.status_code"), "200");
  EXPECT_FALSE(spans()[1].Has("http.response.header.x-once"));
  EXPECT_EQ(spans()[2].Get("http.response.header.x-late"), "[two]");
  EXPECT_EQ(driver_->host.Aborts(PROBE_ABORTED_UNMATCHED), 0U);
}

TEST_F(GrpcUpgrade, TableThatGrewByTheMissedSettings) {
  p_.client.TableSize(32768);  // as the SETTINGS behind the 101 allow
  Receive(Join({p_.Hello(), p_.client.Frames(3, HttpRequest("GET", "/three"), true)}));
  Send(Response(3, "200"));
  EXPECT_THAT(Shown(spans()), ElementsAre("server GET /three 200 -"));
}

TEST_F(GrpcUpgrade, CallWhoseAnswerCouldNotBeFoundIsNoFailure) {
  Send(Join({Settings(), Response(1, "200", false)}));
  stream_->Lose(PROBE_SENT, 1000);
  Receive(Join({p_.Hello(), p_.client.Frames(3, HttpRequest("GET", "/three"), true)}));
  stream_->Feed({PROBE_SENT, "middle of a body", 0, 0, 0});
  stream_->Close(PROBE_CLOSE_PEER);
  EXPECT_TRUE(spans().empty());
  EXPECT_EQ(driver_->host.Aborts(PROBE_ABORTED_GAP), 1U);
  EXPECT_EQ(driver_->host.in_flight(), 0U);
  stream_.reset();
}

TEST_F(GrpcStitch, GivesAwayWhatIsNotHttp2) {
  driver_ = std::make_unique<Driver>(probe_module_entry);
  stream_ = std::make_unique<StreamDriver>(driver_->NewStream());
  stream_->Open();
  for (int i = 0; i < 20 && !stream_->raw()->not_mine; ++i) {
    stream_->Feed({PROBE_RECEIVED, std::string(40, '\xff'), 0, 0, H2_HINT_ALIGNED});
  }
  EXPECT_TRUE(stream_->raw()->not_mine);
}

TEST_F(GrpcStitch, AnExchangeKeepsItsConfiguration) {
  Start();
  stream_->Receive(p_.Ask(1, "a.B/C"));
  EXPECT_EQ(driver_->OldestGeneration(), 1U);
  driver_->Configure(R"({"ignored_paths": ["/a.B/*"]})", 2);
  stream_->generation = 2;
  stream_->Send(p_.Answer(1));
  EXPECT_EQ(driver_->OldestGeneration(), sdk::Pins::kNone);
  stream_->Receive(p_.Ask(3, "a.B/C"));
  stream_->Send(p_.Answer(3));
  EXPECT_EQ(spans().size(), 1U);
}

TEST_F(GrpcStitch, FlushEndsWhatIsOpen) {
  Start();
  stream_->Receive(p_.Ask(1, "a.B/C"));
  driver_->Flush();
  EXPECT_EQ(driver_->host.Aborts(PROBE_ABORTED_UNLOAD), 1U);
}

}  // namespace
}  // namespace probed::mod::grpc
