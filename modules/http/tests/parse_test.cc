// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "modules/http/decode/parse.h"

#include <gmock/gmock.h>

#include <string>

#include "modules/http/decode/body.h"

namespace probed::mod::http {
namespace {

using sdk::ParseState;

struct Parsed {
  ParseState state;
  RequestHead head;
  CapturedHeaders captured;
};

Parsed Request(const std::string& text, const ParseOptions& options = {}) {
  Parsed out{};
  out.state = ParseRequest(text, options, &out.head, &out.captured);
  return out;
}

BodyHeaders Framing(const std::string& headers, const std::string& version = "1.1") {
  const Parsed parsed = Request("POST / HTTP/" + version + "\r\n" + headers + "\r\n");
  EXPECT_EQ(parsed.state, ParseState::kOk);
  return parsed.head.body;
}

TEST(HttpParse, TakesTheRequestLineApart) {
  const std::string text = "GET /a?b=c HTTP/1.1\r\nHost: example.com\r\n\r\nrest";
  const Parsed parsed = Request(text);
  ASSERT_EQ(parsed.state, ParseState::kOk);
  EXPECT_EQ(parsed.head.method.In(text.data()), "GET");
  EXPECT_EQ(parsed.head.target.In(text.data()), "/a?b=c");
  EXPECT_EQ(parsed.head.host.In(text.data()), "example.com");
  EXPECT_EQ(parsed.head.size, text.size() - 4);
}

TEST(HttpParse, EndsANameAtItsFirstColon) {
  const std::string text = "GET / HTTP/1.1\r\nTracestate: a=bcd:x\r\nX-Forwarded-For: ::1\r\n\r\n";
  const Parsed parsed = Request(text);
  ASSERT_EQ(parsed.head.tracestates, 1);
  EXPECT_EQ(parsed.head.tracestate[0].In(text.data()), "a=bcd:x");
  EXPECT_EQ(parsed.head.x_forwarded_for.In(text.data()), "::1");
}

TEST(HttpParse, NeedsMoreForEveryPrefix) {
  const std::string text = "PROPFIND /x HTTP/1.1\r\nHost: h\r\nA: b\r\n c\r\n\r\n";
  for (std::size_t size = 0; size < text.size(); ++size) {
    EXPECT_EQ(Request(text.substr(0, size)).state, ParseState::kNeedMore) << size;
  }
  const std::string response = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n";
  for (std::size_t size = 0; size < response.size(); ++size) {
    ResponseHead head;
    CapturedHeaders captured;
    EXPECT_EQ(ParseResponse(response.substr(0, size), {}, &head, &captured), ParseState::kNeedMore) << size;
  }
}

TEST(HttpParse, RefusesWhatIsNoRequest) {
  for (const char* text :
       {"GET /\r\n\r\n", "GET  HTTP/1.1\r\n\r\n", "G{T / HTTP/1.1\r\n\r\n", " GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/3.0\r\n\r\n", "GET / HTTP/1.x\r\n\r\n", "GET / HTTP/1.1\r\n folded first\r\n\r\n"}) {
    EXPECT_EQ(Request(text).state, ParseState::kInvalid) << text;
  }
}

TEST(HttpParse, SaysThatHttp2IsAnotherProtocol) {
  EXPECT_EQ(Request("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").state, ParseState::kEndOfStream);
}

TEST(HttpParse, RefusesWhatIsNoResponse) {
  for (const char* text : {"HTTP/1.1 20 OK\r\n\r\n", "HTTP/1.1 2000\r\n\r\n", "HTTP/1.1  200\r\n\r\n",
                           "HTTP/1.1 099 X\r\n\r\n", "http/1.1 200 OK\r\n\r\n"}) {
    ResponseHead head;
    CapturedHeaders captured;
    EXPECT_EQ(ParseResponse(text, {}, &head, &captured), ParseState::kInvalid) << text;
  }
}

TEST(HttpParse, ReadsFraming) {
  EXPECT_EQ(Framing("Content-Length: 12\r\n").length, 12U);
  EXPECT_FALSE(Framing("Content-Length: 12\r\n").conflict);
  EXPECT_TRUE(Framing("Transfer-Encoding: gzip, chunked\r\n").chunked);
  EXPECT_TRUE(Framing("Transfer-Encoding: gzip\r\n").other_coding);
}

TEST(HttpParse, FlagsFramingThatCannotBeTrusted) {
  for (const char* headers :
       {"Content-Length: 5\r\nContent-Length: 6\r\n", "Content-Length: 5\r\nContent-Length: 5\r\n",
        "Content-Length: 5, 5\r\n", "Content-Length: +5\r\n", "Content-Length: -1\r\n",
        "Content-Length: 99999999999999999999\r\n", "Content-Length:\r\n",
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: gzip\r\n"}) {
    EXPECT_TRUE(Framing(headers).conflict) << headers;
  }
  EXPECT_TRUE(Framing("Transfer-Encoding: chunked\r\n", "1.0").conflict);
}

TEST(HttpParse, TakesWhatACutHeadHas) {
  const std::string text = "GET /long HTTP/1.1\r\nHost: h\r\nCookie: abcdefg";
  const Parsed parsed = Request(text, {nullptr, true});
  ASSERT_EQ(parsed.state, ParseState::kOk);
  EXPECT_EQ(parsed.head.host.In(text.data()), "h");
  const std::string url = "GET /a-very-long-target";
  const Parsed line = Request(url, {nullptr, true});
  ASSERT_EQ(line.state, ParseState::kOk);
  EXPECT_EQ(line.head.target.In(url.data()), "/a-very-long-target");
}

TEST(HttpParse, CapturesEachValueOfANamedHeader) {
  const sdk::http::HeaderFilter filter({"accept", "x-id"});
  const std::string text = "GET / HTTP/1.1\r\nAccept: a\r\nX-ID: 7\r\nACCEPT: b\r\nX-Other: 1\r\n\r\n";
  const Parsed parsed = Request(text, {&filter});
  ASSERT_EQ(parsed.captured.count, 3U);
  EXPECT_EQ(parsed.captured.items[0].value.In(text.data()), "a");
  EXPECT_EQ(parsed.captured.items[1].index, 1U);
  EXPECT_EQ(parsed.captured.items[2].value.In(text.data()), "b");
}

std::string Rest(std::string_view text, ParseState* state, std::uint64_t* payload) {
  ChunkReader reader;
  *state = reader.Feed(&text, payload);
  return std::string(text);
}

TEST(HttpChunks, EndsBehindTheTrailers) {
  ParseState state{};
  std::uint64_t payload = 0;
  EXPECT_EQ(Rest("5;x=\"y\"\r\nhello\r\n0\r\nA: b\r\nC: d\r\n\r\nnext", &state, &payload), "next");
  EXPECT_EQ(state, ParseState::kOk);
  EXPECT_EQ(payload, 5U);
}

TEST(HttpChunks, RefusesWhatIsNoSize) {
  for (const char* text : {"\r\n", "x\r\n", "5x\r\n", "1234567890abcdef\r\n", "2\r\nabc\r\n"}) {
    ParseState state{};
    std::uint64_t payload = 0;
    Rest(text, &state, &payload);
    EXPECT_EQ(state, ParseState::kInvalid) << text;
  }
}

TEST(HttpChunks, SkipsDataAndItsLineEndOnly) {
  ChunkReader reader;
  std::uint64_t payload = 0;
  std::string_view text = "a\r\n0";
  EXPECT_EQ(reader.Feed(&text, &payload), ParseState::kNeedMore);
  EXPECT_FALSE(reader.Skip(12, &payload));
  EXPECT_TRUE(reader.Skip(5, &payload));
  EXPECT_TRUE(reader.Skip(6, &payload));  // the last four and CRLF
  EXPECT_FALSE(reader.Skip(1, &payload));
  EXPECT_EQ(payload, 10U);
  text = "0\r\n\r\nx";
  EXPECT_EQ(reader.Feed(&text, &payload), ParseState::kOk);
  EXPECT_EQ(text, "x");
}

}  // namespace
}  // namespace probed::mod::http
