// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/pipeline/link_table.h"

#include <gmock/gmock.h>

#include <thread>
#include <vector>

namespace probed::pipeline {
namespace {

constexpr std::uint64_t kUs = 1000;
constexpr std::uint64_t kMs = 1000 * kUs;
constexpr std::uint64_t kSecond = 1000 * kMs;
constexpr std::uint64_t kStart = 1000 * kSecond;

PairKey Pair(std::uint64_t number, bool same_host = true) { return {number, number * 7 + 1, same_host}; }

/// A request received: SERVER at [offset, ...) of the stream, begun in the segment at `segment`.
ExchangeInfo Server(std::uint64_t cookie, std::uint64_t offset, std::uint64_t start_ns) {
  ExchangeInfo info;
  info.kind = PROBE_SPAN_SERVER;
  info.cookie = cookie;
  info.offset = info.segment_offset = offset;
  info.end_offset = offset + 70;
  info.start_ns = start_ns;
  return info;
}

ExchangeInfo Client(std::uint64_t cause_cookie, std::uint64_t cause_offset, std::uint64_t start_ns) {
  ExchangeInfo info;
  info.kind = PROBE_SPAN_CLIENT;
  info.cookie = cause_cookie + 1'000'000;
  info.cause.cookie = cause_cookie;
  info.cause.offset = cause_offset;
  info.start_ns = start_ns;
  return info;
}

ExchangeInfo Joined(ExchangeInfo info, const PairKey& pair, std::uint32_t wire_sequence) {
  info.pair = pair;
  info.wire_sequence = wire_sequence;
  return info;
}

ExchangeInfo WithRemote(ExchangeInfo info, std::uint8_t trace, std::uint8_t span, std::uint8_t flags = 1,
                        std::string_view state = {}) {
  info.remote.valid = 1;
  info.remote.trace_id[0] = trace;
  info.remote.span_id[0] = span;
  info.remote.flags = flags;
  info.remote.state = {state.data(), state.size()};
  return info;
}

class LinkTableTest : public ::testing::Test {
 protected:
  ExchangeId Begin(const ExchangeInfo& info) { return table_.Begin(info, ids_); }
  /// However long it waits for its parent.
  SpanContext Get(ExchangeId id, std::uint64_t now_ns = kStart) {
    SpanContext context;
    if (table_.Resolve(id, now_ns, ids_, context) == Resolution::kReady) return context;
    EXPECT_EQ(table_.Resolve(id, now_ns + kSecond, ids_, context), Resolution::kReady);
    return context;
  }
  void End(ExchangeId id, std::uint64_t end_ns) {
    SpanContext context;
    table_.End(id, end_ns, end_ns, ids_, context);
  }
  void ExpectChild(const SpanContext& child, const SpanContext& parent) {
    EXPECT_EQ(child.trace_id, parent.trace_id);
    EXPECT_EQ(child.parent_span_id, parent.span_id);
  }
  void ExpectRoot(const SpanContext& context) {
    EXPECT_EQ(context.parent_span_id, kNoSpanId);
    EXPECT_EQ(context.origin, Origin::kRoot);
    EXPECT_NE(context.trace_id, kNoTraceId);
  }

