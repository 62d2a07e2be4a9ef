// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Conversations, each whole, byte by byte, with a hole at every place, and packed as the kernel program packs them;
// then what is special about connections.
#include <gmock/gmock.h>

#include <algorithm>
#include <random>
#include <string>
#include <tuple>
#include <vector>

#include "api/sdk/generations.h"
#include "api/sdk/testing/drive.h"
#include "modules/kafka/tests/packed.h"
#include "modules/kafka/tests/recorded.h"
#include "modules/kafka/tests/writer.h"

extern "C" const probe_module_entry_t probe_module_entry;

namespace probed::mod::kafka {
namespace {

using namespace testing;  // NOLINT: the messages of this folder
using namespace std::string_literals;
using sdk::testing::Driver;
using sdk::testing::FeedWithHole;
using sdk::testing::Received;
using sdk::testing::RecordedSpan;
using sdk::testing::Sent;
using sdk::testing::SplitAtEveryByte;
using sdk::testing::Step;
using sdk::testing::StreamDriver;
using ::testing::ElementsAre;
using ::testing::ElementsAreArray;

constexpr std::uint64_t kMs = 1'000'000;
constexpr Uuid kOrders = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
constexpr Uuid kPayments = {9};
const std::string kParent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
constexpr std::string_view kAll = R"({"server_spans":true,"group_spans":true,"cluster_spans":true})";

/// As the client sees it, and its spans in their order.
struct Conversation {
  std::string name;
  std::vector<Step> steps;
  std::vector<std::string> spans;
};

std::string HeartbeatRequest(int correlation) {
  return Sized(RequestHeader(12, 4, true, correlation) +
               Writer(true).String("group-1").I32(5).String("member").NullString().Tags().bytes());
}
std::string HeartbeatResponse(int correlation, int error) {
  return Sized(ResponseHeader(true, correlation) + Writer(true).I32(0).I16(error).Tags().bytes());
}
/// What a test compares: name, kind, partition, messages, offset, key, group, error.
std::string Line(const RecordedSpan& span) {
  std::string out = span.name + " kind=" + std::to_string(span.kind);
  const std::vector<std::pair<std::string, std::string>> shown = {{"p", "messaging.destination.partition.id"},
                                                                  {"n", "messaging.batch.message_count"},
                                                                  {"o", "kafka.offset"},
                                                                  {"k", "kafka.message.key"},
                                                                  {"t", "kafka.message.tombstone"},
                                                                  {"g", "messaging.consumer.group.name"}};
  for (const auto& [letter, key] : shown) out += span.Has(key) ? " " + letter + "=" + span.Get(key) : "";
  for (const std::string& link : span.links) out += " link=" + link.substr(0, 4);
  return span.error_type.empty() ? out : out + " error=" + span.error_type;
}

std::vector<std::string> Lines(const std::vector<RecordedSpan>& spans) {
  std::vector<std::string> out(spans.size());
  std::transform(spans.begin(), spans.end(), out.begin(), Line);
  return out;
}

const std::vector<Conversation>& Conversations() {
  static const std::vector<Conversation> all = {
      {"ProduceOneTopic",
       {Sent(ProduceRequest(9, 1, {{"orders", {{2, Batch({{.key = "k1"}})}}}})),
        Received(ProduceResponse(9, 1, {{"orders", {{2, "", 0, 500}}}}))},
       {"send orders kind=4 p=2 n=1 o=500 k=k1"}},
      {"ProduceTwoTopicsOneFails",
       {Sent(ProduceRequest(7, 1,
                            {{"orders", {{0, Batch({{}, {}})}, {1, Batch({{}})}}}, {"payments", {{0, Batch({{}})}}}})),
        Received(ProduceResponse(7, 1, {{"payments", {{0, "", 19, -1}}}, {"orders", {{0}, {1}}}}))},
       {"send payments kind=4 p=0 n=1 error=NOT_ENOUGH_REPLICAS", "send orders kind=4 n=3"}},
      {"ProduceWithTraceContexts",
       {Sent(ProduceRequest(9, 1, {{"orders", {{0, Batch({{.headers = {{"traceparent", kParent}}}, {}})}}}})),
        Received(ProduceResponse(9, 1, {{"orders", {{0}}}}))},
       {"send orders kind=3 p=0 n=2 link=0af7"}},
      {"ManyInFlight",
       {Sent(ProduceRequest(9, 1, {{"a", {{0, Batch({{}})}}}}) + ProduceRequest(9, 2, {{"b", {{0, Batch({{}, {}})}}}}) +
             FetchRequest(12, 3)),
        Received(ProduceResponse(9, 1, {{"a", {{0, "", 0, 10}}}}) + ProduceResponse(9, 2, {{"b", {{0, "", 0, 20}}}})),
        Received(FetchResponse(12, 3, {{"c", {{0, Batch({{}}, 30)}}}}))},
       {"send a kind=4 p=0 n=1 o=10", "send b kind=4 p=0 n=2", "poll c kind=3 p=0 n=1 o=30"}},
      {"FetchOfThreeTopicsOneEmpty",
       {Sent(FetchRequest(12, 9)),
        Received(FetchResponse(
            12, 9,
            {{"a", {{0, Batch({{}, {}}, 5)}, {1, CompressedBatch(10, 100)}}}, {"b", {{0, ""}}}, {"c", {{4, "", 1}}}}))},
       {"poll a kind=3 n=12", "poll c kind=3 p=4 n=0 error=OFFSET_OUT_OF_RANGE"}},
      {"EmptyFetches",
       {Sent(FetchRequest(12, 9)), Received(FetchResponse(12, 9, {})), Sent(FetchRequest(4, 10)),
        Received(FetchResponse(4, 10, {{"a", {{0, ""}}}}))},
       {"poll 192.0.2.10:40000 kind=3 n=0", "poll a kind=3 p=0 n=0"}},
      {"FetchSessionError",
       {Sent(FetchRequest(12, 9)), Received(FetchResponse(12, 9, {}, 70))},
       {"poll 192.0.2.10:40000 kind=3 n=0 error=FETCH_SESSION_ID_NOT_FOUND"}},
      {"TopicIdsFromMetadata",
       {Sent(MetadataRequest(12, 1)), Received(MetadataResponse(12, 1, {{"orders", {}, kOrders}})),
        Sent(FetchRequest(17, 2)),
        Received(FetchResponse(17, 2, {{"", {{0, Batch({{}})}}, kOrders}, {"", {{0, Batch({{}})}}, kPayments}})),
        Sent(ProduceRequest(13, 3, {{"", {{0, Batch({{}})}}, kOrders}})),
        Received(ProduceResponse(13, 3, {{"", {{0, "", 0, 8}}, kOrders}}))},
       {"metadata 192.0.2.10:40000 kind=3", "poll orders kind=3 p=0 n=1 o=0",
        "poll 192.0.2.10:40000 kind=3 p=0 n=1 o=0", "send orders kind=4 p=0 n=1 o=8"}},
      {"Group",
       {Sent(HeartbeatRequest(1)), Received(HeartbeatResponse(1, 27))},
       {"heartbeat 192.0.2.10:40000 kind=3 g=group-1 error=REBALANCE_IN_PROGRESS"}},
      {"Commits",
       {Sent(CommitRequest(kCommit, 7, 2, {{"orders", {{0}, {1}}}, {"payments", {{4}}}})),
        Received(CommitResponse(kCommit, 7, 2, {{"payments", {{4}}}, {"orders", {{0}, {1, "", 25}}}})),
        Sent(CommitRequest(kCommit, 9, 3, {})), Received(CommitResponse(kCommit, 9, 3, {})),
        Sent(CommitRequest(kCommitOfTransaction, 5, 4, {{"orders", {{7}}}})),
        Received(CommitResponse(kCommitOfTransaction, 5, 4, {{"orders", {{7, "", 90}}}}))},
       {"commit payments kind=3 p=4 g=group-1", "commit orders kind=3 g=group-1 error=UNKNOWN_MEMBER_ID",
        "commit 192.0.2.10:40000 kind=3 g=group-1", "commit orders kind=3 p=7 g=group-1 error=PRODUCER_FENCED"}},
      {"CommitsByTopicIds",
       {Sent(MetadataRequest(12, 1)), Received(MetadataResponse(12, 1, {{"orders", {}, kOrders}})),
        Sent(CommitRequest(kCommit, 10, 2, {{"", {{0}}, kOrders}, {"", {{1}}, kPayments}})),
        Received(CommitResponse(kCommit, 10, 2, {{"", {{0}}, kOrders}, {"", {{1, "", 100}}, kPayments}}))},
       {"metadata 192.0.2.10:40000 kind=3", "commit orders kind=3 p=0 g=group-1",
        "commit 192.0.2.10:40000 kind=3 p=1 g=group-1 error=UNKNOWN_TOPIC_ID"}},
      {"FireAndForget",
       {Sent(ProduceRequest(9, 1, {{"a", {{0, Batch({{}})}}}, {"b", {{0, Batch({{}, {}})}}}}, 0)),
        Sent(FetchRequest(12, 2)), Received(FetchResponse(12, 2, {{"a", {{0, Batch({{.value = std::nullopt}}, 3)}}}}))},
       {"send a kind=4 p=0 n=1", "send b kind=4 p=0 n=2", "poll a kind=3 p=0 n=1 o=3 t=true"}},
      {"SizeInAReadOfItsOwn",
       {Sent(FetchRequest(12, 2).substr(0, 4)), Sent(FetchRequest(12, 2).substr(4)),
        Received(FetchResponse(12, 2, {{"a", {{0, Batch({{}})}}}}).substr(0, 4)),
        Received(FetchResponse(12, 2, {{"a", {{0, Batch({{}})}}}}).substr(4))},
       {"poll a kind=3 p=0 n=1 o=0"}},
      {"RecordedKcatProduces",
       StepsOf(kKcatProduces),
       {"api_versions 192.0.2.10:40000 kind=3", "metadata 192.0.2.10:40000 kind=3", "metadata 192.0.2.10:40000 kind=3",
        "send orders kind=4 p=0 n=3"}},
      {"RecordedKcatConsumes",
       StepsOf(kKcatConsumes),
       {"api_versions 192.0.2.10:40000 kind=3", "metadata 192.0.2.10:40000 kind=3", "metadata 192.0.2.10:40000 kind=3",
        "poll orders kind=3 p=0 n=3"}},
      {"RecordedJavaProduces",
       StepsOf(kJavaProduces),
       {"api_versions 192.0.2.10:40000 kind=3", "send 192.0.2.10:40000 kind=4 p=0 n=2"}},
      {"RecordedJavaConsumes",
       StepsOf(kJavaConsumes),
       {"api_versions 192.0.2.10:40000 kind=3", "metadata 192.0.2.10:40000 kind=3", "poll orders kind=3 p=0 n=5"}},
      {"RecordedJavaGroup",
       StepsOf(kJavaGroup),
       {"api_versions 192.0.2.10:40000 kind=3",
        "join_group 192.0.2.10:40000 kind=3 g=console-consumer-91604 error=MEMBER_ID_REQUIRED",
        "join_group 192.0.2.10:40000 kind=3 g=console-consumer-91604",
        "sync_group 192.0.2.10:40000 kind=3 g=console-consumer-91604",
        "heartbeat 192.0.2.10:40000 kind=3 g=console-consumer-91604",
        "heartbeat 192.0.2.10:40000 kind=3 g=console-consumer-91604",
        "heartbeat 192.0.2.10:40000 kind=3 g=console-consumer-91604",
        "heartbeat 192.0.2.10:40000 kind=3 g=console-consumer-91604",
        "heartbeat 192.0.2.10:40000 kind=3 g=console-consumer-91604",
        "heartbeat 192.0.2.10:40000 kind=3 g=console-consumer-91604",
        "heartbeat 192.0.2.10:40000 kind=3 g=console-consumer-91604",
        "heartbeat 192.0.2.10:40000 kind=3 g=console-consumer-91604",
        "heartbeat 192.0.2.10:40000 kind=3 g=console-consumer-91604",
        "leave_group 192.0.2.10:40000 kind=3 g=console-consumer-91604"}},
  };
  return all;
}

void ExpectClean(Driver& driver) {
  EXPECT_EQ(driver.host.LedgerProblem(), "");
  EXPECT_EQ(driver.host.in_flight(), 0U);
  EXPECT_EQ(driver.host.bytes(), 0U);
  EXPECT_EQ(driver.OldestGeneration(), sdk::Pins::kNone);
}

class KafkaConversation : public ::testing::TestWithParam<Conversation> {};

TEST_P(KafkaConversation, Whole) {
  Driver driver(probe_module_entry, kAll);
  StreamDriver stream = driver.NewStream();
  stream.Open();
  for (const Step& step : GetParam().steps) stream.Feed(step);
  EXPECT_THAT(Lines(driver.host.spans), ElementsAreArray(GetParam().spans));
  stream.Close(PROBE_CLOSE_LOCAL);
  ExpectClean(driver);
}

TEST_P(KafkaConversation, SplitAtEveryByte) {
  Driver driver(probe_module_entry, kAll);
  StreamDriver stream = driver.NewStream();
  stream.Open();
  for (const Step& step : SplitAtEveryByte(GetParam().steps)) stream.Feed(step);
  EXPECT_THAT(Lines(driver.host.spans), ElementsAreArray(GetParam().spans));
  stream.Close(PROBE_CLOSE_LOCAL);
  ExpectClean(driver);
}

/// A hole takes spans away, or what they say of messages; it never makes one up. The kind may follow from a trace
/// context that is in the hole.
std::string WithoutDetails(const std::string& line) { return line.substr(0, line.find(" kind=")); }

bool IsPartOf(const std::string& line, const std::string& whole) {
  std::size_t at = 0;
  while (at < line.size()) {
    const std::size_t end = std::min(line.find(' ', at), line.size());
    const std::string word = line.substr(at, end - at);
    const bool weaker =
        word == "192.0.2.10:40000" || word.rfind("kind=", 0) == 0;  // the topic, too, may be in the hole
    if (!weaker && (" " + whole + " ").find(" " + word + " ") == std::string::npos) return false;
    at = end + 1;
  }
  return true;
}

TEST_P(KafkaConversation, WithAHoleAnywhere) {
  const Conversation& conversation = GetParam();
  const std::size_t total = sdk::testing::TotalBytes(conversation.steps);
  Driver driver(probe_module_entry, kAll);
  for (const std::size_t length : {1U, 7U, 100U}) {
    for (std::size_t at = 0; at < total; ++at) {
      SCOPED_TRACE(std::to_string(at) + " " + std::to_string(length));
      driver.Restart();
      StreamDriver stream = driver.NewStream();
      stream.Open();
      FeedWithHole(stream, conversation.steps, at, length);
      stream.Close(PROBE_CLOSE_LOCAL);
      ExpectClean(driver);
      for (const std::string& line : Lines(driver.host.spans)) {
        const bool failed = line.find("error=connection_closed") != std::string::npos;
        const bool known = std::any_of(conversation.spans.begin(), conversation.spans.end(), [&](const auto& whole) {
          return failed ? WithoutDetails(line) == WithoutDetails(whole) : IsPartOf(line, whole);
        });
        EXPECT_TRUE(known) << line;
      }
    }
  }
}

TEST_P(KafkaConversation, AsTheKernelPacksIt) {
  for (std::size_t piece = 1; piece <= 64; ++piece) {
    SCOPED_TRACE(piece);
    Driver driver(probe_module_entry, kAll);
    StreamDriver stream = driver.NewStream();
    stream.Open();
    Packer packer(16384);
    for (const Step& step : GetParam().steps) {
      for (std::size_t at = 0; at < step.bytes.size(); at += piece)
        packer.Segment(stream, step.direction, step.bytes.substr(at, piece));
    }
    EXPECT_FALSE(packer.stuck);
    EXPECT_THAT(Lines(driver.host.spans), ElementsAreArray(GetParam().spans));
    stream.Close(PROBE_CLOSE_LOCAL);
    ExpectClean(driver);
  }
}

INSTANTIATE_TEST_SUITE_P(All, KafkaConversation, ::testing::ValuesIn(Conversations()),
                         [](const auto& one) { return one.param.name; });

class KafkaConnection : public ::testing::Test {
 protected:
  explicit KafkaConnection(std::string_view config = kAll) : driver(probe_module_entry, config) { stream.Open(); }
  Driver driver;
  StreamDriver stream = driver.NewStream();
};

class KafkaDefaults : public KafkaConnection {
 protected:
  KafkaDefaults() : KafkaConnection("{}") {}
};

TEST_F(KafkaConnection, LongPollIsDurationAndNoError) {
  stream.Send(FetchRequest(12, 1));
  const std::uint64_t begin = stream.now_ns;
  stream.now_ns += 500 * kMs;
  stream.Receive(FetchResponse(12, 1, {}));
  ASSERT_EQ(driver.host.spans.size(), 1U);
  EXPECT_EQ(driver.host.spans[0].start_ns, begin);
  EXPECT_EQ(driver.host.spans[0].end_ns - begin, 501 * kMs);
  EXPECT_EQ(driver.host.spans[0].status, PROBE_STATUS_UNSET);
}

TEST_F(KafkaConnection, MeasuresAsTheConventionsSay) {
  stream.Send(ProduceRequest(9, 1, {{"a", {{0, Batch({{}, {}})}}}}) + FetchRequest(12, 2));
  stream.Receive(ProduceResponse(9, 1, {{"a", {{0}}}}));
  stream.Receive(FetchResponse(12, 2, {{"a", {{0, Batch({{}, {}, {}})}}}}));
  ASSERT_EQ(driver.host.spans.size(), 2U);
  EXPECT_EQ(driver.host.spans[0].measurements.at("messaging.client.sent.messages"), 2);
  EXPECT_EQ(driver.host.spans[1].measurements.at("messaging.client.consumed.messages"), 3);
  EXPECT_NEAR(driver.host.spans[1].measurements.at("messaging.client.operation.duration"), 0.002, 1e-9);
  EXPECT_EQ(driver.host.spans[0].Get("messaging.operation.type"), "send");
  EXPECT_EQ(driver.host.spans[1].Get("messaging.operation.type"), "receive");
  EXPECT_EQ(driver.host.spans[0].Get("messaging.system.name"), "kafka");
  EXPECT_EQ(driver.host.spans[0].Get("messaging.client.id"), "client-1");
  EXPECT_EQ(driver.host.spans[0].Get("server.address"), "192.0.2.10");
}

TEST_F(KafkaConnection, BrokersHaveServerSpans) {
  stream.Receive(ProduceRequest(9, 1, {{"a", {{0, Batch({{}, {}})}}}}));
  stream.Send(ProduceResponse(9, 1, {{"a", {{0}}}}));
  EXPECT_THAT(Lines(driver.host.spans), ElementsAre("send a kind=2 p=0 n=2"));
  EXPECT_EQ(driver.host.spans[0].Get("server.address"), "192.0.2.1");
  EXPECT_EQ(driver.host.spans[0].Get("client.address"), "192.0.2.10");
  EXPECT_TRUE(driver.host.spans[0].measurements.empty());
}

TEST_F(KafkaDefaults, OptionalSpansAreOff) {
  stream.Send(HeartbeatRequest(1));
  stream.Receive(HeartbeatResponse(1, 0));
  StreamDriver broker = driver.NewStream();
  broker.Open();
  broker.Receive(ProduceRequest(9, 1, {{"a", {{0, Batch({{}, {}})}}}}));
  broker.Send(ProduceResponse(9, 1, {{"a", {{0}}}}));
  EXPECT_TRUE(driver.host.spans.empty());
  EXPECT_EQ(driver.host.Counted(PROBE_IGNORED_CONFIGURED), 4U);
}

TEST_F(KafkaConnection, JoinedInTheMiddle) {
  stream.Receive(FetchResponse(12, 40, {{"a", {{0, Batch({{}})}}}}).substr(20));  // of a request nobody saw
  stream.Send("half a request");
  stream.Send(FetchRequest(12, 41));
  stream.Receive(FetchResponse(12, 41, {{"a", {{0, Batch({{}})}}}}));
  EXPECT_THAT(Lines(driver.host.spans), ElementsAre("poll a kind=3 p=0 n=1 o=0"));
  EXPECT_EQ(driver.host.Counted(PROBE_UNDECODABLE_GAP), 2U);
}

/// A response may read like a request: the correlation id of one of the first has room for an api key and a version.
TEST_F(KafkaConnection, FindsOutWhoAsks) {
  stream.Receive(
      Sized("\x00\x00\x00\x07\x00\x00\x00\x00\xff\xff"s + Writer().NullString().I16(1).I32(0).Count(0).bytes()));
  EXPECT_EQ(driver.host.in_flight(), 1U);
  stream.Send(FetchRequest(12, 41));
  stream.Receive(FetchResponse(12, 41, {{"a", {{0, Batch({{}})}}}}));
  EXPECT_THAT(Lines(driver.host.spans), ElementsAre("poll a kind=3 p=0 n=1 o=0"));
  EXPECT_EQ(driver.host.Aborts(PROBE_ABORTED_UNMATCHED), 1U);
}

TEST_F(KafkaConnection, ResponseOfNobodyIsCounted) {
  stream.Send(FetchRequest(12, 41));
  stream.Receive(FetchResponse(12, 40, {{"a", {{0, Batch({{}})}}}}));
  stream.Receive(FetchResponse(12, 41, {{"a", {{0, Batch({{}})}}}}));
  EXPECT_THAT(Lines(driver.host.spans), ElementsAre("poll a kind=3 p=0 n=1 o=0"));
  EXPECT_EQ(driver.host.Counted(PROBE_UNDECODABLE_GAP), 1U);
}

TEST_F(KafkaConnection, AnswersComeInOrderSoTheOneBeforeWasLost) {
  stream.Send(FetchRequest(12, 1) + FetchRequest(12, 2));
  stream.Receive(FetchResponse(12, 2, {}));
  EXPECT_EQ(driver.host.spans.size(), 1U);
  EXPECT_EQ(driver.host.Aborts(PROBE_ABORTED_GAP), 1U);
}

TEST_F(KafkaConnection, BodiesMayBeLeftInTheKernel) {
  const std::string request = ProduceRequest(9, 1, {{"a", {{0, Batch({{.value = std::string(5000, 'x')}, {}})}}}});
  stream.Feed(Sent(request.substr(0, 600), 1000));
  stream.Skip(PROBE_SENT, static_cast<std::uint32_t>(request.size() - 1600));
  const std::uint64_t sent = stream.now_ns;
  stream.Receive(ProduceResponse(9, 1, {{"a", {{0}}}}));
  EXPECT_THAT(Lines(driver.host.spans), ElementsAre("send a kind=4 p=0 n=2"));
  EXPECT_LT(driver.host.spans[0].start_ns, sent);
  stream.Close(PROBE_CLOSE_LOCAL);
  ExpectClean(driver);
}

TEST_F(KafkaConnection, WhatIsCutIsNotCounted) {
  const std::string batch = Batch({{.value = std::string(1000, 'x')}});
  const std::string response = FetchResponse(12, 1, {{"a", {{0, batch + batch}}}});
  stream.Send(FetchRequest(12, 1));
  stream.Feed(Received(response.substr(0, 600), static_cast<std::uint32_t>(response.size() - 600)));
  EXPECT_THAT(Lines(driver.host.spans), ElementsAre("poll a kind=3 p=0"));
}

TEST_F(KafkaConnection, ClosedWhileWaiting) {
  for (const auto& [reason, produce, error] :
       std::vector<std::tuple<probe_close_reason, bool, std::string>>{{PROBE_CLOSE_LOCAL, true, "connection_closed"},
                                                                      {PROBE_CLOSE_PEER, true, "connection_closed"},
                                                                      {PROBE_CLOSE_RESET, true, "connection_reset"},
                                                                      {PROBE_CLOSE_TIMEOUT, false, "timeout"},
                                                                      {PROBE_CLOSE_RESET, false, "connection_reset"},
                                                                      {PROBE_CLOSE_LOCAL, false, ""},
                                                                      {PROBE_CLOSE_UNLOAD, true, ""}}) {
    Driver own(probe_module_entry, kAll);
    StreamDriver closing = own.NewStream();
    closing.Open();
    closing.Send(produce ? ProduceRequest(9, 1, {{"a", {{0, Batch({{}})}}}}) : FetchRequest(12, 1));
    closing.Close(reason);
    ExpectClean(own);
    ASSERT_EQ(own.host.spans.size(), error.empty() ? 0U : 1U);
    if (error.empty()) continue;
    EXPECT_EQ(own.host.spans[0].error_type, error);
  }
}

TEST_F(KafkaConnection, NotMine) {
  for (int i = 0; i < 16; ++i) stream.Receive("GET / HTTP/1.1\r\n\r\n");
  EXPECT_TRUE(stream.raw()->not_mine);
}

TEST_F(KafkaConnection, ForgetsTheOldestOfTooManyWithoutAnswer) {
  for (int i = 0; i < 2000; ++i) stream.Send(FetchRequest(12, i));
  EXPECT_EQ(driver.host.Aborts(PROBE_EVICTED_MEMORY), 2000U - 1024U);
  stream.Close(PROBE_CLOSE_LOCAL);
  ExpectClean(driver);
}

/// Large messages and small ones in segments of all lengths: their heads are shipped, and all are counted.
TEST_F(KafkaConnection, PacksLongMessagesByTheirHeads) {
  constexpr std::uint32_t kLimit = 700;
  constexpr int kMessages = 40;
  for (const std::size_t piece : {4U, 100U, 701U, 4096U, 20000U, 100000U}) {
    SCOPED_TRACE(piece);
    Driver own(probe_module_entry, kAll);
    StreamDriver client = own.NewStream();
    client.Open();
    Packer packer(kLimit);
    std::string requests;
    std::string responses;
    for (int i = 0; i < kMessages; ++i) {
      const std::string value(static_cast<std::size_t>(i) * 500, 'x');
      requests += ProduceRequest(9, i, {{"a", {{0, Batch({{.value = value}, {}})}}}});
      responses += ProduceResponse(9, i, {{"a", {{0}}}});
    }
    for (std::size_t at = 0; at < requests.size(); at += piece)
      packer.Segment(client, PROBE_SENT, std::string_view(requests).substr(at, piece));
    for (std::size_t at = 0; at < responses.size(); at += piece)
      packer.Segment(client, PROBE_RECEIVED, std::string_view(responses).substr(at, piece));
    EXPECT_FALSE(packer.stuck);
    EXPECT_LE(packer.most_want, static_cast<std::uint32_t>(KFK_MOST_PIECE));
    EXPECT_LE(packer.shipped, kLimit * kMessages + responses.size() + 24 * packer.packed);
    EXPECT_THAT(Lines(own.host.spans),
                ::testing::AllOf(::testing::SizeIs(kMessages), ::testing::Each("send a kind=4 p=0 n=2")));
    client.Close(PROBE_CLOSE_LOCAL);
    ExpectClean(own);
  }
}

// --- messages longer than what is shipped whole ---------------------------------------------------------------------

/// Record batches of many sizes, whose number of messages is known.
struct Load {
  std::vector<TestTopic> topics;
  std::vector<std::string> lines;  // " n=..." of each topic
  std::size_t batches = 0;
};

std::string BodyOf(std::mt19937& random, std::size_t size) {
  std::string out(size, '\0');
  for (char& byte : out) byte = static_cast<char>(random());
  return out;
}

Uuid IdOf(std::mt19937& random) {
  Uuid id;
  for (std::uint8_t& byte : id) byte = static_cast<std::uint8_t>(random());
  return id;
}

/// One batch in a partition of a Produce; of a Fetch many, with markers of transactions, and the last one may be cut.
Load MakeLoad(std::mt19937& random, bool fetch) {
  Load load;
  for (std::size_t name = 0; name < 1 + random() % 3; ++name) {
    TestTopic topic{"topic-" + std::to_string(name), {}, IdOf(random)};
    std::size_t messages = 0;
    const std::size_t partitions = 1 + random() % 12;
    for (std::size_t index = partitions; index-- > 0;) {  // brokers give them in any order
      TestPartition partition{static_cast<int>(index), "", 0, 0};
      const std::size_t batches = fetch ? random() % 30 : 1;
      for (std::size_t i = 0; i < batches; ++i) {
        const int count = static_cast<int>(1 + random() % 1000);
        const bool marker = fetch && random() % 8 == 0;
        const std::size_t size = random() % 4 == 0 ? random() % 20000 : random() % 300;
        partition.records +=
            BatchOf(BodyOf(random, size), count, static_cast<std::int64_t>(random()), marker ? 0x30 : 4);
        if (!marker) messages += static_cast<std::size_t>(count);
        ++load.batches;
      }
      if (fetch && batches != 0 && random() % 2 == 0) {
        const std::string last = BatchOf(BodyOf(random, 3000), 7, 1, 4);
        partition.records += last.substr(0, random() % last.size());
        ++load.batches;
      }
      topic.partitions.push_back(partition);
    }
    if (messages != 0) load.lines.push_back(" n=" + std::to_string(messages));
    load.topics.push_back(topic);
  }
  return load;
}

struct Packing {
  std::uint32_t limit;
  std::size_t piece;   // bytes of a segment
  std::size_t vector;  // of an iovec
};

class KafkaLongMessages : public ::testing::TestWithParam<Packing> {
 protected:
  void Feed(Packer& packer, StreamDriver& stream, std::uint8_t direction, std::string_view bytes) const {
    packer.Segment(stream, direction, bytes.substr(0, 4));  // many read the size on its own
    for (std::size_t at = 4; at < bytes.size(); at += GetParam().piece)
      packer.Segment(stream, direction, bytes.substr(at, GetParam().piece));
  }
  static std::vector<std::string> Counts(const std::vector<RecordedSpan>& spans) {
    std::vector<std::string> out;
    for (const RecordedSpan& span : spans) {
      if (span.Has("messaging.batch.message_count")) out.push_back(" n=" + span.Get("messaging.batch.message_count"));
    }
    return out;
  }
  std::mt19937 random_{4711};
};

TEST_P(KafkaLongMessages, FetchesAreCountedExactly) {
  for (int round = 0; round < 12; ++round) {
    const int version = std::vector<int>{4, 7, 11, 12, 13, 17}[static_cast<std::size_t>(round) % 6];
    SCOPED_TRACE(std::to_string(round) + " version " + std::to_string(version));
    const Load load = MakeLoad(random_, true);
    Driver driver(probe_module_entry, kAll);
    StreamDriver stream = driver.NewStream();
    stream.Open();
    Packer packer(GetParam().limit, GetParam().vector);
    Feed(packer, stream, PROBE_SENT, FetchRequest(version, 9));
    const std::string response = FetchResponse(version, 9, load.topics);
    Feed(packer, stream, PROBE_RECEIVED, response);
    ASSERT_FALSE(packer.stuck);
    EXPECT_THAT(Counts(driver.host.spans), ElementsAreArray(load.lines));
    stream.Close(PROBE_CLOSE_LOCAL);
    ExpectClean(driver);
    const std::size_t pieces =
        load.batches + load.topics.size() * 2 * 14 + GetParam().limit / std::min<std::size_t>(GetParam().piece, 100);
    if (response.size() > GetParam().limit) {
      EXPECT_LT(packer.shipped, GetParam().limit + 1024 + 140 * pieces);
    }
  }
}

TEST_P(KafkaLongMessages, ProducesAreCountedExactly) {
  for (int round = 0; round < 12; ++round) {
    const int version = std::vector<int>{3, 7, 8, 9, 12, 13}[static_cast<std::size_t>(round) % 6];
    SCOPED_TRACE(std::to_string(round) + " version " + std::to_string(version));
    const Load load = MakeLoad(random_, false);
    Driver driver(probe_module_entry, kAll);
    StreamDriver stream = driver.NewStream();
    stream.Open();
    Packer packer(GetParam().limit, GetParam().vector);
    Feed(packer, stream, PROBE_SENT, ProduceRequest(version, 9, load.topics));
    stream.Receive(ProduceResponse(version, 9, load.topics));
    ASSERT_FALSE(packer.stuck);
    EXPECT_THAT(Counts(driver.host.spans), ElementsAreArray(load.lines));
    stream.Close(PROBE_CLOSE_LOCAL);
    ExpectClean(driver);
  }
}

/// Whatever is lost on the way: a count is right, or it is not there.
TEST_P(KafkaLongMessages, NeverMiscountBehindAHole) {
  for (int round = 0; round < 20; ++round) {
    SCOPED_TRACE(round);
    const Load load = MakeLoad(random_, true);
    Driver driver(probe_module_entry, kAll);
    StreamDriver stream = driver.NewStream();
    stream.Open();
    Packer packer(GetParam().limit, GetParam().vector);
    packer.forgets = round % 10 == 0;
    Feed(packer, stream, PROBE_SENT, FetchRequest(12, 9));
    const std::string response = FetchResponse(12, 9, load.topics);
    const std::size_t hole = random_() % response.size();
    const std::size_t length = std::min<std::size_t>(1 + random_() % 5000, response.size() - hole);
    Feed(packer, stream, PROBE_RECEIVED, std::string_view(response).substr(0, hole));
    packer.Miss(stream, PROBE_RECEIVED, length);
    if (hole + length < response.size())
      packer.Segment(stream, PROBE_RECEIVED, std::string_view(response).substr(hole + length));
    for (const std::string& line : Counts(driver.host.spans)) EXPECT_THAT(load.lines, ::testing::Contains(line));
    stream.Close(PROBE_CLOSE_LOCAL);
    ExpectClean(driver);
  }
}

INSTANTIATE_TEST_SUITE_P(All, KafkaLongMessages,
                         ::testing::Values(Packing{512, 1'000'000, 0}, Packing{512, 65'536, 0},
                                           Packing{16'384, 65'536, 0}, Packing{512, 1460, 0}, Packing{700, 61, 0},
                                           Packing{600, 17, 0}, Packing{512, 65'536, 1000}, Packing{512, 20'000, 7},
                                           Packing{131'072, 8192, 0}),
                         [](const auto& one) {
                           return std::to_string(one.param.limit) + "By" + std::to_string(one.param.piece) + "In" +
                                  std::to_string(one.param.vector);
                         });

/// A message in a message: the values are batches themselves.
TEST_F(KafkaConnection, CountsNoBatchWithinABatch) {
  std::string inner;
  for (int i = 0; i < 20; ++i) inner += CompressedBatch(5);
  const std::string batch = Batch({{.value = inner}, {.value = inner}});
  Packer packer(512);
  packer.Segment(stream, PROBE_SENT, FetchRequest(12, 9));
  packer.Segment(stream, PROBE_RECEIVED,
                 FetchResponse(12, 9, {{"a", {{0, batch + batch}, {1, batch + batch + batch}}}}));
  EXPECT_THAT(Lines(driver.host.spans), ElementsAre("poll a kind=3 n=10"));
}

/// The number of partitions, or the first one's own, stands where a batch that began in the topic's id has its magic.
TEST_F(KafkaConnection, CountsNoBatchInATopicId) {
  const Uuid id = {1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0x10, 0, 0, 0, 0x20, 0};
  const std::string batch = BatchOf(std::string(3000, 'x'), 5, 0, 0);
  const std::vector<std::vector<TestPartition>> cases = {{{0, batch + batch}},
                                                         {{2, batch + batch}, {1, batch}, {0, batch}}};
  int correlation = 1000;
  for (const std::vector<TestPartition>& partitions : cases) {
    Driver own(probe_module_entry, kAll);
    StreamDriver client = own.NewStream();
    client.Open();
    Packer packer(512);
    packer.Segment(client, PROBE_SENT, FetchRequest(17, ++correlation));
    packer.Segment(client, PROBE_RECEIVED, FetchResponse(17, correlation, {{"", partitions, id}}, 0, 0));
    ASSERT_EQ(own.host.spans.size(), 1U);
    EXPECT_EQ(own.host.spans[0].Get("messaging.batch.message_count"), partitions.size() == 1 ? "10" : "20");
    EXPECT_EQ(own.host.Counted(PROBE_UNDECODABLE_TRUNCATED), 0U);
    client.Close(PROBE_CLOSE_LOCAL);
    ExpectClean(own);
  }
}

/// Two batches without messages, and what is there of a third.
TEST_F(KafkaConnection, CountsBehindBatchesThatCompactionLeft) {
  const std::string empty = BatchOf("", 0, 7, 0).replace(23, 4, 4, '\0');  // it keeps its last offset
  const std::string batch = BatchOf(std::string(3000, 'x'), 5, 8, 0);
  Packer packer(512);
  packer.Segment(stream, PROBE_SENT, FetchRequest(12, 9));
  packer.Segment(stream, PROBE_RECEIVED,
                 FetchResponse(12, 9, {{"a", {{0, batch + empty + empty + batch.substr(0, 50)}, {1, batch}}}}));
  EXPECT_THAT(Lines(driver.host.spans), ElementsAre("poll a kind=3 n=10"));
}

/// A message whose batches are not to be found has no count, and that is counted.
TEST_F(KafkaConnection, CountsWhatHasNoCount) {
  const std::string old = std::string(8, '\0') + std::string("\0\0\x20\0", 4) + std::string(0x2000, '\1');  // magic 1
  Packer packer(512);
  packer.Segment(stream, PROBE_SENT, FetchRequest(4, 9));
  packer.Segment(stream, PROBE_RECEIVED, FetchResponse(4, 9, {{"a", {{0, old}, {1, old}}}}));
  packer.Segment(stream, PROBE_SENT, ProduceRequest(3, 10, {{"a", {{0, old}}}}));
  packer.Segment(stream, PROBE_RECEIVED, ProduceResponse(3, 10, {{"a", {{0}}}}));
  EXPECT_THAT(Lines(driver.host.spans), ElementsAre("poll 192.0.2.10:40000 kind=3", "send a kind=4 p=0"));
  EXPECT_EQ(driver.host.Counted(PROBE_UNDECODABLE_TRUNCATED), 2U);
}

/// What is long and has no batches leaves the kernel up to the limit, and what a head is sought in.
TEST_F(KafkaConnection, LongMessagesWithoutBatches) {
  std::vector<TestTopic> topics;
  topics.reserve(3000);
  for (int i = 0; i < 3000; ++i) topics.push_back({"topic-" + std::to_string(i), {}, Uuid{9, 1}});
  Packer packer(2048);
  packer.Segment(stream, PROBE_SENT, MetadataRequest(12, 1));
  packer.Segment(stream, PROBE_RECEIVED, MetadataResponse(12, 1, topics));
  EXPECT_LT(packer.shipped, 4500U);
  EXPECT_THAT(Lines(driver.host.spans), ElementsAre("metadata 192.0.2.10:40000 kind=3"));
}

TEST_F(KafkaConnection, RefusesConfigurations) {
  EXPECT_EQ(driver.Check(R"({"capture_bytes": 511})").size(), 1U);
  EXPECT_EQ(driver.Check(R"({"capture_bytes": 131073})").size(), 1U);
  EXPECT_EQ(driver.Check(R"({"server_spans": 1})").size(), 1U);
  EXPECT_TRUE(driver.Check("{}").empty());
}

}  // namespace
}  // namespace probed::mod::kafka
