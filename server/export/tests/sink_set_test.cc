// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/export/sink_set.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <thread>

#include "server/export/tests/temp_dir.h"
#include "server/export/tests/test_span.h"
#include "server/export/tests/test_tcp_server.h"

namespace probed::exporter {
namespace {

namespace http = boost::beast::http;
using std::chrono::milliseconds;
using std::chrono::seconds;

SteadyTime In(milliseconds time) { return std::chrono::steady_clock::now() + time; }

/// An OTLP/HTTP receiver that answers with one status and counts requests.
class Receiver {
 public:
  explicit Receiver(http::status status = http::status::ok)
      : server_([this, status](TestTcpServer::Socket& socket) {
          boost::beast::flat_buffer buffer;
          while (true) {
            http::request_parser<http::string_body> parser;
            parser.body_limit(8U << 20U);
            http::read(socket, buffer, parser);
            last_size_ = parser.get().body().size();
            ++requests_;
            http::response<http::string_body> response(status, 11);
            response.prepare_payload();
            http::write(socket, response);
          }
        }) {}
  int requests() const { return requests_; }
  std::size_t last_size() const { return last_size_; }
  std::string endpoint() const { return "http://127.0.0.1:" + std::to_string(server_.port()); }

 private:
  std::atomic<int> requests_{0};
  std::atomic<std::size_t> last_size_{0};
  TestTcpServer server_;
};

class SinkSetTest : public testing::Test {
 protected:
  static Environment NoVariables() {
    return [](std::string_view) { return std::nullopt; };
  }
  config::Sink FileSink(const std::string& name) {
    config::Sink sink;
    sink.name = name;
    sink.type = config::SinkType::kFile;
    sink.path = dir_.File(name + ".jsonl");
    return sink;
  }
  config::Sink HttpSink(const std::string& name, const std::string& endpoint) {
    config::Sink sink;
    sink.name = name;
    sink.type = config::SinkType::kOtlpHttp;
    sink.endpoint = endpoint;
    sink.retry.initial_interval = milliseconds(5);
    sink.retry.max_interval = milliseconds(5);
    return sink;
  }
  std::uint64_t MaskOf(const std::string& name) { return std::uint64_t{1} << sinks_.Bit(name).value(); }
  std::size_t LinesOf(const std::string& name) {
    const std::string text = dir_.Read(name + ".jsonl");
    return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
  }