  IdGenerator ids_{{1, 2, 3, 4}};
  LinkTable table_;
};

TEST_F(LinkTableTest, NothingKnownIsANewTrace) {
  const SpanContext one = Get(Begin(Server(1, 0, kStart)));
  const SpanContext two = Get(Begin(Server(2, 0, kStart)));
  ExpectRoot(one);
  EXPECT_NE(one.trace_id, two.trace_id);
  EXPECT_NE(one.span_id, two.span_id);
  EXPECT_EQ(one.flags, 0x103U);
  EXPECT_EQ(one.trace_state, nullptr);
  EXPECT_EQ(table_.counters().root, 2U);
}

TEST_F(LinkTableTest, AnswerStands) {
  const ExchangeId id = Begin(Server(1, 0, kStart));
  const SpanContext before = Get(id);
  SpanContext at_end;
  EXPECT_EQ(table_.End(id, kStart + kMs, kStart + kMs, ids_, at_end), Resolution::kReady);
  EXPECT_EQ(at_end.trace_id, before.trace_id);
  EXPECT_EQ(at_end.span_id, before.span_id);
  EXPECT_EQ(Get(id).trace_id, before.trace_id);
  EXPECT_EQ(Get(id).span_id, before.span_id);
  EXPECT_EQ(table_.counters().root, 1U);
}

TEST_F(LinkTableTest, IncomingContextIsContinued) {
  const SpanContext context = Get(Begin(WithRemote(Server(1, 0, kStart), 0xaa, 0xbb, 0x03, "vendor=1")));
  EXPECT_EQ(context.trace_id[0], 0xaa);
  EXPECT_EQ(context.parent_span_id[0], 0xbb);
  EXPECT_EQ(context.flags, 0x303U);
  EXPECT_EQ(context.origin, Origin::kRemote);
  ASSERT_TRUE(context.trace_state);
  EXPECT_EQ(*context.trace_state, "vendor=1");
}

TEST_F(LinkTableTest, FlagsOfTheIncomingContextStay) {
  EXPECT_EQ(Get(Begin(WithRemote(Server(1, 0, kStart), 0xaa, 0xbb, 0x00))).flags, 0x300U);
  EXPECT_EQ(Get(Begin(WithRemote(Server(2, 0, kStart), 0xaa, 0xbb, 0x01))).flags, 0x301U);
  EXPECT_EQ(Get(Begin(WithRemote(Server(3, 0, kStart), 0xaa, 0xbb, 0xff))).flags, 0x303U);
}

TEST_F(LinkTableTest, ZeroIdsAreNoContext) {
  ExpectRoot(Get(Begin(WithRemote(Server(1, 0, kStart), 0, 0xbb, 1, "a=b"))));
  const SpanContext context = Get(Begin(WithRemote(Server(2, 0, kStart), 0xaa, 0, 1, "a=b")));
  ExpectRoot(context);
  EXPECT_EQ(context.trace_state, nullptr);
  EXPECT_EQ(context.flags, 0x103U);
}

TEST_F(LinkTableTest, ClientIsTheChildOfItsCause) {
  const ExchangeId server = Begin(WithRemote(Server(1, 100, kStart), 0xaa, 0xbb, 0, "a=b"));
  const ExchangeId client = Begin(Client(1, 100, kStart + kMs));
  const SpanContext child = Get(client);
  ExpectChild(child, Get(server));
  EXPECT_EQ(child.trace_id[0], 0xaa);
  EXPECT_EQ(child.flags, 0x100U);
  EXPECT_EQ(*child.trace_state, "a=b");
  EXPECT_EQ(table_.counters().linked_cause, 1U);
}

TEST_F(LinkTableTest, ReferenceIsMappedToTheRequestThatHoldsIt) {
  const ExchangeId first = Begin(Server(1, 0, kStart));
  const ExchangeId second = Begin(Server(1, 100, kStart + kMs));
  const ExchangeId third = Begin(Server(1, 300, kStart + 2 * kMs));
  ExpectChild(Get(Begin(Client(1, 0, kStart + 3 * kMs))), Get(first));
  ExpectChild(Get(Begin(Client(1, 99, kStart + 3 * kMs))), Get(first));
  ExpectChild(Get(Begin(Client(1, 100, kStart + 3 * kMs))), Get(second));
  ExpectChild(Get(Begin(Client(1, 299, kStart + 3 * kMs))), Get(second));
  ExpectChild(Get(Begin(Client(1, 5000, kStart + 3 * kMs))), Get(third));
}

TEST_F(LinkTableTest, LayersAreApart) {
  ExchangeInfo plaintext = Server(1, 0, kStart);
  plaintext.layer = PROBE_LAYER_PLAINTEXT;
  const ExchangeId server = Begin(plaintext);
  ExpectRoot(Get(Begin(Client(1, 0, kStart + kMs))));
  ExchangeInfo client = Client(1, 0, kStart + kMs);
  client.cause.layer = PROBE_LAYER_PLAINTEXT;
  ExpectChild(Get(Begin(client)), Get(server));
}

TEST_F(LinkTableTest, BytesBeforeTheFirstRequestAreNobodys) {
  Begin(Server(1, 100, kStart));
  ExpectRoot(Get(Begin(Client(1, 40, kStart + kMs))));
}

TEST_F(LinkTableTest, RequestsOfOneSegmentAreAmbiguous) {
  std::vector<ExchangeId> servers;
  for (const std::uint64_t offset : std::initializer_list<std::uint64_t>{0, 70, 140}) {
    ExchangeInfo info = Server(1, offset, kStart);
    info.segment_offset = 0;
    servers.push_back(Begin(info));
  }
  ExpectRoot(Get(Begin(Client(1, 0, kStart + kMs))));
  EXPECT_EQ(table_.counters().ambiguous, 1U);
  // The body of the last one, in later segments, is its own.
  ExpectChild(Get(Begin(Client(1, 1000, kStart + kMs))), Get(servers[2]));
}

TEST_F(LinkTableTest, SegmentWithATailAndAHeadIsAmbiguous) {
  const ExchangeId first = Begin(Server(1, 0, kStart));
  ExchangeInfo second_info = Server(1, 250, kStart + kMs);
  second_info.segment_offset = 200;
  const ExchangeId second = Begin(second_info);
  ExpectRoot(Get(Begin(Client(1, 200, kStart + 2 * kMs))));
  ExpectChild(Get(Begin(Client(1, 100, kStart + 2 * kMs))), Get(first));
  ExpectChild(Get(Begin(Client(1, 400, kStart + 2 * kMs))), Get(second));
  EXPECT_EQ(table_.counters().ambiguous, 1U);
}

// The child was bound while only one request of the segment was known.
TEST_F(LinkTableTest, AmbiguityThatShowsLaterCounts) {
  Begin(Server(1, 0, kStart));
  const ExchangeId client = Begin(Client(1, 0, kStart + kMs));
  ExchangeInfo second = Server(1, 70, kStart);
  second.segment_offset = 0;
  Begin(second);
  ExpectRoot(Get(client));
}

TEST_F(LinkTableTest, NewerRequestDecodedLateTakesItsReference) {
  Begin(Server(1, 0, kStart));
  const ExchangeId client = Begin(Client(1, 100, kStart + 2 * kMs));
  const ExchangeId second = Begin(Server(1, 100, kStart + kMs));
  ExpectChild(Get(client), Get(second));
}

TEST_F(LinkTableTest, EndedRequestIsNoCause) {
  const ExchangeId server = Begin(Server(1, 0, kStart));
  End(server, kStart + kMs);
  ExpectRoot(Get(Begin(Client(1, 0, kStart + kMs + 1))));
  EXPECT_EQ(table_.counters().stale, 1U);
  ExpectChild(Get(Begin(Client(1, 0, kStart + kMs))), Get(server));
}

TEST_F(LinkTableTest, RequestThatBeganLaterIsNoCause) {
  Begin(Server(1, 0, kStart + kMs));
  ExpectRoot(Get(Begin(Client(1, 0, kStart))));
  EXPECT_EQ(table_.counters().stale, 1U);
}

TEST_F(LinkTableTest, MigratingContextsHaveNoCause) {
  Begin(Server(1, 0, kStart));
  ExchangeInfo client = Client(1, 0, kStart + kMs);
  client.allow_cause = false;
  ExpectRoot(Get(Begin(client)));
}

TEST_F(LinkTableTest, BothEndsOfAConnectionAreJoined) {
  const ExchangeId client = Begin(Joined(Client(0, 0, kStart), Pair(5), 777));
  const ExchangeId server = Begin(Joined(Server(2, 0, kStart + kUs), Pair(5), 777));
  const SpanContext child = Get(server);
  ExpectChild(child, Get(client));
  EXPECT_EQ(child.origin, Origin::kPair);
  EXPECT_EQ(child.flags, 0x103U);
  EXPECT_EQ(table_.counters().linked_pair, 1U);
}

TEST_F(LinkTableTest, RequestInPlaintextIsNoChildOfOneThatHadEnded) {
  for (const std::uint8_t layer : {PROBE_LAYER_RAW, PROBE_LAYER_PLAINTEXT}) {
    for (const bool ended : {false, true}) {
      const std::uint64_t number = 10U + layer * 2U + (ended ? 1U : 0U);
      ExchangeInfo asked = Joined(Client(0, 0, kStart), Pair(number), 777);
      ExchangeInfo answered = Joined(Server(number, 0, kStart + 2 * kMs), Pair(number), 777);
      asked.layer = answered.layer = layer;
      const ExchangeId client = Begin(asked);
      const ExchangeId server = Begin(answered);
      if (ended) End(client, kStart + kMs);
      const bool joined = layer == PROBE_LAYER_RAW || !ended;
      EXPECT_EQ(Get(server).origin, joined ? Origin::kPair : Origin::kRoot);
    }
  }
  EXPECT_EQ(table_.counters().stale, 1U);
}

/// Its sender's thread may come back from the library when everything is over.
TEST_F(LinkTableTest, RequestInPlaintextWaitsForItsSender) {
  const auto plain = [](ExchangeInfo info) {
    info.layer = PROBE_LAYER_PLAINTEXT;
    return info;
  };
  const ExchangeId server = Begin(plain(Joined(Server(2, 0, kStart), Pair(5), 777)));
  ExchangeInfo made = Client(2, 0, kStart + kUs);
  made.cause.layer = PROBE_LAYER_PLAINTEXT;
  const ExchangeId call = Begin(made);
  const ExchangeId alone = Begin(plain(Joined(Server(3, 0, kStart), Pair(6), 777)));
  End(server, kStart + kMs);
  SpanContext context;
  for (const ExchangeId id : {server, call, alone})
    EXPECT_EQ(table_.Resolve(id, kStart + kMs, ids_, context), Resolution::kPending);
  const ExchangeId client = Begin(plain(Joined(Client(0, 0, kStart + 2 * kMs), Pair(5), 777)));
  const SpanContext joined = Get(server, kStart + 3 * kMs);
  ExpectChild(joined, Get(client, kStart + 3 * kMs));
  EXPECT_EQ(joined.not_before_ns, 0U) << "it was no shorter than it was";
  EXPECT_EQ(Get(call, kStart + 3 * kMs).trace_id, joined.trace_id);
  ExpectRoot(Get(alone, kStart + 200 * kMs));
}

/// Its hook may run after the server has answered: the call that sent the request had not come back.
TEST_F(LinkTableTest, ServerThatHasAnsweredWaitsForItsClient) {
  const ExchangeId server = Begin(Joined(Server(2, 0, kStart), Pair(5), 777));
  SpanContext child;
  EXPECT_EQ(table_.End(server, kStart + kMs, kStart + kMs, ids_, child), Resolution::kPending);
  const ExchangeId client = Begin(Joined(Client(0, 0, kStart + 2 * kMs), Pair(5), 777));
  child = Get(server, kStart + 3 * kMs);
  ExpectChild(child, Get(client, kStart + 3 * kMs));
}

TEST_F(LinkTableTest, ClientsThatNeverComeAreNotWaitedForLong) {
  const auto pending = [this](std::uint64_t number) {
    const ExchangeId id = Begin(Joined(Server(number, 0, kStart), Pair(number), 777));
    SpanContext context;
    const bool waits = table_.Resolve(id, kStart, ids_, context) == Resolution::kPending;
    ExpectRoot(Get(id, kStart + kSecond));
    return waits;
  };
  std::uint64_t waited = 0;
  for (std::uint64_t number = 10; number < 110; ++number) waited += pending(number) ? 1 : 0;
  EXPECT_EQ(waited, 16U);
  EXPECT_EQ(table_.counters().waited, 16U);
  Begin(Joined(Client(0, 0, kStart), Pair(5), 777));
  ASSERT_NE(Get(Begin(Joined(Server(2, 0, kStart), Pair(5), 777))).parent_span_id, kNoSpanId);
  EXPECT_TRUE(pending(200)) << "one was found: others may come";
}

TEST_F(LinkTableTest, JoinNeedsTheSameSequenceAndPair) {
  Begin(Joined(Client(0, 0, kStart), Pair(5), 777));
  ExpectRoot(Get(Begin(Joined(Server(2, 0, kStart), Pair(5), 778))));
  ExpectRoot(Get(Begin(Joined(Server(3, 0, kStart), Pair(6), 777))));
  ExpectRoot(Get(Begin(Server(4, 0, kStart))));
}

TEST_F(LinkTableTest, ServerSeenFirstIsJoinedTooAndDoesNotBeginEarlier) {
  const ExchangeId server = Begin(Joined(Server(2, 0, kStart), Pair(5), 777));
  const ExchangeId client = Begin(Joined(Client(0, 0, kStart + 9 * kUs), Pair(5), 777));
  const SpanContext child = Get(server);
  ExpectChild(child, Get(client));
  EXPECT_EQ(ToUtc(child, kStart, kStart + kMs).start_ns, kStart + 9 * kUs);
}

TEST_F(LinkTableTest, OldConnectionOfTheSameNumbersIsAnother) {
  Begin(Joined(Client(0, 0, kStart), Pair(5), 777));
  ExpectRoot(Get(Begin(Joined(Server(2, 0, kStart + 90 * kSecond), Pair(5), 777))));
}

// front SERVER → CLIENT → (same bytes at the other end) SERVER → CLIENT: one trace, though the last asks first.
TEST_F(LinkTableTest, ChainOfProxiesIsOneTrace) {
  const ExchangeId front = Begin(Server(1, 0, kStart));
  const ExchangeId upstream = Begin(Joined(Client(1, 0, kStart + kMs), Pair(5), 777));
  const ExchangeId back = Begin(Joined(Server(2, 0, kStart + 2 * kMs), Pair(5), 777));
  const ExchangeId query = Begin(Client(2, 0, kStart + 3 * kMs));
  const SpanContext deepest = Get(query);
  ExpectChild(deepest, Get(back));
  ExpectChild(Get(back), Get(upstream));
  ExpectChild(Get(upstream), Get(front));
  ExpectRoot(Get(front));
}

TEST_F(LinkTableTest, ForeignContextInTheBytesWinsOverAJoin) {
  Begin(Joined(Client(0, 0, kStart), Pair(5), 777));
  const SpanContext context = Get(Begin(WithRemote(Joined(Server(2, 0, kStart), Pair(5), 777), 0xaa, 0xbb)));
  EXPECT_EQ(context.parent_span_id[0], 0xbb);
  EXPECT_EQ(context.flags, 0x301U);
}

TEST_F(LinkTableTest, AgreeingJoinIsNearerThanTheContextInTheBytes) {
  const ExchangeId client = Begin(WithRemote(Joined(Client(0, 0, kStart), Pair(5), 777), 0xaa, 0xbb));
  const ExchangeId server = Begin(WithRemote(Joined(Server(2, 0, kStart), Pair(5), 777), 0xaa, 0xbb));
  ExpectChild(Get(server), Get(client));
  EXPECT_EQ(Get(server).flags, 0x101U);
  EXPECT_EQ(Get(client).parent_span_id[0], 0xbb);
  EXPECT_EQ(Get(client).flags, 0x101U);  // made in the same process: not remote
}

TEST_F(LinkTableTest, ContextPassedOnUnchangedDoesNotHideTheProxy) {
  const ExchangeId server = Begin(WithRemote(Server(1, 0, kStart), 0xaa, 0xbb));
  ExpectChild(Get(Begin(WithRemote(Client(1, 0, kStart + kMs), 0xaa, 0xbb))), Get(server));
  const SpanContext own = Get(Begin(WithRemote(Client(1, 0, kStart + kMs), 0xaa, 0xcc)));
  EXPECT_EQ(own.parent_span_id[0], 0xcc);
  EXPECT_EQ(own.trace_id[0], 0xaa);
}

TEST_F(LinkTableTest, WrongReferencesInACircleEnd) {
  const ExchangeId server = Begin(Joined(Server(1, 0, kStart), Pair(5), 777));
  const ExchangeId client = Begin(Joined(Client(1, 0, kStart), Pair(5), 777));
  const SpanContext child = Get(server);
  const SpanContext parent = Get(client);
  EXPECT_EQ(child.trace_id, parent.trace_id);
  EXPECT_EQ((child.parent_span_id == kNoSpanId) + (parent.parent_span_id == kNoSpanId), 1);
}

TEST_F(LinkTableTest, LocalTraceRunsOnOneClock) {
  ExchangeInfo server_info = Server(1, 0, kStart);
  server_info.utc_offset_ns = 5000;
  ExchangeInfo client_info = Client(1, 0, kStart + kMs);
  client_info.utc_offset_ns = 4000;
  const ExchangeId server = Begin(server_info);
  EXPECT_EQ(Get(Begin(client_info)).utc_offset_ns, 5000);
  EXPECT_EQ(Get(server).utc_offset_ns, 5000);
}

TEST_F(LinkTableTest, ChildAfterAStepBackDoesNotBeginBeforeItsParent) {
  const auto second = static_cast<std::int64_t>(kSecond);
  ExchangeInfo server_info = Server(1, 0, kStart);
  server_info.utc_offset_ns = 500 * second;
  const ExchangeId server = Begin(server_info);
  ExchangeInfo client_info = Client(1, 0, kStart + kSecond);
  client_info.utc_offset_ns = 400 * second;
  const SpanContext child = Get(Begin(client_info));
  EXPECT_EQ(ToUtc(child, kStart + kSecond, kStart + kSecond).start_ns, ToUtc(Get(server), kStart, kStart).start_ns);
  client_info.utc_offset_ns = 900 * second;  // a step forward is taken
  EXPECT_EQ(Get(Begin(client_info)).utc_offset_ns, 900 * second);
}

TEST_F(LinkTableTest, AbortedExchangeIsNobodysParent) {
  const ExchangeId server = Begin(Server(1, 0, kStart));
  const ExchangeId bound = Begin(Client(1, 0, kStart + kMs));
  table_.Abort(server);
  SpanContext context;
  EXPECT_EQ(table_.Resolve(server, kStart, ids_, context), Resolution::kUnknown);
  ExpectRoot(Get(bound));
  ExpectRoot(Get(Begin(Client(1, 0, kStart + kMs))));
  const ExchangeId client = Begin(Joined(Client(0, 0, kStart), Pair(5), 777));
  table_.Abort(client);
  ExpectRoot(Get(Begin(Joined(Server(2, 0, kStart), Pair(5), 777))));
}

TEST_F(LinkTableTest, UnknownIdsAreAnswered) {
  SpanContext context;
  EXPECT_EQ(table_.Resolve(0, kStart, ids_, context), Resolution::kUnknown);
  EXPECT_EQ(table_.Resolve(~0ULL, kStart, ids_, context), Resolution::kUnknown);
  EXPECT_EQ(table_.End(12345, kStart, kStart, ids_, context), Resolution::kUnknown);
  table_.Abort(12345);
}

TEST_F(LinkTableTest, EndedOnesGoWithTimeAndTheTableStaysSmall) {
  for (std::uint64_t i = 0; i < 10'000; ++i) {
    const std::uint64_t now = kStart + i * kMs;
    const ExchangeId id = Begin(Server(1, i * 100, now));
    Get(id);
    End(id, now);
  }
  EXPECT_LE(table_.size(), 1536U);  // one second of them, in steps of 512
  EXPECT_EQ(table_.counters().evicted, 0U);
}

TEST_F(LinkTableTest, ParentStaysForItsUnresolvedChild) {
  const ExchangeId server = Begin(Server(1, 0, kStart));
  const ExchangeId client = Begin(Client(1, 0, kStart + kMs));
  const SpanContext parent = Get(server);
  End(server, kStart + 2 * kMs);
  for (std::uint64_t i = 0; i < 1000; ++i) {
    const std::uint64_t now = kStart + 10 * kSecond + i * 10 * kMs;
    const ExchangeId other = Begin(Server(9, i * 100, now));
    Get(other);
    End(other, now);
  }
  ExpectChild(Get(client), parent);
}

TEST(LinkTableBounds, OldestOpenExchangeGoesWhenAllAreOpen) {
  LinkTable table({.capacity = 8});
  IdGenerator ids;
  std::vector<ExchangeId> open;
  open.reserve(9);
  for (std::uint64_t i = 0; i < 9; ++i) open.push_back(table.Begin(Server(i + 1, 0, kStart), ids));
  SpanContext context;
  EXPECT_EQ(table.Resolve(open[0], kStart, ids, context), Resolution::kUnknown);
  for (std::size_t i = 1; i < open.size(); ++i) {
    EXPECT_EQ(table.Resolve(open[i], kStart, ids, context), Resolution::kReady) << i;
  }
  EXPECT_EQ(table.counters().evicted, 1U);
  EXPECT_EQ(table.size(), 8U);
}

TEST(LinkTableBounds, EndedOnesGoFirst) {
  LinkTable table({.capacity = 4});
  IdGenerator ids;
  SpanContext context;
  const ExchangeId open = table.Begin(Server(1, 0, kStart), ids);
  for (std::uint64_t i = 0; i < 100; ++i) {
    const ExchangeId id = table.Begin(Server(2, i * 100, kStart), ids);
    EXPECT_EQ(table.End(id, kStart, kStart, ids, context), Resolution::kReady);
  }
  EXPECT_EQ(table.Resolve(open, kStart, ids, context), Resolution::kReady);
  EXPECT_EQ(table.counters().evicted, 0U);
}

// Slow requests that arrived together stand side by side in the circle.
TEST(LinkTableBounds, RunOfOpenExchangesCostsNobodyHisPlace) {
  LinkTable table({.capacity = 8192});
  IdGenerator ids;
  SpanContext context;
  std::vector<ExchangeId> open;
  open.reserve(6000);
  for (std::uint64_t i = 0; i < 6000; ++i) open.push_back(table.Begin(Server(i + 10, 0, kStart), ids));
  for (std::uint64_t i = 0; i < 50'000; ++i) {
    const ExchangeId id = table.Begin(Server(2, i * 100, kStart + i * 50 * kUs), ids);
    ASSERT_EQ(table.End(id, kStart + i * 50 * kUs, kStart, ids, context), Resolution::kReady);
  }
  EXPECT_EQ(table.counters().evicted, 0U);
  for (const ExchangeId id : open) ASSERT_EQ(table.Resolve(id, kStart, ids, context), Resolution::kReady);
}

class SharedLinkTableTest : public LinkTableTest {
 protected:
  Resolution Ask(ExchangeId id, std::uint64_t now_ns) { return shared_.Resolve(id, now_ns, ids_, context_); }

