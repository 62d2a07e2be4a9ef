// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// What is remembered must be exactly what would be parsed: head by head against the parser, and connection by
// connection against one on which nothing is remembered.
#include "modules/http/decode/memo.h"

#include <gmock/gmock.h>

#include <random>
#include <string>
#include <vector>

#include "api/sdk/testing/drive.h"
#include "modules/http/decode/parse.h"
#include "modules/http/tests/vectors.h"

extern "C" const probe_module_entry_t probe_module_entry;

namespace probed::mod::http {
namespace {

using sdk::ParseState;
using sdk::testing::Driver;
using sdk::testing::FakeHost;
using sdk::testing::RecordedSpan;
using sdk::testing::Step;
using sdk::testing::StreamDriver;

constexpr std::uint32_t kGeneration = 3;
const std::string kParent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const std::string kOtherParent = "00-1af7651916cd43dd8448eb211c80319d-c7ad6b7169203332-00";

/// One memo, as a connection has it.
class Remembered {
 public:
  ~Remembered() {
    RequestMemo::Release(stream_, &request_);
    ResponseMemo::Release(stream_, &response_);
    EXPECT_EQ(host_.bytes(), 0U);
    EXPECT_EQ(host_.LedgerProblem(), "");
  }

  /// False: the parser does not take it.
  bool Remember(const std::string& block) {
    RequestHead head;
    CapturedHeaders captured;
    if (ParseRequest(block, {}, &head, &captured) != ParseState::kOk) return false;
    RequestMemo::Remember(stream_, block, head, kGeneration, &request_);
    return true;
  }
  bool RememberResponse(const std::string& block) {
    ResponseHead head;
    CapturedHeaders captured;
    if (ParseResponse(block, {}, &head, &captured) != ParseState::kOk) return false;
    ResponseMemo::Remember(stream_, block, head, &response_);
    return true;
  }

  /// Whether it matches; if so, everything is compared with the parser's result.
  bool Matches(const std::string& block, std::uint32_t generation = kGeneration) {
    RequestHead head;
    probe_trace_context_t remote{};
    if (request_ == nullptr || !request_->Match(block, generation, &head, &remote)) return false;
    RequestHead parsed;
    CapturedHeaders captured;
    EXPECT_EQ(ParseRequest(block, {}, &parsed, &captured), ParseState::kOk) << block;
    ExpectSame(block, head, parsed);
    EXPECT_EQ(request_->method(), parsed.method.In(block.data()));
    return true;
  }
  bool MatchesResponse(const std::string& block) {
    ResponseHead head;
    if (response_ == nullptr || !response_->Match(block, &head)) return false;
    ResponseHead parsed;
    CapturedHeaders captured;
    EXPECT_EQ(ParseResponse(block, {}, &parsed, &captured), ParseState::kOk) << block;
    EXPECT_EQ(head.status, parsed.status);
    EXPECT_EQ(head.minor_version, parsed.minor_version);
    EXPECT_EQ(head.folded, parsed.folded);
    EXPECT_EQ(head.size, parsed.size);
    ExpectSame(head.body, parsed.body);
    return true;
  }
  RequestMemo* request() { return request_; }

 private:
  static void ExpectSame(const BodyHeaders& body, const BodyHeaders& parsed) {
    EXPECT_EQ(body.length, parsed.length);
    EXPECT_EQ(body.has_length, parsed.has_length);
    EXPECT_EQ(body.chunked, parsed.chunked);
    EXPECT_EQ(body.other_coding, parsed.other_coding);
    EXPECT_EQ(body.conflict, parsed.conflict);
  }

  void ExpectSame(const std::string& block, const RequestHead& head, const RequestHead& parsed) {
    const auto value = [&](const Slice& ours, const Slice& theirs) {
      EXPECT_EQ(ours.In(request_->lines()), theirs.In(block.data())) << block;
    };
    EXPECT_EQ(head.method.In(block.data()), parsed.method.In(block.data()));
    EXPECT_EQ(head.target.In(block.data()), parsed.target.In(block.data()));
    EXPECT_EQ(head.size, parsed.size);
    EXPECT_EQ(head.minor_version, parsed.minor_version);
    EXPECT_EQ(head.folded, parsed.folded);
    EXPECT_EQ(head.traceparents, parsed.traceparents);
    EXPECT_EQ(head.tracestates, parsed.tracestates);
    value(head.host, parsed.host);
    value(head.user_agent, parsed.user_agent);
    value(head.forwarded, parsed.forwarded);
    value(head.x_forwarded_for, parsed.x_forwarded_for);
    value(head.x_forwarded_host, parsed.x_forwarded_host);
    value(head.x_forwarded_proto, parsed.x_forwarded_proto);
    for (std::size_t i = 0; i < head.tracestate.size(); ++i) value(head.tracestate[i], parsed.tracestate[i]);
    ExpectSame(head.body, parsed.body);
  }