  TempDir dir_;
  SinkSet sinks_{NoVariables()};
};

TEST_F(SinkSetTest, OffersToTheSinksOfTheMask) {
  ASSERT_TRUE(sinks_.Put(FileSink("a")).ok());
  ASSERT_TRUE(sinks_.Put(FileSink("b")).ok());
  EXPECT_EQ(sinks_.Offer(MaskOf("a") | MaskOf("b"), TestBatch()), 0U);
  EXPECT_EQ(sinks_.Offer(MaskOf("b"), TestBatch()), 0U);
  EXPECT_TRUE(sinks_.Flush(In(seconds(10))).ok());
  EXPECT_EQ(LinesOf("a"), 1U);
  EXPECT_EQ(LinesOf("b"), 2U);
}

TEST_F(SinkSetTest, SaysWhichBitsHaveNoSink) {
  ASSERT_TRUE(sinks_.Put(FileSink("a")).ok());
  const std::uint64_t stale = MaskOf("a");
  EXPECT_EQ(sinks_.Offer(stale | 1ULL << 63U, TestBatch()), 1ULL << 63U);
  EXPECT_TRUE(sinks_.Delete("a", In(seconds(10))).ok());
  EXPECT_EQ(sinks_.Offer(stale, TestBatch()), stale);
}

TEST_F(SinkSetTest, BitsStayWithTheirNames) {
  ASSERT_TRUE(sinks_.Put(FileSink("a")).ok());
  ASSERT_TRUE(sinks_.Put(FileSink("b")).ok());
  const auto a = sinks_.Bit("a");
  EXPECT_TRUE(sinks_.Delete("a", In(seconds(10))).ok());
  EXPECT_EQ(sinks_.Bit("a"), std::nullopt);
  ASSERT_TRUE(sinks_.Put(FileSink("c")).ok());
  EXPECT_NE(sinks_.Bit("c"), a);
  ASSERT_TRUE(sinks_.Put(FileSink("a")).ok());
  EXPECT_EQ(sinks_.Bit("a"), a);
}

TEST_F(SinkSetTest, SixtyFourAndNoMoreButBitsOfTheDeletedAreFreed) {
  for (int i = 0; i < 64; ++i) ASSERT_TRUE(sinks_.Put(FileSink("s" + std::to_string(i))).ok());
  EXPECT_EQ(sinks_.Put(FileSink("more")).code(), absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(sinks_.Put(FileSink("s5")).ok());
  const auto bit = sinks_.Bit("s7");
  EXPECT_TRUE(sinks_.Delete("s7", In(seconds(10))).ok());
  EXPECT_TRUE(sinks_.Put(FileSink("more")).ok());
  EXPECT_EQ(sinks_.Bit("more"), bit);
}

TEST_F(SinkSetTest, ABadConfigurationChangesNothing) {
  ASSERT_TRUE(sinks_.Put(FileSink("a")).ok());
  config::Sink bad = FileSink("a");
  bad.path = "relative";
  EXPECT_EQ(sinks_.Put(bad).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(sinks_.Get("a"), FileSink("a"));
  EXPECT_EQ(sinks_.Delete("b", In(seconds(1))).code(), absl::StatusCode::kNotFound);
  config::Sink scraped;
  scraped.type = config::SinkType::kPrometheus;
  EXPECT_EQ(sinks_.Put(scraped).code(), absl::StatusCode::kUnimplemented);
}

TEST_F(SinkSetTest, WhatIsQueuedMovesToTheNewConfiguration) {
  Receiver good;
  config::Sink sink = HttpSink("otlp", "http://127.0.0.1:" + std::to_string(UnusedPort()));
  sink.retry.initial_interval = sink.retry.max_interval = seconds(60);
  ASSERT_TRUE(sinks_.Put(sink).ok());
  for (int i = 0; i < 3; ++i) sinks_.Offer(MaskOf("otlp"), TestBatch(10));
  while (sinks_.Statuses()[0].stats.state != "retrying") std::this_thread::yield();
  ASSERT_TRUE(sinks_.Put(HttpSink("otlp", good.endpoint())).ok());
  EXPECT_TRUE(sinks_.Flush(In(seconds(20))).ok());
  EXPECT_EQ(good.requests(), 3);
  const SinkStats stats = sinks_.Statuses()[0].stats;
  EXPECT_EQ(stats.state, "ok");
  EXPECT_EQ(stats.items.offered, 30U);
  EXPECT_EQ(stats.items.sent, 30U);
}

TEST_F(SinkSetTest, DeltaMaskFollowsTheConfiguration) {
  config::Sink sink = FileSink("d");
  ASSERT_TRUE(sinks_.Put(FileSink("c")).ok());
  ASSERT_TRUE(sinks_.Put(sink).ok());
  EXPECT_EQ(sinks_.DeltaMask(), 0U);
  sink.temporality = config::Temporality::kDelta;
  ASSERT_TRUE(sinks_.Put(sink).ok());
  EXPECT_EQ(sinks_.DeltaMask(), MaskOf("d"));
}

TEST_F(SinkSetTest, StopFlushesAllAndCountsWhatIsLeft) {
  config::Sink dead = HttpSink("dead", "http://127.0.0.1:" + std::to_string(UnusedPort()));
  ASSERT_TRUE(sinks_.Put(FileSink("a")).ok());
  ASSERT_TRUE(sinks_.Put(dead).ok());
  sinks_.Offer(MaskOf("a") | MaskOf("dead"), TestBatch(4));
  const Status status = sinks_.Stop(In(milliseconds(300)));
  EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_THAT(std::string(Message(status)), testing::HasSubstr("dead: 4 items"));
  EXPECT_EQ(LinesOf("a"), 1U);
  EXPECT_THAT(sinks_.Statuses(), testing::IsEmpty());
}

TEST_F(SinkSetTest, ShardsOfferWhileSinksComeAndGo) {
  ASSERT_TRUE(sinks_.Put(FileSink("a")).ok());
  const std::uint64_t mask = MaskOf("a");
  const BatchPtr batch = TestBatch();
  std::atomic<std::uint64_t> taken{0};
  std::vector<std::thread> shards;
  shards.reserve(3);
  for (int i = 0; i < 3; ++i) {
    shards.emplace_back([&] {
      for (int n = 0; n < 300; ++n) taken += sinks_.Offer(mask, batch) == 0 ? 1 : 0;
    });
  }
  for (int i = 0; i < 10; ++i) {
    EXPECT_TRUE(sinks_.Put(FileSink("b" + std::to_string(i))).ok());
    EXPECT_TRUE(sinks_.Delete("b" + std::to_string(i), In(seconds(10))).ok());
  }
  for (std::thread& shard : shards) shard.join();
  EXPECT_TRUE(sinks_.Flush(In(seconds(10))).ok());
  EXPECT_EQ(taken, 900U);
  EXPECT_EQ(sinks_.Statuses()[0].stats.items.sent, 900U);
}

TEST_F(SinkSetTest, TestSinkReportsWhatCameBack) {
  Receiver good;
  Receiver forbids(http::status::unauthorized);
  EXPECT_TRUE(TestSink(HttpSink("t", good.endpoint()), NoVariables()).ok());
  EXPECT_EQ(good.requests(), 1);
  EXPECT_EQ(good.last_size(), 0U);
  const Status denied = TestSink(HttpSink("t", forbids.endpoint()), NoVariables());
  EXPECT_EQ(denied.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(Message(denied)), testing::HasSubstr("HTTP 401"));
  const auto nobody = HttpSink("t", "http://127.0.0.1:" + std::to_string(UnusedPort()));
  EXPECT_EQ(TestSink(nobody, NoVariables()).code(), absl::StatusCode::kUnavailable);
  EXPECT_TRUE(TestSink(FileSink("f"), NoVariables()).ok());
  EXPECT_EQ(dir_.Read("f.jsonl"), "");
  config::Sink missing = FileSink("f");
  missing.path = dir_.File("no/dir.jsonl");
  EXPECT_EQ(TestSink(missing, NoVariables()).code(), absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace probed::exporter