  LinkTable shared_{{.shards = 2, .wait = std::chrono::milliseconds(20)}};
  SpanContext context_;
};

TEST_F(SharedLinkTableTest, ChildWaitsForAParentOfAnotherShard) {
  const ExchangeId client = shared_.Begin(Client(1, 0, kStart + kMs), ids_);
  EXPECT_EQ(Ask(client, kStart + 2 * kMs), Resolution::kPending);
  const ExchangeId server = shared_.Begin(Server(1, 0, kStart), ids_);
  EXPECT_EQ(Ask(client, kStart + 7 * kMs), Resolution::kReady);
  const SpanContext child = context_;
  EXPECT_EQ(Ask(server, kStart + 7 * kMs), Resolution::kReady);
  ExpectChild(child, context_);
  EXPECT_EQ(shared_.counters().waited, 1U);
}

TEST_F(SharedLinkTableTest, WaitEnds) {
  const ExchangeId client = shared_.Begin(Client(1, 0, kStart), ids_);
  EXPECT_EQ(Ask(client, kStart), Resolution::kPending);
  EXPECT_EQ(Ask(client, kStart + 19 * kMs), Resolution::kPending);
  EXPECT_EQ(Ask(client, kStart + 20 * kMs), Resolution::kReady);
  ExpectRoot(context_);
  EXPECT_EQ(shared_.counters().waited, 1U);
}

TEST_F(SharedLinkTableTest, WaitOfAParentIsPartOfTheChildsOwn) {
  const ExchangeId upstream = shared_.Begin(Joined(Client(1, 0, kStart), Pair(5), 777), ids_);
  const ExchangeId back = shared_.Begin(Joined(Server(2, 0, kStart), Pair(5), 777), ids_);
  EXPECT_EQ(Ask(back, kStart), Resolution::kPending);
  EXPECT_EQ(Ask(back, kStart + 20 * kMs), Resolution::kReady);
  const SpanContext child = context_;
  EXPECT_EQ(Ask(upstream, kStart + 20 * kMs), Resolution::kReady);
  ExpectChild(child, context_);
}

TEST_F(SharedLinkTableTest, OnlyWhatIsOnThisMachineIsWaitedFor) {
  EXPECT_EQ(Ask(shared_.Begin(Joined(Server(1, 0, kStart), Pair(5, false), 777), ids_), kStart), Resolution::kReady);
  EXPECT_EQ(Ask(shared_.Begin(Joined(Server(2, 0, kStart), Pair(6, true), 777), ids_), kStart), Resolution::kPending);
}

TEST_F(SharedLinkTableTest, WaitingExchangeIsKeptAfterItsEnd) {
  const ExchangeId client = shared_.Begin(Client(1, 0, kStart), ids_);
  EXPECT_EQ(shared_.End(client, kStart, kStart, ids_, context_), Resolution::kPending);
  EXPECT_EQ(Ask(client, kStart), Resolution::kPending);
  for (std::uint64_t i = 0; i < 100; ++i) shared_.Begin(Server(5, i * 100, kStart + 5 * kSecond), ids_);
  EXPECT_EQ(Ask(client, kStart + 5 * kSecond), Resolution::kReady);
}

// Parents on one thread, children on another; every child finds its parent or waits for it.
TEST_F(SharedLinkTableTest, TwoShardsAtOnce) {
  constexpr std::uint64_t kCount = 20'000;
  std::vector<SpanContext> parents(kCount);
  std::vector<SpanContext> children(kCount);
  std::thread one([&] {
    IdGenerator ids;
    for (std::uint64_t i = 0; i < kCount; ++i) {
      const ExchangeId id = shared_.Begin(Server(i + 1, 0, kStart), ids);
      shared_.Resolve(id, kStart, ids, parents[i]);
    }
  });
  std::thread two([&] {
    IdGenerator ids;
    for (std::uint64_t i = 0; i < kCount; ++i) {
      const ExchangeId id = shared_.Begin(Client(i + 1, 0, kStart + 1), ids);
      while (shared_.Resolve(id, kStart, ids, children[i]) == Resolution::kPending) std::this_thread::yield();
      EXPECT_NE(children[i].trace_id, kNoTraceId);
      EXPECT_EQ(shared_.End(id, kStart + 1, kStart, ids, children[i]), Resolution::kReady);
    }
  });
  one.join();
  two.join();
  EXPECT_EQ(shared_.counters().evicted, 0U);
  std::size_t wrong = 0;
  for (std::uint64_t i = 0; i < kCount; ++i) wrong += children[i].parent_span_id != parents[i].span_id;
  EXPECT_EQ(wrong, 0U);
}

}  // namespace
}  // namespace probed::pipeline
