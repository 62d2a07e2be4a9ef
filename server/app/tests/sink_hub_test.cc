// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Sinks that are scraped, over real sockets on loopback.
#include "server/app/sink_hub.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <set>

#include "server/base/fd.h"
#include "server/export/resource.h"

namespace probed::app {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

std::string Scrape(std::uint16_t port) {
  const Fd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  constexpr std::string_view kRequest = "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
  EXPECT_EQ(send(fd.get(), kRequest.data(), kRequest.size(), MSG_NOSIGNAL), static_cast<ssize_t>(kRequest.size()));
  std::string answer;
  char buffer[4096];
  for (ssize_t n = 0; (n = recv(fd.get(), buffer, sizeof(buffer), 0)) > 0;)
    answer.append(buffer, static_cast<std::size_t>(n));
  return answer;
}

config::Sink Prometheus(const std::string& name) {
  config::Sink sink;
  sink.name = name;
  sink.type = config::SinkType::kPrometheus;
  sink.endpoint = "127.0.0.1:0";
  return sink;
}

config::Route Route(const std::string& module, const std::string& sink) {
  config::Route route;
  route.name = module;
  route.modules = {module};
  route.sinks = {sink};
  return route;
}

class SinkHubTest : public ::testing::Test {
 protected:
  SinkHubTest() {
    Record("http", "http_calls");
    Record("dns", "dns_calls");
  }
  void Record(const std::string& module, const std::string& name) {
    const auto scope = std::make_shared<const exporter::Scope>(exporter::MakeScope(1, "probed." + module, "1"));
    probe_measurement_t one{};
    one.instrument = *metrics_.Declare(
        {.name = name, .unit = "1", .description = {}, .bounds = {}, .attributes = {}, .scope = scope});
    one.value = 1;
    metrics_.Record(0, resource_, {{&one, 1}, {}});
  }
  /// Puts the sink and returns its port.
  std::uint16_t Put(const std::string& name) {
    const std::set<std::uint16_t> before = ports_;
    EXPECT_TRUE(hub_.Put(Prometheus(name)).ok());
    for (const std::uint16_t port : ports_)
      if (!before.contains(port)) return port;
    return 0;
  }

  pipeline::MetricsAggregator metrics_{pipeline::MetricsOptions{}, 1};
  pipeline::ResourcePtr resource_ =
      std::make_shared<const exporter::Resource>(exporter::MakeResource(1, {{"service.name", std::string("shop")}}));
  std::set<std::uint16_t> ports_;
  SinkHub hub_{metrics_, SystemClock(), 4, [](bool, bool) {},
               [this](std::uint16_t port, bool listening) {
                 if (listening)
                   ports_.insert(port);
                 else
                   ports_.erase(port);
               }};
};

TEST_F(SinkHubTest, TellsWhereItIsScraped) {
  const std::uint16_t port = Put("prom");
  EXPECT_THAT(ports_, ElementsAre(port));
  EXPECT_NE(port, 0);
  ASSERT_TRUE(hub_.Delete("prom").ok());
  EXPECT_THAT(ports_, IsEmpty());
}

TEST_F(SinkHubTest, ShowsEverythingWithoutRoutes) {
  EXPECT_THAT(Scrape(Put("prom")), AllOf(HasSubstr("http_calls"), HasSubstr("dns_calls")));
}

TEST_F(SinkHubTest, ShowsWhatIsRoutedToIt) {
  const std::uint16_t web = Put("web");
  const std::uint16_t names = Put("names");
  ASSERT_TRUE(hub_.SetRoutes({Route("http", "web"), Route("dns", "names")}).ok());
  EXPECT_THAT(Scrape(web), AllOf(HasSubstr("http_calls"), Not(HasSubstr("dns_calls"))));
  EXPECT_THAT(Scrape(names), AllOf(HasSubstr("dns_calls"), Not(HasSubstr("http_calls"))));
}

TEST_F(SinkHubTest, SpansHaveNoSinkWhereOnlyMetricsAreScraped) {
  Put("prom");
  const auto spans = [this] { return hub_.routes()->Decide("http", "shop", config::Signal::kTraces, 0).reason; };
  EXPECT_EQ(spans(), pipeline::Unrouted::kNoSink);
  ASSERT_TRUE(hub_.SetRoutes({Route("http", "prom")}).ok());
  EXPECT_EQ(spans(), pipeline::Unrouted::kNoSink);
}

}  // namespace
}  // namespace probed::app
