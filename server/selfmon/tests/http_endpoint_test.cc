// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// The endpoint over real sockets on loopback.
#include "server/selfmon/http_endpoint.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <vector>

#include "server/base/fd.h"

namespace probed::selfmon {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

HttpHandlers Handlers() {
  return {.metrics = [] { return std::string("m 1\n"); },
          .healthz = [] { return ProbeAnswer{true, "ok"}; },
          .readyz = [] { return ProbeAnswer{false, "starting"}; }};
}

std::unique_ptr<HttpEndpoint> StartOrDie(const std::string& listen = "127.0.0.1:0") {
  Result<std::unique_ptr<HttpEndpoint>> endpoint = HttpEndpoint::Start(listen, Handlers());
  EXPECT_TRUE(endpoint.ok()) << endpoint.status();
  return std::move(endpoint).value();
}

Fd Connect(std::uint16_t port) {
  Fd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const timeval deadline{.tv_sec = 20, .tv_usec = 0};  // a lost answer fails the test instead of hanging it
  setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &deadline, sizeof(deadline));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  return fd;
}

void Send(const Fd& fd, const std::string& bytes) {
  EXPECT_EQ(send(fd.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL), static_cast<ssize_t>(bytes.size()));
}

std::string ReadToEnd(const Fd& fd) {
  std::string out;
  char buffer[4096];
  for (ssize_t n = 0; (n = recv(fd.get(), buffer, sizeof(buffer), 0)) > 0;)
    out.append(buffer, static_cast<std::size_t>(n));
  return out;
}

/// Reads until the answer ends with `tail`, or the connection does.
std::string ReadUntil(const Fd& fd, const std::string& tail) {
  std::string out;
  char byte = 0;
  while (!out.ends_with(tail) && recv(fd.get(), &byte, 1, 0) == 1) out.push_back(byte);
  return out;
}

std::string Exchange(std::uint16_t port, const std::string& request) {
  const Fd fd = Connect(port);
  Send(fd, request);
  return ReadToEnd(fd);
}

std::string Get(std::uint16_t port, const std::string& target) {
  return Exchange(port, "GET " + target + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
}

TEST(HttpEndpoint, AnswersItsRoutes) {
  const auto endpoint = StartOrDie();
  ASSERT_NE(endpoint->port(), 0);
  EXPECT_THAT(Get(endpoint->port(), "/metrics"), AllOf(StartsWith("HTTP/1.1 200 OK\r\n"), EndsWith("\r\n\r\nm 1\n")));
  EXPECT_THAT(Get(endpoint->port(), "/healthz"), AllOf(StartsWith("HTTP/1.1 200"), EndsWith("ok\n")));
  EXPECT_THAT(Get(endpoint->port(), "/readyz"), AllOf(StartsWith("HTTP/1.1 503"), EndsWith("starting\n")));
  EXPECT_THAT(Get(endpoint->port(), "/"), StartsWith("HTTP/1.1 404"));
}

TEST(HttpEndpoint, NamesTheMethodsItTakes) {
  const auto endpoint = StartOrDie();
  EXPECT_THAT(Exchange(endpoint->port(), "DELETE /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
              AllOf(StartsWith("HTTP/1.1 405"), HasSubstr("Allow: GET, HEAD\r\n")));
}

TEST(HttpEndpoint, SendsNoBodyForHead) {
  const auto endpoint = StartOrDie();
  const std::string answer =
      Exchange(endpoint->port(), "HEAD /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  EXPECT_THAT(answer, AllOf(StartsWith("HTTP/1.1 200"), HasSubstr("Content-Length: 4\r\n"), EndsWith("\r\n\r\n")));
}

TEST(HttpEndpoint, KeepsAConnectionForTheNextRequest) {
  const auto endpoint = StartOrDie();
  const Fd fd = Connect(endpoint->port());
  for (int i = 0; i < 3; ++i) {
    Send(fd, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_THAT(ReadUntil(fd, "m 1\n"), StartsWith("HTTP/1.1 200"));
  }
}

TEST(HttpEndpoint, RefusesOversizedHeads) {
  const auto endpoint = StartOrDie();
  const std::string filler(HttpEndpoint::kMaxHeaderBytes * 4, 'a');
  EXPECT_THAT(Exchange(endpoint->port(), "GET /metrics HTTP/1.1\r\nX: " + filler + "\r\n\r\n"),
              StartsWith("HTTP/1.1 431"));
}

TEST(HttpEndpoint, RefusesOversizedBodies) {
  const auto endpoint = StartOrDie();
  const std::string body(HttpEndpoint::kMaxBodyBytes + 1, 'b');
  EXPECT_THAT(Exchange(endpoint->port(), "GET /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: " +
                                             std::to_string(body.size()) + "\r\n\r\n" + body),
              StartsWith("HTTP/1.1 413"));
}

TEST(HttpEndpoint, SaysSoWhenItIsNotSpokenToInHttp) {
  const auto endpoint = StartOrDie();
  EXPECT_THAT(Exchange(endpoint->port(), "\x16\x03\x01 hello\r\n\r\n"), StartsWith("HTTP/1.1 400"));
}

TEST(HttpEndpoint, TakesNewConnectionsWhenFullAndOneLeaves) {
  const auto endpoint = StartOrDie();
  std::vector<Fd> idle;
  for (std::size_t i = 0; i < HttpEndpoint::kMaxConnections; ++i) {
    idle.push_back(Connect(endpoint->port()));
    Send(idle.back(), "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
    ASSERT_THAT(ReadUntil(idle.back(), "m 1\n"), StartsWith("HTTP/1.1 200"));
  }
  const Fd late = Connect(endpoint->port());
  Send(late, "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  char byte = 0;
  EXPECT_EQ(recv(late.get(), &byte, 1, MSG_DONTWAIT), -1);
  idle.clear();
  EXPECT_THAT(ReadToEnd(late), StartsWith("HTTP/1.1 200"));
}

TEST(HttpEndpoint, CutsOpenConnectionsWhenItStops) {
  auto endpoint = StartOrDie();
  const Fd fd = Connect(endpoint->port());
  Send(fd, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_THAT(ReadUntil(fd, "m 1\n"), StartsWith("HTTP/1.1 200"));
  endpoint.reset();
  EXPECT_EQ(ReadToEnd(fd), "");
}

TEST(HttpEndpoint, SaysWhichAddressIsTaken) {
  const auto endpoint = StartOrDie();
  const std::string taken = "127.0.0.1:" + std::to_string(endpoint->port());
  const Status status = HttpEndpoint::Start(taken, Handlers()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kAlreadyExists);
  EXPECT_THAT(std::string(Message(status)), HasSubstr(taken));
}

TEST(HttpEndpoint, RefusesWhatIsNoAddress) {
  for (const char* listen :
       {"", "127.0.0.1", "127.0.0.1:", "127.0.0.1:http", "127.0.0.1:70000", "::1:80", "h:999999"}) {
    EXPECT_EQ(HttpEndpoint::Start(listen, Handlers()).status().code(), absl::StatusCode::kInvalidArgument) << listen;
  }
}

TEST(HttpEndpoint, ListensOnAllAddressesWithoutHost) {
  const auto endpoint = StartOrDie("0.0.0.0:0");
  EXPECT_THAT(Get(endpoint->port(), "/healthz"), StartsWith("HTTP/1.1 200"));
}

}  // namespace
}  // namespace probed::selfmon