  FakeHost host_;
  sdk::Stream stream_{host_.table(), host_.NewStream()};
  RequestMemo* request_ = nullptr;
  ResponseMemo* response_ = nullptr;
};

TEST(HttpMemo, TakesAnotherTargetForTheSameHead) {
  const std::string lines = " HTTP/1.1\r\nHost: h\r\nUser-Agent: a\r\n\r\n";
  Remembered memo;
  ASSERT_TRUE(memo.Remember("GET /one" + lines));
  EXPECT_TRUE(memo.Matches("GET /one" + lines));
  EXPECT_TRUE(memo.Matches("GET /another/one?x=y" + lines + "and more"));
  EXPECT_TRUE(memo.Matches("GET http://elsewhere/" + lines));
  EXPECT_FALSE(memo.Matches("PUT /one" + lines));
  EXPECT_FALSE(memo.Matches("GETS /one" + lines));
  EXPECT_FALSE(memo.Matches("GET  HTTP/1.1\r\nHost: h\r\nUser-Agent: a\r\n\r\n"));
  EXPECT_FALSE(memo.Matches("GET /one" + lines, kGeneration + 1)) << "another configuration";
}

TEST(HttpMemo, TakesNoOtherHeaders) {
  Remembered memo;
  ASSERT_TRUE(memo.Remember("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\n"));
  EXPECT_FALSE(memo.Matches("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\n"));
  EXPECT_FALSE(memo.Matches("POST / HTTP/1.0\r\nHost: h\r\nContent-Length: 3\r\n\r\n"));
  EXPECT_FALSE(memo.Matches("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n"));
  EXPECT_FALSE(memo.Matches("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nA: b\r\n\r\n"));
}

TEST(HttpMemo, TakesAnotherValidTraceparent) {
  const auto request = [](const std::string& parent) {
    return "GET / HTTP/1.1\r\nHost: h\r\nTraceparent: " + parent + "\r\ntracestate: a=b\r\n\r\n";
  };
  Remembered memo;
  ASSERT_TRUE(memo.Remember(request(kParent)));
  EXPECT_TRUE(memo.Matches(request(kOtherParent)));
  EXPECT_FALSE(memo.Matches(request(std::string(55, '0')))) << "not valid";
  EXPECT_FALSE(memo.Matches(request(" " + kParent.substr(1)))) << "shorter, behind a blank";
  std::string broken = kOtherParent;
  broken.replace(10, 4, "\r\nA:");
  EXPECT_FALSE(memo.Matches(request(broken)));
  probe_trace_context_t remote{};
  RequestHead head;
  ASSERT_TRUE(memo.request()->Match(request(kOtherParent), kGeneration, &head, &remote));
  EXPECT_EQ(remote.trace_id[0], 0x1a);
  EXPECT_EQ(remote.flags, 0);
}

TEST(HttpMemo, LeavesWhatIsInUseAsItIs) {
  Remembered memo;
  ASSERT_TRUE(memo.Remember("GET / HTTP/1.1\r\nHost: one\r\n\r\n"));
  memo.request()->users = 1;
  ASSERT_TRUE(memo.Remember("GET / HTTP/1.1\r\nHost: two\r\n\r\n"));
  EXPECT_TRUE(memo.Matches("GET / HTTP/1.1\r\nHost: one\r\n\r\n"));
  memo.request()->users = 0;
  ASSERT_TRUE(memo.Remember("GET / HTTP/1.1\r\nHost: two\r\n\r\n"));
  EXPECT_TRUE(memo.Matches("GET / HTTP/1.1\r\nHost: two\r\n\r\n"));
}

TEST(HttpMemo, IsBounded) {
  Remembered memo;
  const std::string huge = "GET / HTTP/1.1\r\nA: " + std::string(kMostRemembered, 'a') + "\r\n\r\n";
  ASSERT_TRUE(memo.Remember(huge));
  EXPECT_FALSE(memo.Matches(huge));
  const std::string response = "HTTP/1.1 200 OK\r\nA: " + std::string(kMostRemembered, 'a') + "\r\n\r\n";
  ASSERT_TRUE(memo.RememberResponse(response));
  EXPECT_FALSE(memo.MatchesResponse(response));
}

/// Heads made of parts that matter, and the same with a few bytes changed.
class Heads {
 public:
  std::string Request() {
    std::string text = Pick({"GET", "POST", "PUT", "OPTIONS", "CHECKOUT"}) + " ";
    text += Pick({"/", "/a?b=c", "/x/y/z", "*", "http://h/p"}) + Pick({" HTTP/1.1", " HTTP/1.0"}) + End();
    return text + Lines({"Host: h", "User-Agent: curl/8", "Content-Length: 3", "Transfer-Encoding: chunked", "X: y",
                         "Traceparent: " + kParent, "traceparent: " + kOtherParent, "tracestate: a=b", "A: b\r\n c",
                         "Forwarded: for=a;host=b;proto=https", "X-Forwarded-For: 1.2.3.4", "nonsense", ":"});
  }
  std::string Response() {
    const std::string text = Pick({"HTTP/1.1 ", "HTTP/1.0 "}) + Pick({"200 OK", "404 Not Found", "204", "099 x"});
    return text + End() +
           Lines({"Content-Length: 3", "Content-Length: 4", "Transfer-Encoding: gzip", "Server: s",
                  "Date: Sat, 21 Nov 2026 05:19:29 GMT", "A: b\r\n c"});
  }
  std::string Changed(std::string text) {
    constexpr std::string_view kBytes = "\r\n :0aGT/-\x01";
    for (std::size_t i = random_() % 3; i != 0; --i) text[random_() % text.size()] = kBytes[random_() % kBytes.size()];
    if (random_() % 8 == 0) text.resize(random_() % (text.size() + 1));
    if (random_() % 8 == 0) text += Request();
    return text;
  }
  std::uint64_t Number() { return random_(); }

