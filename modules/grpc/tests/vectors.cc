// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "modules/grpc/tests/vectors.h"

#include <algorithm>

#include "modules/grpc/tests/frames.h"

namespace probed::mod::grpc::testing {

using sdk::testing::Received;
using sdk::testing::Sent;

std::string Shown(const sdk::testing::RecordedSpan& span) {
  const auto or_dash = [](const std::string& text) { return text.empty() ? std::string("-") : text; };
  const std::string kind = span.kind == PROBE_SPAN_SERVER ? "server " : "client ";
  if (span.Has("rpc.system.name")) {
    return kind + span.name + " " + or_dash(span.Get("rpc.status_code")) + " " + or_dash(span.error_type);
  }
  const std::string where = span.kind == PROBE_SPAN_SERVER ? span.Get("url.path") : span.Get("url.full");
  return kind + span.name + " " + where + " " + or_dash(span.Get("http.response.status_code")) + " " +
         or_dash(span.error_type);
}

std::vector<std::string> Shown(const std::vector<sdk::testing::RecordedSpan>& spans) {
  std::vector<std::string> out;
  out.reserve(spans.size());
  for (const auto& span : spans) out.push_back(Shown(span));
  std::sort(out.begin(), out.end());
  return out;
}

namespace {

Vector Unary() {
  Peers p;
  return {"unary, as its server sees it",
          {Received(p.Hello()), Sent(Settings()), Received(p.Ask(1, "shop.Cart/Get")), Sent(p.Answer(1)),
           Received(p.Ask(3, "shop.Cart/Get")), Sent(p.Answer(3, "5"))},
          {"server shop.Cart/Get NOT_FOUND -", "server shop.Cart/Get OK -"}};
}

Vector UnaryClient() {
  Peers p;
  return {"unary, as its client sees it",
          {Sent(p.Hello()), Received(Settings()), Sent(p.Ask(1, "shop.Cart/Get")), Received(p.Answer(1)),
           Sent(p.Ask(3, "shop.Cart/Get")), Received(p.Answer(3, "5"))},
          {"client shop.Cart/Get NOT_FOUND NOT_FOUND", "client shop.Cart/Get OK -"}};
}

Vector ServerSpeaksFirst() {
  Peers p;
  return {"a server that sends SETTINGS before it read anything",
          {Sent(Settings({{4, 65535}})), Received(p.Hello()), Received(p.Ask(1, "a.B/C")), Sent(p.Answer(1))},
          {"server a.B/C OK -"}};
}

Vector Interleaved() {
  Peers p;
  std::string requests;
  std::vector<std::string> spans;
  for (std::uint32_t id = 1; id < 128; id += 2) {
    requests += p.Ask(id, "m.N/M" + std::to_string(id));
    spans.push_back("server m.N/M" + std::to_string(id) + " OK -");
  }
  std::string heads;
  std::string ends;
  for (std::uint32_t id = 1; id < 128; id += 2) heads += p.server.Frames(id, GrpcResponse());
  for (std::uint32_t id = 127; id < 128; id -= 2)
    ends += Data(id, Message("x")) + p.server.Frames(id, GrpcTrailers("0"), true);
  std::sort(spans.begin(), spans.end());
  return {"64 streams at once, answered from the last to the first",
          {Received(p.Hello()), Received(requests), Sent(heads), Sent(ends)},
          spans};
}

Vector Continuations() {
  Peers p;
  const Headers more = {{"x-long", std::string(3000, 'a')}, {"x-other", std::string(500, 'b')}};
  return {"blocks in pieces",
          {Received(p.Hello()),
           Received(Join({p.client.Pieces(1, GrpcRequest("a.B/C", more), false, 100), Data(1, Message("x"), true)})),
           Sent(Join({p.server.Pieces(1, GrpcResponse(), false, 1), p.server.Pieces(1, GrpcTrailers("13"), true, 3)})),
           Received(p.Ask(3, "a.B/C")), Sent(p.Answer(3))},
          {"server a.B/C INTERNAL INTERNAL", "server a.B/C OK -"}};
}

Vector PaddingAndPriority() {
  Peers p;
  const std::string request = p.client.Block(GrpcRequest("a.B/C"));
  const std::string head = std::string(1, '\7') + BigEndian(0x80000000U, 4) + "\x10" + request + std::string(7, '\0');
  const std::string data = std::string(1, '\3') + Message("x") + std::string(3, '\0');
  return {"padding and priority",
          {Received(Join({p.Hello(), Frame(H2_PRIORITY, 0, 5, BigEndian(0, 4) + "\x01")})),
           Received(Frame(H2_HEADERS, H2_END_HEADERS | H2_PADDED | H2_HAS_PRIORITY, 1, head)),
           Received(Frame(H2_DATA, H2_PADDED | H2_END_STREAM, 1, data)), Sent(p.Answer(1))},
          {"server a.B/C OK -"}};
}

Vector TrailersOnly() {
  Peers p;
  Headers only = GrpcResponse();
  only.emplace_back("grpc-status", "12");
  return {"a response of one block",
          {Received(Join({p.Hello(), p.Ask(1, "no.Such/Thing")})), Sent(p.server.Frames(1, only, true))},
          {"server grpc UNIMPLEMENTED UNIMPLEMENTED"}};
}

Vector ConnectionFrames() {
  Peers p;
  const std::string noise = Frame(H2_PING, 0, 0, "12345678") + Frame(H2_WINDOW_UPDATE, 0, 0, BigEndian(1000, 4)) +
                            Frame(0x10, 0, 0, "u=1") + Frame(0xfe, 0xff, 7, std::string(300, 'x'));
  return {"frames that say nothing of a call, and unknown ones",
          {Received(Join({p.Hello(), noise, p.Ask(1, "a.B/C"), noise})), Sent(Join({noise, p.Answer(1), noise}))},
          {"server a.B/C OK -"}};
}

Vector Resets() {
  Peers p;
  return {"RST_STREAM from both sides",
          {Received(Join({p.Hello(), p.client.Frames(1, GrpcRequest("a.B/Cancelled"))})), Received(Reset(1, 8)),
           Received(p.client.Frames(3, GrpcRequest("a.B/Refused"))), Sent(Reset(3, 7)),
           Received(p.client.Frames(5, HttpRequest("GET", "/x"), true)), Sent(Reset(5, 2)),
           Received(p.client.Frames(7, HttpRequest("GET", "/y"), true)), Received(Reset(7, 8))},
          {"server GET /x - internal_error", "server GET /y - -", "server a.B/Cancelled CANCELLED -",
           "server a.B/Refused UNAVAILABLE UNAVAILABLE"}};
}

Vector Goaway() {
  Peers p;
  return {"GOAWAY",
          {Sent(Join({p.Hello(), p.Ask(1, "a.B/Served"), p.Ask(3, "a.B/Late")})), Received(GoAway(1)),
           Received(p.Answer(1))},
          {"client a.B/Late - refused_stream", "client a.B/Served OK -"}};
}

Vector Push() {
  Peers p;
  const std::string promise = BigEndian(2, 4) + p.server.Block(HttpRequest("GET", "/style.css"));
  return {
      "a pushed response is no call, but keeps the table",
      {Received(Join({p.Hello(), p.client.Frames(1, HttpRequest("GET", "/"), true)})),
       Sent(Join({Frame(H2_PUSH_PROMISE, H2_END_HEADERS, 1, promise),
                  p.server.Frames(1, {{":status", "200"}, {"x", "y"}}),
                  p.server.Frames(2, {{":status", "200"}, {"x", "y"}}), Data(2, "css", true), Data(1, "html", true)}))},
      {"server GET / 200 -"}};
}

Vector Plain() {
  Peers p;
  return {"plain HTTP/2",
          {Sent(Join({p.Hello(), p.client.Frames(1, HttpRequest("GET", "/a?q=1"), true),
                      p.client.Frames(3, HttpRequest("POST", "/b")), Data(3, "body", true)})),
           Received(Join({p.server.Frames(1, {{":status", "103"}}), p.server.Frames(1, {{":status", "404"}}, true),
                          p.server.Frames(3, {{":status", "200"}}), Data(3, "ok", true)}))},
          {"client GET http://shop/a?q=1 404 404", "client POST http://shop/b 200 -"}};
}

Vector Tables() {
  Peers p;
  std::vector<sdk::testing::Step> steps = {Received(p.Hello()), Sent(Settings({{1, 8192}})),
                                           Received(p.Ask(1, "a.B/C")), Sent(p.Answer(1))};
  p.client.TableSize(8192);  // may grow now
  steps.push_back(Received(p.Ask(3, "a.B/D")));
  p.client.TableSize(0);  // and forget everything
  steps.push_back(Received(p.Ask(5, "a.B/E")));
  p.client.TableSize(100);
  steps.push_back(Received(p.Ask(7, "a.B/E")));
  for (std::uint32_t id = 3; id < 9; id += 2) steps.push_back(Sent(p.Answer(id)));
  return {"tables that change their size",
          steps,
          {"server a.B/C OK -", "server a.B/D OK -", "server a.B/E OK -", "server a.B/E OK -"}};
}

Vector Web() {
  Peers p;
  Vector vector{"gRPC-Web: the trailers are the last message", {Received(p.Hello())}, {}};
  std::uint32_t id = 1;
  for (const std::string trailers :
       {"grpc-status:7\r\ngrpc-message:no\r\n", "grpc-message: it was grpc-status: 0, or so\r\ngrpc-status: 7\r\n"}) {
    vector.steps.push_back(Received(Join({p.client.Frames(id, WebRequest("a.B/Web")), Data(id, Message("x"), true)})));
    vector.steps.push_back(Sent(Join({p.server.Frames(id, WebResponse()), Data(id, Message("answer")),
                                      Data(id, WebTrailers('\x80', trailers), true)})));
    vector.spans.push_back("server a.B/Web PERMISSION_DENIED -");
    id += 2;
  }
  return vector;
}

Vector NoGrpcAnswer() {
  Peers p;
  return {
      "a proxy answers a gRPC client with a page",
      {Sent(Join({p.Hello(), p.Ask(1, "a.B/C"), p.Ask(3, "a.B/C")})),
       Received(Join({p.server.Frames(1, {{":status", "502"}, {"content-type", "text/html"}}), Data(1, "<html>", true),
                      p.server.Frames(3, {{":status", "200"}, {"content-type", "application/grpc"}}, true)}))},
      {"client a.B/C UNAVAILABLE UNAVAILABLE", "client a.B/C UNKNOWN UNKNOWN"}};
}

}  // namespace

std::vector<Vector> Vectors() {
  return {Unary(),
          UnaryClient(),
          ServerSpeaksFirst(),
          Interleaved(),
          Continuations(),
          PaddingAndPriority(),
          TrailersOnly(),
          ConnectionFrames(),
          Resets(),
          Goaway(),
          Push(),
          Plain(),
          Tables(),
          Web(),
          NoGrpcAnswer()};
}

}  // namespace probed::mod::grpc::testing
