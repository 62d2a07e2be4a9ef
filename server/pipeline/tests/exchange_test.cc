// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/pipeline/exchange.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>

#include <array>

#include "api/module/probe_host.h"

namespace probed::pipeline {
namespace {

probe_endpoint_t Inet(const char* address, std::uint16_t port) {
  probe_endpoint_t endpoint{};
  endpoint.family = PROBE_FAMILY_INET;
  endpoint.port = port;
  inet_pton(AF_INET, address, endpoint.address);
  return endpoint;
}

probe_endpoint_t Inet6(const char* address, std::uint16_t port) {
  probe_endpoint_t endpoint{};
  endpoint.family = PROBE_FAMILY_INET6;
  endpoint.port = port;
  inet_pton(AF_INET6, address, endpoint.address);
  return endpoint;
}

bool SameKey(const PairKey& a, const PairKey& b) { return a.high == b.high && a.low == b.low; }

TEST(PlaintextKey, EveryByteOfTheNameCounts) {
  std::array<std::uint8_t, PROBE_PLAINTEXT_NAME_BYTES> name{};
  const PairKey key = MakePlaintextKey(name.data(), {.same_host = true, .place = 7});
  EXPECT_TRUE(key.valid());
  EXPECT_TRUE(key.same_host);
  EXPECT_EQ(key.place, 7);
  EXPECT_TRUE(SameKey(key, MakePlaintextKey(name.data(), {})));
  for (std::size_t i = 0; i < name.size(); ++i) {
    std::array<std::uint8_t, PROBE_PLAINTEXT_NAME_BYTES> other = name;
    other[i] = 2;
    EXPECT_FALSE(SameKey(key, MakePlaintextKey(other.data(), {}))) << i;
  }
}

TEST(PlaintextKey, AnOffsetIsASequenceNumber) {
  EXPECT_NE(PlaintextSequence(0), 0U);
  EXPECT_NE(PlaintextSequence(1), PlaintextSequence(0));
}

TEST(PairKey, IsTheSameAtBothEnds) {
  const PairKey client = MakePairKey(Inet("10.0.0.1", 40000), Inet("10.0.0.2", 80));
  EXPECT_TRUE(client.valid());
  EXPECT_TRUE(SameKey(client, MakePairKey(Inet("10.0.0.2", 80), Inet("10.0.0.1", 40000))));
}

TEST(PairKey, MappedAddressesAreTheSame) {
  EXPECT_TRUE(SameKey(MakePairKey(Inet("127.0.0.1", 40000), Inet("127.0.0.1", 80)),
                      MakePairKey(Inet6("::ffff:127.0.0.1", 80), Inet6("::ffff:127.0.0.1", 40000))));
}

TEST(PairKey, TellsConnectionsApart) {
  const PairKey key = MakePairKey(Inet("10.0.0.1", 40000), Inet("10.0.0.2", 80));
  EXPECT_FALSE(SameKey(key, MakePairKey(Inet("10.0.0.1", 40001), Inet("10.0.0.2", 80))));
  EXPECT_FALSE(SameKey(key, MakePairKey(Inet("10.0.0.1", 80), Inet("10.0.0.2", 40000))));
  EXPECT_FALSE(SameKey(key, MakePairKey(Inet("10.0.0.3", 40000), Inet("10.0.0.2", 80))));
}

TEST(PairKey, KnowsWhatCannotLeaveTheMachine) {
  EXPECT_TRUE(MakePairKey(Inet("127.0.0.1", 1), Inet("127.0.0.2", 2)).same_host);
  EXPECT_TRUE(MakePairKey(Inet6("::1", 1), Inet6("::1", 2)).same_host);
  EXPECT_TRUE(MakePairKey(Inet("10.0.0.1", 1), Inet("10.0.0.1", 2)).same_host);
  EXPECT_FALSE(MakePairKey(Inet("10.0.0.1", 1), Inet("10.0.0.2", 2)).same_host);
}

TEST(PairKey, UnixSocketsHaveNone) {
  probe_endpoint_t local{};
  local.family = PROBE_FAMILY_UNIX;
  EXPECT_FALSE(MakePairKey(local, local).valid());
}

TEST(UtcTimes, SpanDoesNotBeginBeforeItsParent) {
  SpanContext context;
  context.utc_offset_ns = 1000;
  context.not_before_ns = 50;
  const UtcTimes clipped = ToUtc(context, 40, 90);
  EXPECT_EQ(clipped.start_ns, 1050U);
  EXPECT_EQ(clipped.end_ns, 1090U);
  const UtcTimes inside = ToUtc(context, 60, 90);
  EXPECT_EQ(inside.start_ns, 1060U);
  const UtcTimes early = ToUtc(context, 40, 45);
  EXPECT_EQ(early.start_ns, 1050U);
  EXPECT_EQ(early.end_ns, 1050U);
}

TEST(ExchangeInfo, TakesWhatTheModuleReported) {
  probe_exchange_t reported{};
  reported.kind = PROBE_SPAN_SERVER;
  reported.start_ns = 5;
  reported.cookie = 6;
  reported.offset = 100;
  reported.end_offset = 170;
  reported.wire_sequence = 8;
  reported.layer = PROBE_LAYER_PLAINTEXT;
  reported.cause.cookie = 9;
  const PairKey pair = MakePairKey(Inet("10.0.0.1", 1), Inet("10.0.0.2", 2));
  const ExchangeInfo info = MakeExchangeInfo(reported, pair, 90, false, -7);
  EXPECT_EQ(info.kind, static_cast<std::uint32_t>(PROBE_SPAN_SERVER));
  EXPECT_EQ(info.start_ns, 5U);
  EXPECT_EQ(info.cookie, 6U);
  EXPECT_EQ(info.offset, 100U);
  EXPECT_EQ(info.end_offset, 170U);
  EXPECT_EQ(info.segment_offset, 90U);
  EXPECT_EQ(info.wire_sequence, 8U);
  EXPECT_EQ(info.layer, PROBE_LAYER_PLAINTEXT);
  EXPECT_EQ(info.cause.cookie, 9U);
  EXPECT_FALSE(info.allow_cause);
  EXPECT_EQ(info.utc_offset_ns, -7);
  EXPECT_TRUE(SameKey(info.pair, pair));
  EXPECT_EQ(MakeExchangeInfo(reported, pair, 400, true, 0).segment_offset, 100U);
}

}  // namespace
}  // namespace probed::pipeline
