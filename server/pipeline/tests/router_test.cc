// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/pipeline/router.h"

#include <gmock/gmock.h>

namespace probed::pipeline {
namespace {

using config::Route;
using config::Signal;

std::optional<unsigned> Resolve(std::string_view name) {
  if (name == "a") return 0;
  if (name == "b") return 1;
  if (name == "c") return 63;
  return std::nullopt;
}

constexpr SinkMask kAll = 0b11 | SinkMask{1} << 63U;

RouteTable Table(const std::vector<Route>& routes) { return {routes, Resolve, kAll}; }

Route To(std::vector<std::string> sinks) {
  Route route;
  route.sinks = std::move(sinks);
  return route;
}

SinkMask Spans(const RouteTable& table, std::string_view module, std::string_view service, std::uint32_t kind) {
  return table.Decide(module, service, Signal::kTraces, kind).sinks;
}

TEST(RouteTable, WithoutRoutesEverythingGoesEverywhere) {
  const RouteTable table = Table({});
  for (const Signal signal : {Signal::kTraces, Signal::kMetrics, Signal::kLogs}) {
    EXPECT_EQ(table.Decide("http", "shop", signal, PROBE_SPAN_SERVER).sinks, kAll);
    EXPECT_EQ(table.Decide("http", "shop", signal, PROBE_SPAN_SERVER).reason, Unrouted::kNone);
  }
  EXPECT_EQ(RouteTable({}, Resolve, 0).Decide("http", "shop", Signal::kTraces, 0).reason, Unrouted::kNoSink);
}

TEST(RouteTable, FirstMatchingRouteDecides) {
  Route shop = To({"a"});
  shop.services = {"shop"};
  const RouteTable table = Table({shop, To({"b", "c"})});
  EXPECT_EQ(Spans(table, "http", "shop", PROBE_SPAN_SERVER), 0b01U);
  EXPECT_EQ(Spans(table, "http", "other", PROBE_SPAN_SERVER), 0b10U | SinkMask{1} << 63U);
  EXPECT_EQ(table.Decide("http", "other", Signal::kTraces, 0).route, 1U);
}

TEST(RouteTable, AllCriteriaMustHold) {
  Route route = To({"a"});
  route.modules = {"http", "grpc"};
  route.services = {"shop"};
  route.signals = {Signal::kTraces};
  route.kinds = {"server", "consumer"};
  const RouteTable table = Table({route});
  EXPECT_EQ(Spans(table, "grpc", "shop", PROBE_SPAN_SERVER), 0b01U);
  EXPECT_EQ(Spans(table, "grpc", "shop", PROBE_SPAN_CONSUMER), 0b01U);
  EXPECT_EQ(Spans(table, "grpc", "shop", PROBE_SPAN_CLIENT), 0U);
  EXPECT_EQ(Spans(table, "dns", "shop", PROBE_SPAN_SERVER), 0U);
  EXPECT_EQ(Spans(table, "grpc", "cart", PROBE_SPAN_SERVER), 0U);
  EXPECT_EQ(table.Decide("grpc", "shop", Signal::kMetrics, 0).reason, Unrouted::kNoRoute);
}

TEST(RouteTable, KindsAreAboutSpansOnly) {
  Route servers = To({"a"});
  servers.kinds = {"server"};
  const RouteTable table = Table({servers, To({"b"})});
  EXPECT_EQ(table.Decide("http", "shop", Signal::kMetrics, PROBE_SPAN_SERVER).sinks, 0b10U);
  EXPECT_EQ(table.Decide("http", "shop", Signal::kLogs, 0).sinks, 0b10U);
}

TEST(RouteTable, UnknownKindMatchesNothing) {
  Route route = To({"a"});
  route.kinds = {"sever"};
  EXPECT_EQ(Table({route}).Decide("http", "shop", Signal::kTraces, PROBE_SPAN_SERVER).reason, Unrouted::kNoRoute);
}

TEST(RouteTable, SaysWhyNothingIsSent) {
  Route drop = To({"a"});
  drop.drop = true;
  drop.services = {"noise"};
  const RouteTable table = Table({drop, To({"missing"})});
  EXPECT_EQ(table.Decide("http", "noise", Signal::kTraces, 0), (RouteDecision{0, Unrouted::kDropped, 0}));
  EXPECT_EQ(table.Decide("http", "shop", Signal::kTraces, 0), (RouteDecision{0, Unrouted::kNoSink, 1}));
  EXPECT_EQ(UnroutedName(Unrouted::kDropped), "dropped");
  EXPECT_EQ(UnroutedName(Unrouted::kNoRoute), "no_route");
  EXPECT_EQ(UnroutedName(Unrouted::kNoSink), "no_sink");
}

TEST(RouteRow, HoldsEveryDecision) {
  Route servers = To({"a"});
  servers.kinds = {"server"};
  Route metrics = To({"b"});
  metrics.signals = {Signal::kMetrics};
  const RouteRow row = Table({servers, metrics, To({"c"})}).Row("http", "shop");
  EXPECT_EQ(row.ForSpan(PROBE_SPAN_SERVER).sinks, 0b01U);
  EXPECT_EQ(row.ForSpan(PROBE_SPAN_CLIENT).sinks, SinkMask{1} << 63U);
  EXPECT_EQ(row.ForSpan(99).sinks, SinkMask{1} << 63U);
  EXPECT_EQ(row.ForMetrics().sinks, 0b10U);
  EXPECT_EQ(row.ForLogs().sinks, SinkMask{1} << 63U);
}

TEST(RouteCache, TellsModulesAndResourcesApart) {
  Route shop = To({"a"});
  shop.services = {"shop"};
  Route dns = To({"b"});
  dns.modules = {"dns"};
  const RouteTable table = Table({shop, dns});
  RouteCache cache;
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(cache.Get(table, 1, "http", 10, "shop").ForSpan(0).sinks, 0b01U);
    EXPECT_EQ(cache.Get(table, 1, "http", 11, "cart").ForSpan(0).sinks, 0U);
    EXPECT_EQ(cache.Get(table, 2, "dns", 11, "cart").ForSpan(0).sinks, 0b10U);
  }
}

TEST(RouteCache, FollowsANewTable) {
  RouteCache cache;
  const RouteTable before = Table({To({"a"})});
  EXPECT_EQ(cache.Get(before, 1, "http", 10, "shop").ForSpan(0).sinks, 0b01U);
  const RouteTable after = Table({To({"b"})});
  EXPECT_EQ(cache.Get(after, 1, "http", 10, "shop").ForSpan(0).sinks, 0b10U);
}

TEST(RouteCache, StaysRightBeyondItsBound) {
  Route shop = To({"a"});
  shop.services = {"shop"};
  const RouteTable table = Table({shop, To({"b"})});
  RouteCache cache;
  for (std::uint64_t i = 0; i < 10'000; ++i) {
    ASSERT_EQ(cache.Get(table, 1, "http", i, i % 2 == 0 ? "shop" : "x").ForSpan(0).sinks, i % 2 == 0 ? 0b01U : 0b10U);
  }
}

}  // namespace
}  // namespace probed::pipeline