 private:
  std::string Pick(const std::vector<std::string>& choices) { return choices[random_() % choices.size()]; }
  std::string End() { return random_() % 16 == 0 ? "\n" : "\r\n"; }
  std::string Lines(const std::vector<std::string>& choices) {
    std::string text;
    for (std::size_t i = random_() % 5; i != 0; --i) text += Pick(choices) + End();
    return text + End();
  }

  std::mt19937_64 random_{4711};
};

TEST(HttpMemo, AgreesWithTheParserOnWhateverItTakes) {
  Heads heads;
  int matched = 0;
  for (int i = 0; i < 20000; ++i) {
    Remembered memo;
    const std::string first = heads.Request();
    if (!memo.Remember(first)) continue;
    for (int j = 0; j < 8; ++j) matched += memo.Matches(heads.Changed(first)) ? 1 : 0;
    matched += memo.Matches(heads.Request()) ? 1 : 0;
    const std::string response = heads.Response();
    if (!memo.RememberResponse(response)) continue;
    for (int j = 0; j < 8; ++j) matched += memo.MatchesResponse(heads.Changed(response)) ? 1 : 0;
  }
  EXPECT_GT(matched, 20000) << "the test found nothing to compare";
}

// --- whole connections --------------------------------------------------------------------------------------------

/// Captures headers that nobody sends: with a filter nothing is remembered.
constexpr const char* kForgetful =
    R"({"capture_request_headers":["x-nobody-sends-this"],"capture_response_headers":["x-nobody-sends-this"]})";

void ExpectSameSpans(const Driver& remembering, const Driver& forgetful) {
  ASSERT_EQ(remembering.host.spans.size(), forgetful.host.spans.size());
  for (std::size_t i = 0; i < remembering.host.spans.size(); ++i) {
    const RecordedSpan& a = remembering.host.spans[i];
    const RecordedSpan& b = forgetful.host.spans[i];
    EXPECT_EQ(a.exchange, b.exchange);
    EXPECT_EQ(a.kind, b.kind);
    EXPECT_EQ(a.name, b.name);
    EXPECT_EQ(a.start_ns, b.start_ns);
    EXPECT_EQ(a.end_ns, b.end_ns);
    EXPECT_EQ(a.status, b.status);
    EXPECT_EQ(a.error_type, b.error_type);
    EXPECT_EQ(a.attributes, b.attributes);
    EXPECT_EQ(a.measurements, b.measurements);
  }
}

void ExpectSameLedger(const Driver& remembering, const Driver& forgetful) {
  EXPECT_EQ(remembering.host.LedgerProblem(), "");
  EXPECT_EQ(remembering.host.counted, forgetful.host.counted);
  ASSERT_EQ(remembering.host.exchanges.size(), forgetful.host.exchanges.size());
  for (std::size_t i = 0; i < remembering.host.exchanges.size(); ++i) {
    const sdk::testing::RecordedExchange& a = remembering.host.exchanges[i];
    const sdk::testing::RecordedExchange& b = forgetful.host.exchanges[i];
    EXPECT_EQ(a.aborted, b.aborted);
    EXPECT_EQ(a.tracestate, b.tracestate);
    EXPECT_EQ(a.raw.offset, b.raw.offset);
    EXPECT_EQ(a.raw.end_offset, b.raw.end_offset);
    EXPECT_EQ(a.raw.remote.valid, b.raw.remote.valid);
    EXPECT_EQ(std::string(reinterpret_cast<const char*>(a.raw.remote.trace_id), 16),
              std::string(reinterpret_cast<const char*>(b.raw.remote.trace_id), 16));
  }
}

/// Feeds two connections alike, one that remembers and one that does not. Returns how many spans were said to have
/// constant attributes.
template <class Feed>
std::uint64_t Compare(Feed feed) {
  Driver remembering(probe_module_entry);
  Driver forgetful(probe_module_entry, kForgetful);
  for (Driver* driver : {&remembering, &forgetful}) {
    StreamDriver stream = driver->NewStream();
    feed(stream);
    stream.Close(PROBE_CLOSE_PEER);
    EXPECT_EQ(driver->host.bytes(), 0U);
  }
  if (!::testing::Test::HasFailure()) ExpectSameSpans(remembering, forgetful);
  ExpectSameLedger(remembering, forgetful);
  EXPECT_EQ(forgetful.host.constant_spans, 0U);
  return remembering.host.constant_spans;
}

TEST(HttpMemo, ChangesNothingInAnyConversation) {
  for (const testing::Conversation& conversation : testing::Conversations()) {
    SCOPED_TRACE(conversation.name);
    for (const bool swapped : {false, true}) {
      Compare([&](StreamDriver& stream) {
        stream.Open();
        for (int round = 0; round < 4; ++round) {
          for (Step step : conversation.steps) {
            if (swapped) step.direction ^= 1U;
            stream.Feed(step);
          }
        }
      });
    }
  }
}

TEST(HttpMemo, ChangesNothingInRandomTraffic) {
  std::uint64_t constant = 0;
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    constant += Compare([&](StreamDriver& stream) {
      std::mt19937_64 random(seed);
      const std::string parents[] = {"", "traceparent: " + kParent + "\r\n", "traceparent: " + kOtherParent + "\r\n"};
      if (seed % 3 != 0) stream.Open();
      for (int i = 0; i < 40; ++i) {
        std::string request = random() % 8 == 0 ? "PUT " : "GET ";
        request += random() % 6 == 0 ? "http://other/x" : "/p/" + std::to_string(random() % 4);
        request += " HTTP/1.1\r\nHost: h" + std::to_string(random() % 8 / 7) + "\r\n" + parents[random() % 3] + "\r\n";
        if (random() % 10 == 0) request += request;  // pipelined
        const std::string status = random() % 8 == 0 ? "404" : "200";
        std::string response = "HTTP/1.1 " + status + " x\r\nContent-Length: 2\r\n\r\nok";
        if (random() % 16 == 0) stream.Lose(PROBE_RECEIVED, random() % 30);
        if (random() % 16 == 0) stream.Lose(PROBE_SENT, random() % 30);
        const std::size_t cut = random() % 4 == 0 ? random() % request.size() : 0;
        if (cut != 0) stream.Receive(request.substr(0, cut));
        stream.Receive(request.substr(cut));
        if (random() % 4 == 0) stream.Send(response.substr(0, 10)), response.erase(0, 10);
        stream.Send(response);
        if (i == 20 && seed % 3 == 0) stream.Open();  // the record was late
      }
    });
  }
  EXPECT_GT(constant, 1000U) << "the test compared nothing";
}

}  // namespace
}  // namespace probed::mod::http
