// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "modules/http/tests/vectors.h"

#include "modules/http/decode/types.h"

namespace probed::mod::http::testing {
namespace {

using sdk::testing::Received;
using sdk::testing::Sent;
using sdk::testing::Step;

// --- what real programs write -------------------------------------------------------------------------------------

std::string CurlGet(const std::string& path) {
  return "GET " + path +
         " HTTP/1.1\r\n"
         "Host: 127.0.0.1:8080\r\n"
         "User-Agent: curl/7.88.1\r\n"
         "Accept: */*\r\n"
         "\r\n";
}

std::string GoGet(const std::string& path) {
  return "GET " + path +
         " HTTP/1.1\r\n"
         "Host: 127.0.0.1:8080\r\n"
         "User-Agent: Go-http-client/1.1\r\n"
         "Accept-Encoding: gzip\r\n"
         "\r\n";
}

std::string NginxResponse(const std::string& body) {
  return "HTTP/1.1 200 OK\r\n"
         "Server: nginx/1.22.1\r\n"
         "Date: Sat, 21 Nov 2026 05:19:29 GMT\r\n"
         "Content-Type: text/html\r\n"
         "Content-Length: " +
         std::to_string(body.size()) +
         "\r\n"
         "Last-Modified: Sat, 21 Nov 2026 05:00:00 GMT\r\n"
         "Connection: keep-alive\r\n"
         "ETag: \"6741\"\r\n"
         "Accept-Ranges: bytes\r\n"
         "\r\n" +
         body;
}

std::string GoResponse(const std::string& body) {
  return "HTTP/1.1 200 OK\r\n"
         "Date: Sat, 21 Nov 2026 05:19:29 GMT\r\n"
         "Content-Length: " +
         std::to_string(body.size()) +
         "\r\n"
         "Content-Type: text/plain; charset=utf-8\r\n"
         "\r\n" +
         body;
}

/// Python's http.server answers with 1.0 and closes.
std::string PythonResponse(const std::string& body) {
  return "HTTP/1.0 200 OK\r\n"
         "Server: SimpleHTTP/0.6 Python/3.11.2\r\n"
         "Date: Sat, 21 Nov 2026 05:19:29 GMT\r\n"
         "Content-type: text/html; charset=utf-8\r\n"
         "\r\n" +
         body;
}

std::string NodeChunkedResponse() {
  return "HTTP/1.1 200 OK\r\n"
         "Content-Type: text/plain\r\n"
         "Date: Sat, 21 Nov 2026 05:19:29 GMT\r\n"
         "Connection: keep-alive\r\n"
         "Keep-Alive: timeout=5\r\n"
         "Transfer-Encoding: chunked\r\n"
         "\r\n"
         "6\r\nhello \r\n"
         "1a;note=\"x\"\r\nabcdefghijklmnopqrstuvwxyz\r\n"
         "0\r\n"
         "X-Checksum: 12\r\n"
         "\r\n";
}

std::string Plain(const std::string& status, const std::string& body = "") {
  return "HTTP/1.1 " + status + "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

std::vector<Conversation> RealPrograms() {
  return {
      {"CurlToNginx", {Received(CurlGet("/")), Sent(NginxResponse("<html>hi</html>"))}, {"GET / 200 -"}},
      {"GoToGo", {Received(GoGet("/world")), Sent(GoResponse("Hello, world!"))}, {"GET /world 200 -"}},
      {"CurlToPython",
       {Received(CurlGet("/a.html")), Sent(PythonResponse("<html>")), Sent("</html>")},
       {"GET /a.html 200 -"},
       PROBE_CLOSE_LOCAL},
      {"CurlToNode",
       {Received(CurlGet("/stream")), Sent(NodeChunkedResponse()), Received(CurlGet("/again")),
        Sent(Plain("200 OK", "x"))},
       {"GET /stream 200 -", "GET /again 200 -"}},
      {"UrllibPost",
       {Received("POST /form HTTP/1.1\r\n"
                 "Accept-Encoding: identity\r\n"
                 "Content-Type: application/x-www-form-urlencoded\r\n"
                 "Content-Length: 7\r\n"
                 "Host: 127.0.0.1:8080\r\n"
                 "User-Agent: Python-urllib/3.11\r\n"
                 "Connection: close\r\n"
                 "\r\n"),
        Received("a=1&b=2"), Sent(Plain("201 Created", "{}"))},
       {"POST /form 201 -"},
       PROBE_CLOSE_LOCAL},
      {"NodeClientChunkedUpload",
       {Received("PUT /up HTTP/1.1\r\nHost: h\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n"
                 "3\r\nabc\r\n"),
        Received("2\r\nde\r\n0\r\n\r\n"), Sent(Plain("204 No Content")), Received(CurlGet("/next")),
        Sent(Plain("200 OK"))},
       {"PUT /up 204 -", "GET /next 200 -"}},
      {"KeepAlive",
       {Received(GoGet("/1")), Sent(GoResponse("one")), Received(GoGet("/2")), Sent(GoResponse("two")),
        Received(GoGet("/3")), Sent(GoResponse(""))},
       {"GET /1 200 -", "GET /2 200 -", "GET /3 200 -"}},
      {"HeadAndBodyInSeparateWrites",
       {Received(CurlGet("/big")), Sent("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"), Sent("01234"), Sent("56789")},
       {"GET /big 200 -"}},
  };
}

std::vector<Conversation> Pipelines() {
  return {
      {"TwoRequestsInOneWrite",
       {Received(CurlGet("/a") + CurlGet("/b")), Sent(Plain("200 OK", "A") + Plain("404 Not Found", "B"))},
       {"GET /a 200 -", "GET /b 404 -"}},
      {"PipelineWithBodies",
       {Received("POST /p HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabcGET /q HTTP/1.1\r\nHost: h\r\n\r\n"),
        Sent(Plain("200 OK", "GET /fake HTTP/1.1\r\n\r\n")), Sent(Plain("200 OK"))},
       {"POST /p 200 -", "GET /q 200 -"}},
      {"ChunkedThenNextInOneWrite",
       {Received(CurlGet("/a") + CurlGet("/b")), Sent(NodeChunkedResponse() + Plain("200 OK", "B"))},
       {"GET /a 200 -", "GET /b 200 -"}},
  };
}

std::vector<Conversation> Methods() {
  return {
      {"HeadHasNoBody",
       {Received("HEAD /h HTTP/1.1\r\nHost: h\r\n\r\n"), Sent("HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n"),
        Received(CurlGet("/n")), Sent(Plain("200 OK"))},
       {"HEAD /h 200 -", "GET /n 200 -"}},
      {"OptionsAsterisk",
       {Received("OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n"), Sent(Plain("200 OK"))},
       {"OPTIONS * 200 -"}},
      {"WebDav",
       {Received("PROPFIND /dav/ HTTP/1.1\r\nHost: h\r\nDepth: 1\r\nContent-Length: 4\r\n\r\n<a/>"),
        Sent(Plain("207 Multi-Status"))},
       {"PROPFIND /dav/ 207 -"}},
      {"AnyToken",
       {Received("m-search! /x HTTP/1.1\r\nHost: h\r\n\r\n"), Sent(Plain("501 Not Implemented"))},
       {"m-search! /x 501 501"}},
      {"AbsoluteForm",
       {Received("GET http://example.com:8000/p?q=1 HTTP/1.1\r\nHost: proxy\r\n\r\n"), Sent(Plain("200 OK"))},
       {"GET http://example.com:8000/p?q=1 200 -"}},
      {"ConnectTunnel",
       {Received("CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n"),
        Sent("HTTP/1.1 200 Connection Established\r\n\r\n"), Received("\x16\x03\x01GET / HTTP/1.1\r\n\r\n"),
        Sent("\x16\x03\x03")},
       {"CONNECT example.com:443 200 -"}},
      {"ConnectRefused",
       {Received("CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n"),
        Sent(Plain("502 Bad Gateway", "no")), Received(CurlGet("/n")), Sent(Plain("200 OK"))},
       {"CONNECT example.com:443 502 502", "GET /n 200 -"}},
  };
}

std::vector<Conversation> Statuses() {
  return {
      {"Continue",
       {Received("POST /c HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"),
        Sent("HTTP/1.1 100 Continue\r\n\r\n"), Received("ok"), Sent(Plain("200 OK"))},
       {"POST /c 200 -"}},
      {"SeveralInterim",
       {Received(CurlGet("/i")),
        Sent("HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </s.css>\r\n\r\nHTTP/1.1 199 "
             "Odd\r\n\r\n"),
        Sent(Plain("200 OK"))},
       {"GET /i 200 -"}},
      {"NotModified",
       {Received(CurlGet("/n")), Sent("HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\n\r\n"),
        Received(CurlGet("/m")), Sent("HTTP/1.1 204 No Content\r\n\r\n"), Received(CurlGet("/l")),
        Sent(Plain("200 OK"))},
       {"GET /n 304 -", "GET /m 204 -", "GET /l 200 -"}},
      {"WebSocket",
       {Received("GET /ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"),
        Sent("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n\x81\x02hi"),
        Received("\x81\x82GET / HTTP/1.1\r\n\r\n")},
       {"GET /ws 101 -"}},
      {"NoReasonPhrase",
       {Received(CurlGet("/r")), Sent("HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n")},
       {"GET /r 200 -"}},
      {"ServerError", {Received(CurlGet("/e")), Sent(Plain("503 Service Unavailable", "x"))}, {"GET /e 503 503"}},
  };
}

std::vector<Conversation> OddHeads() {
  return {
      {"BareLineFeeds",
       {Received("GET /lf HTTP/1.1\nHost: h\n\n"), Sent("HTTP/1.1 200 OK\nContent-Length: 1\n\nx")},
       {"GET /lf 200 -"}},
      {"FoldedHeader",
       {Received("GET /f HTTP/1.1\r\nHost: h\r\nX-Long: one\r\n two\r\n\tthree\r\n\r\n"), Sent(Plain("200 OK"))},
       {"GET /f 200 -"}},
      {"EmptyLinesBefore",
       {Received("\r\n\r\nGET /b HTTP/1.1\r\nHost: h\r\n\r\n"), Sent(Plain("200 OK"))},
       {"GET /b 200 -"}},
      {"EmptyHeaderValue",
       {Received("GET /v HTTP/1.1\r\nHost:\r\nX:\r\n\r\n"), Sent(Plain("200 OK"))},
       {"GET /v 200 -"}},
      {"NameInAnyCase",
       {Received("POST /n HTTP/1.1\r\nhOST: h\r\nCONTENT-LENGTH: 2\r\n\r\nxyGET /m HTTP/1.1\r\n\r\n"),
        Sent("HTTP/1.1 200 OK\r\ntransfer-ENCODING: Chunked\r\n\r\n0\r\n\r\n"), Sent(Plain("200 OK"))},
       {"POST /n 200 -", "GET /m 200 -"}},
      {"Http10CloseDelimited",
       {Received("GET /old HTTP/1.0\r\n\r\n"), Sent("HTTP/1.0 200 OK\r\n\r\n"), Sent("all the rest")},
       {"GET /old 200 -"},
       PROBE_CLOSE_PEER},
  };
}

std::vector<Conversation> EarlyEnds() {
  return {
      {"ClosedBeforeResponse", {Received(CurlGet("/c"))}, {"GET /c - connection_closed"}, PROBE_CLOSE_PEER},
      {"ResetBeforeResponse", {Received(CurlGet("/r"))}, {"GET /r - connection_reset"}, PROBE_CLOSE_RESET},
      {"TimeoutBeforeResponse", {Received(CurlGet("/t"))}, {"GET /t - timeout"}, PROBE_CLOSE_TIMEOUT},
      {"ResetInBody",
       {Received(CurlGet("/b")), Sent("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart")},
       {"GET /b 200 connection_reset"},
       PROBE_CLOSE_RESET},
      {"ErrorStatusOutranksReset",
       {Received(CurlGet("/e")), Sent("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 100\r\n\r\npart")},
       {"GET /e 503 503"},
       PROBE_CLOSE_RESET},
      {"ClosedInChunks",
       {Received(CurlGet("/k")), Sent("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab")},
       {"GET /k 200 connection_closed"},
       PROBE_CLOSE_LOCAL},
      {"ClosedInResponseHead",
       {Received(CurlGet("/h")), Sent("HTTP/1.1 200 OK\r\nContent-Le")},
       {"GET /h 200 connection_closed"},
       PROBE_CLOSE_LOCAL},
      {"ClosedWithPipeline",
       {Received(CurlGet("/1") + CurlGet("/2")), Sent(Plain("200 OK"))},
       {"GET /1 200 -", "GET /2 - connection_closed"},
       PROBE_CLOSE_LOCAL},
  };
}

/// Bytes the kernel leaves out on purpose.
std::vector<Conversation> SkippedBodies() {
  const std::string head = "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n";
  const std::string chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
  // As the kernel leaves chunks out: each size line is shipped, data and CRLF are not.
  const Step data{PROBE_SENT, "", 1002, PROBE_SEGMENT_SKIPPED, 0};
  return {
      {"BodyCutInTheHeadsSegment", {Received(CurlGet("/s")), Sent(head + "abc", 99997)}, {"GET /s 200 -"}},
      {"BodySkippedLater",
       {Received(CurlGet("/s")),
        Sent(head),
        {PROBE_SENT, "", 100000, PROBE_SEGMENT_SKIPPED, 0},
        Received(CurlGet("/n")),
        Sent(Plain("200 OK"))},
       {"GET /s 200 -", "GET /n 200 -"}},
      {"BodyBySendfile",
       {Received(CurlGet("/s")),
        Sent(head),
        {PROBE_SENT, "", 60000, PROBE_SEGMENT_UNREADABLE, 0},
        {PROBE_SENT, "", 40000, PROBE_SEGMENT_UNREADABLE, 0}},
       {"GET /s 200 -"}},
      {"ChunksSkipped",
       {Received(CurlGet("/s")), Sent(chunked), Sent("3e8\r\n"), data, Sent("3e8;x\r\n"), data, Sent("0\r\n"),
        Sent("\r\n"), Received(CurlGet("/n")), Sent(Plain("200 OK"))},
       {"GET /s 200 -", "GET /n 200 -"}},
      {"ChunksLostAndFound",
       {Received(CurlGet("/s")), Sent(chunked, 1234), Sent("3e8\r\n"), data, Sent("0\r\n\r\n"), Received(CurlGet("/n")),
        Sent(Plain("200 OK"))},
       {"GET /s 200 -", "GET /n 200 -"},
       {},
       false},
      {"ChunksInTheHeadsSegment",
       {Received(CurlGet("/s")),
        {PROBE_SENT, chunked, 3000, PROBE_SEGMENT_SKIPPED, kHintMessageEnd},
        Received(CurlGet("/n")),
        Sent(Plain("200 OK"))},
       {"GET /s 200 -", "GET /n 200 -"},
       {},
       false},
      {"ChunksEndUnmarked",
       {Received(CurlGet("/s")), Sent(chunked, 3000), Received(CurlGet("/n")), Sent(Plain("200 OK"))},
       {"GET /s 200 -", "GET /n 200 -"}},
      {"UploadSkipped",
       {Received("PUT /u HTTP/1.1\r\nHost: h\r\nContent-Length: 5000\r\n\r\n", 1000),
        {PROBE_RECEIVED, "", 4000, PROBE_SEGMENT_SKIPPED, 0},
        Sent(Plain("200 OK")),
        Received(CurlGet("/n")),
        Sent(Plain("200 OK"))},
       {"PUT /u 200 -", "GET /n 200 -"}},
  };
}

}  // namespace

const std::vector<Conversation>& Conversations() {
  static const std::vector<Conversation> all = [] {
    std::vector<Conversation> out;
    for (const auto& group :
         {RealPrograms(), Pipelines(), Methods(), Statuses(), OddHeads(), EarlyEnds(), SkippedBodies()}) {
      out.insert(out.end(), group.begin(), group.end());
    }
    return out;
  }();
  return all;
}

}  // namespace probed::mod::http::testing
