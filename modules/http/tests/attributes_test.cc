// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Spans and measurements as the semantic conventions want them, through the whole module.
#include <gmock/gmock.h>

#include <map>
#include <string>

#include "api/sdk/testing/drive.h"

extern "C" const probe_module_entry_t probe_module_entry;

namespace probed::mod::http {
namespace {

using sdk::testing::Driver;
using sdk::testing::RecordedSpan;
using sdk::testing::StreamDriver;
using ::testing::Contains;
using ::testing::Key;
using ::testing::Not;
using ::testing::Pair;

struct Traced {
  RecordedSpan span;
  probe_trace_context_t remote;
  std::string tracestate;
};

Traced Trace(bool server, const std::string& request, const std::string& response, const char* config = "{}",
             std::uint8_t layer = PROBE_LAYER_RAW) {
  Driver driver(probe_module_entry, config);
  StreamDriver stream = driver.NewStream(layer);
  stream.Open();
  stream.Feed({static_cast<std::uint8_t>(server ? PROBE_RECEIVED : PROBE_SENT), request});
  stream.Feed({static_cast<std::uint8_t>(server ? PROBE_SENT : PROBE_RECEIVED), response});
  EXPECT_EQ(driver.host.spans.size(), 1U);
  if (driver.host.spans.empty()) return {};
  return {driver.host.spans[0], driver.host.exchanges[0].raw.remote, driver.host.exchanges[0].tracestate};
}

RecordedSpan Server(const std::string& headers, const char* config = "{}") {
  return Trace(true, "GET /p HTTP/1.1\r\n" + headers + "\r\n", "HTTP/1.1 204 No Content\r\n\r\n", config).span;
}

std::string Status(int code) { return "HTTP/1.1 " + std::to_string(code) + " X\r\nContent-Length: 0\r\n\r\n"; }

TEST(HttpAttributes, OfAServerSpan) {
  const RecordedSpan span =
      Trace(true,
            "POST /users/7?token=x&sig=secret HTTP/1.1\r\nHost: example.com:8080\r\n"
            "User-Agent: curl/8\r\nContent-Length: 3\r\n\r\nabc",
            "HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\nok", R"({"route_patterns":["/users/{id}"]})")
          .span;
  const std::map<std::string, std::string> expected = {
      {"http.request.method", "POST"},
      {"url.path", "/users/7"},
      {"url.query", "token=x&sig=REDACTED"},
      {"url.scheme", "http"},
      {"http.route", "/users/{id}"},
      {"server.address", "example.com"},
      {"server.port", "8080"},
      {"client.address", "192.0.2.10"},
      {"network.peer.address", "192.0.2.10"},
      {"network.peer.port", "40000"},
      {"user_agent.original", "curl/8"},
      {"network.protocol.version", "1.1"},
      {"http.response.status_code", "201"},
  };
  EXPECT_EQ(span.attributes, expected);
  EXPECT_EQ(span.name, "POST /users/{id}");
  EXPECT_EQ(span.status, std::uint32_t{PROBE_STATUS_UNSET});
  EXPECT_THAT(span.measurements, Contains(Key("http.server.request.duration")));
  EXPECT_THAT(span.measurements, Contains(Pair("http.server.request.body.size", 3)));
  EXPECT_THAT(span.measurements, Contains(Pair("http.server.response.body.size", 2)));
}

TEST(HttpAttributes, OfAClientSpan) {
  const RecordedSpan span =
      Trace(false, "GET /a?X-Amz-Signature=1&b HTTP/1.0\r\nHost: [2001:db8::1]:81\r\nUser-Agent: u\r\n\r\n",
            Status(404))
          .span;
  const std::map<std::string, std::string> expected = {
      {"http.request.method", "GET"},         {"url.full", "http://[2001:db8::1]:81/a?X-Amz-Signature=REDACTED&b"},
      {"server.address", "2001:db8::1"},      {"server.port", "81"},
      {"network.peer.address", "192.0.2.10"}, {"network.peer.port", "40000"},
      {"network.protocol.version", "1.0"},    {"http.response.status_code", "404"},
  };
  EXPECT_EQ(span.attributes, expected);
  EXPECT_EQ(span.name, "GET");
  EXPECT_EQ(span.error_type, "404");
  EXPECT_THAT(span.measurements, Contains(Key("http.client.request.duration")));
  EXPECT_THAT(span.measurements, Not(Contains(Key("http.client.request.body.size"))));
}

TEST(HttpAttributes, StatusIsAnErrorByTheSideThatLooks) {
  struct Row {
    int code;
    bool server_error;
    bool client_error;
  };
  for (const Row& row : {Row{204, false, false}, Row{301, false, false}, Row{400, false, true}, Row{499, false, true},
                         Row{500, true, true}, Row{599, true, true}, Row{700, true, true}}) {
    const std::string request = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
    const RecordedSpan server = Trace(true, request, Status(row.code)).span;
    const RecordedSpan client = Trace(false, request, Status(row.code)).span;
    EXPECT_EQ(server.error_type, row.server_error ? std::to_string(row.code) : "") << row.code;
    EXPECT_EQ(client.error_type, row.client_error ? std::to_string(row.code) : "") << row.code;
    EXPECT_EQ(client.status == PROBE_STATUS_ERROR, row.client_error) << row.code;
  }
}

TEST(HttpAttributes, UnknownMethodsAreOther) {
  const RecordedSpan span = Trace(true, "get / HTTP/1.1\r\nHost: h\r\n\r\n", Status(200)).span;
  EXPECT_EQ(span.name, "HTTP");
  EXPECT_EQ(span.Get("http.request.method"), "_OTHER");
  EXPECT_EQ(span.Get("http.request.method_original"), "get");
  const RecordedSpan known =
      Trace(true, "PROPFIND / HTTP/1.1\r\nHost: h\r\n\r\n", Status(200), R"({"known_methods":["PROPFIND"]})").span;
  EXPECT_EQ(known.name, "PROPFIND");
  EXPECT_FALSE(known.Has("http.request.method_original"));
}

TEST(HttpAttributes, ServerAddressIsWhatTheClientAskedFor) {
  EXPECT_EQ(Server("Host: a.example\r\n").Get("server.port"), "80");
  EXPECT_EQ(Server("Host: [::1]:9\r\n").Get("server.address"), "::1");
  EXPECT_EQ(Server("Host: h\r\nX-Forwarded-Host: x.example:1, y\r\n").Get("server.address"), "x.example");
  const RecordedSpan forwarded = Server(
      "Host: h\r\nX-Forwarded-Host: x\r\nForwarded: for=\"[2001:db8::9]:1234\";proto=https;host=f.example, "
      "for=2.2.2.2\r\n");
  EXPECT_EQ(forwarded.Get("server.address"), "f.example");
  EXPECT_EQ(forwarded.Get("server.port"), "443");
  EXPECT_EQ(forwarded.Get("url.scheme"), "https");
  EXPECT_EQ(forwarded.Get("client.address"), "2001:db8::9");
  const RecordedSpan none = Server("");
  EXPECT_EQ(none.Get("server.address"), "192.0.2.1");
  EXPECT_EQ(none.Get("server.port"), "8080");
}

TEST(HttpAttributes, ClientAddressBehindProxies) {
  EXPECT_EQ(Server("Host: h\r\nX-Forwarded-For: 203.0.113.7, 10.0.0.1\r\n").Get("client.address"), "203.0.113.7");
  EXPECT_EQ(Server("Host: h\r\nForwarded: for=unknown\r\n").Get("client.address"), "192.0.2.10");
  EXPECT_EQ(Server("Host: h\r\nX-Forwarded-Proto: https\r\n").Get("url.scheme"), "https");
}

TEST(HttpAttributes, EncryptedStreamsAreHttps) {
  const std::string request = "GET /s HTTP/1.1\r\nHost: h\r\n\r\n";
  EXPECT_EQ(Trace(true, request, Status(200), "{}", PROBE_LAYER_PLAINTEXT).span.Get("url.scheme"), "https");
  const RecordedSpan client = Trace(false, request, Status(200), "{}", PROBE_LAYER_PLAINTEXT).span;
  EXPECT_EQ(client.Get("url.full"), "https://h/s");
  EXPECT_EQ(client.Get("server.port"), "443");
}

TEST(HttpAttributes, CredentialsNeverLeave) {
  const RecordedSpan span =
      Trace(false, "GET http://user:pw@example.com/x HTTP/1.1\r\nHost: proxy\r\n\r\n", Status(200)).span;
  EXPECT_EQ(span.Get("url.full"), "http://REDACTED:REDACTED@example.com/x");
  EXPECT_EQ(span.Get("server.address"), "example.com");
}

TEST(HttpAttributes, FormsOfTargets) {
  const auto server = [](const std::string& line) {
    return Trace(true, line + " HTTP/1.1\r\nHost: h\r\n\r\n", Status(200)).span;
  };
  EXPECT_EQ(server("OPTIONS *").Get("url.path"), "*");
  EXPECT_EQ(server("GET http://e.example?q").Get("url.path"), "/");
  EXPECT_EQ(server("GET http://e.example:7/p?q").Get("server.port"), "7");
  EXPECT_EQ(server("CONNECT e.example:443").Get("server.port"), "443");
}

TEST(HttpAttributes, CapturesNamedHeadersOnly) {
  const char* config =
      R"({"capture_request_headers":["X-Id","accept"],"capture_response_headers":["x-cache","set-cookie"]})";
  const RecordedSpan span =
      Trace(true, "GET / HTTP/1.1\r\nHost: h\r\nX-ID: 1\r\nCookie: c\r\nAccept: a\r\nAccept: b\r\n c\r\n\r\n",
            "HTTP/1.1 200 OK\r\nX-Cache: HIT\r\nServer: s\r\nX-Cache: 2\r\nContent-Length: 0\r\n\r\n", config)
          .span;
  EXPECT_EQ(span.Get("http.request.header.x-id"), "[1]");
  EXPECT_EQ(span.Get("http.request.header.accept"), "[a,b   c]");
  EXPECT_EQ(span.Get("http.response.header.x-cache"), "[HIT,2]");
  EXPECT_FALSE(span.Has("http.response.header.set-cookie"));
  EXPECT_FALSE(span.Has("http.request.header.cookie"));
}

TEST(HttpAttributes, ContinuesTheTraceOfTheCaller) {
  const std::string parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  const std::string padding = "X-Pad: " + std::string(3000, 'x') + "\r\n";
  const Traced traced = Trace(true,
                              "GET / HTTP/1.1\r\nHost: h\r\n" + padding + "TraceParent: " + parent +
                                  "\r\ntracestate: a=1\r\ntracestate: b=2,c=3\r\n\r\n",
                              Status(200));
  EXPECT_EQ(traced.remote.valid, 1);
  EXPECT_EQ(traced.remote.trace_id[0], 0x0a);
  EXPECT_EQ(traced.remote.span_id[7], 0x31);
  EXPECT_EQ(traced.remote.flags, 1);
  EXPECT_EQ(traced.tracestate, "a=1,b=2,c=3");
  const Traced twice =
      Trace(true, "GET / HTTP/1.1\r\ntraceparent: " + parent + "\r\ntraceparent: " + parent + "\r\n\r\n", Status(200));
  EXPECT_EQ(twice.remote.valid, 0);
}

TEST(HttpAttributes, UnixSocketsHaveNoPeer) {
  Driver driver(probe_module_entry);
  StreamDriver stream = driver.NewStream();
  probe_open_t open{};
  open.struct_size = sizeof(open);
  open.local.family = open.peer.family = PROBE_FAMILY_UNIX;
  open.from_start = 1;
  stream.OpenWith(open);
  stream.Receive("GET /u HTTP/1.1\r\n\r\n");
  stream.Send(Status(200));
  ASSERT_EQ(driver.host.spans.size(), 1U);
  EXPECT_FALSE(driver.host.spans[0].Has("network.peer.address"));
  EXPECT_FALSE(driver.host.spans[0].Has("server.address"));
}

}  // namespace
}  // namespace probed::mod::http
