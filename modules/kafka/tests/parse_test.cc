// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Messages of every version, written by another hand than the reader's.
#include "modules/kafka/decode/parse.h"

#include <gmock/gmock.h>

#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "modules/kafka/decode/records.h"
#include "modules/kafka/tests/writer.h"

namespace probed::mod::kafka {
namespace {

using namespace testing;  // NOLINT: the messages of this folder
using sdk::ParseState;

constexpr std::string_view kTraceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
constexpr Uuid kId = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};

/// An exact copy, so that a sanitizer sees every read past the end. Without the size in front.
class Exact {
 public:
  explicit Exact(std::string_view bytes) : size_(bytes.size() - 4), copy_(std::make_unique<char[]>(size_)) {
    bytes.copy(copy_.get(), size_, 4);
  }
  std::string_view view() const { return {copy_.get(), size_}; }

 private:
  std::size_t size_;
  std::unique_ptr<char[]> copy_;
};

std::string_view BodyOf(std::string_view message) {
  RequestHead head;
  std::string_view body;
  EXPECT_EQ(ParseRequestHead(message, &head, &body), ParseState::kOk);
  EXPECT_EQ(head.client_id, "client-1");
  return body;
}

std::vector<TestTopic> TwoTopics(bool with_records) {
  const std::string one = with_records ? Batch({{.key = "k", .value = "v"}}, 41) : "";
  const std::string three = with_records ? Batch({{}, {}, {}}) + CompressedBatch(1000) : "";
  return {{"orders", {{3, one, 0, 41}}, kId}, {"payments", {{0, three, 0, 7}, {1, three, 6, -1}}, Uuid{9}}};
}

void ExpectNames(const Topics& topics, int version, std::uint32_t partitions = 2) {
  ASSERT_EQ(topics.count, 2U);
  EXPECT_TRUE(topics.complete);
  EXPECT_EQ(topics.items[0].by_id, version >= 13);
  EXPECT_EQ(topics.items[0].name, version >= 13 ? "" : "orders");
  EXPECT_EQ(topics.items[0].id, version >= 13 ? kId : Uuid{});
  EXPECT_EQ(topics.items[0].partitions, 1U);
  EXPECT_EQ(topics.items[0].partition, 3);
  EXPECT_EQ(topics.items[1].partitions, partitions);
}

void ExpectBatches(const Topics& topics) {
  const Batches& one = topics.items[0].batches;
  EXPECT_TRUE(one.counted);
  EXPECT_EQ(one.messages, 1U);
  EXPECT_TRUE(one.has_offset);
  EXPECT_EQ(one.offset, 41);
  EXPECT_EQ(one.key, "k");
  EXPECT_FALSE(one.tombstone);
  EXPECT_TRUE(topics.items[1].batches.counted);
  EXPECT_EQ(topics.items[1].batches.messages, 2006U);
}

TEST(KafkaParse, ReadsProduceRequestsOfEveryVersion) {
  for (int version = 0; version <= 13; ++version) {
    SCOPED_TRACE(version);
    const Exact message(ProduceRequest(version, 7, TwoTopics(true), 1));
    Topics topics;
    ASSERT_EQ(ParseProduceRequest({.bytes = BodyOf(message.view())}, static_cast<std::int16_t>(version), &topics),
              ParseState::kOk);
    EXPECT_EQ(topics.acks, 1);
    ExpectNames(topics, version);
    ExpectBatches(topics);
  }
}

TEST(KafkaParse, ReadsProduceResponsesOfEveryVersion) {
  for (int version = 0; version <= 13; ++version) {
    SCOPED_TRACE(version);
    const Exact message(ProduceResponse(version, 7, TwoTopics(false)));
    Topics topics;
    EXPECT_EQ(CorrelationOf(message.view()), 7);
    ASSERT_EQ(ParseProduceResponse(message.view(), static_cast<std::int16_t>(version), false, &topics),
              ParseState::kOk);
    ExpectNames(topics, version);
    EXPECT_EQ(topics.items[0].offset, 41);
    EXPECT_EQ(topics.items[0].error, 0);
    EXPECT_EQ(topics.items[1].offset, 7);
    EXPECT_EQ(topics.items[1].error, 6);  // of its second partition
  }
}

TEST(KafkaParse, ReadsFetchResponsesOfEveryVersion) {
  for (int version = 0; version <= 18; ++version) {
    SCOPED_TRACE(version);
    const Exact message(FetchResponse(version, 7, TwoTopics(true), version >= 7 ? 70 : 0));
    Topics topics;
    ASSERT_EQ(ParseFetchResponse({.bytes = message.view()}, static_cast<std::int16_t>(version), &topics),
              ParseState::kOk);
    ExpectNames(topics, version);
    ExpectBatches(topics);
    EXPECT_EQ(topics.error, version >= 7 ? 70 : 0);
    EXPECT_EQ(topics.items[1].error, 6);
  }
}

TEST(KafkaParse, ReadsTopicIdsOfMetadata) {
  for (int version = 0; version <= 13; ++version) {
    SCOPED_TRACE(version);
    const Exact message(MetadataResponse(version, 7, TwoTopics(false)));
    std::vector<std::string> names;
    ASSERT_EQ(ParseMetadataResponse(message.view(), static_cast<std::int16_t>(version), false,
                                    [&](const NamedTopic& topic) { names.emplace_back(topic.name); }),
              ParseState::kOk);
    EXPECT_EQ(names.size(), version >= 10 ? 2U : 0U);
  }
}

TEST(KafkaParse, TakesMetadataWithBytesBehindItButNotWithoutItsEnd) {
  const std::string whole(Exact(MetadataResponse(12, 7, TwoTopics(false))).view());
  const auto ignore = [](const NamedTopic&) {};
  EXPECT_EQ(ParseMetadataResponse(whole + '\0', 12, false, ignore), ParseState::kOk);
  EXPECT_EQ(ParseMetadataResponse(whole.substr(0, whole.size() - 1), 12, false, ignore), ParseState::kInvalid);
}

TEST(KafkaParse, ReadsCommitsOfEveryVersion) {
  const std::vector<TestTopic> topics = {{"orders", {{3}}, kId},
                                         {"payments", {{0}, {1, "", 28}, {2, "", 25}}, Uuid{9}}};
  for (const auto& [key, highest] : {std::pair{kCommit, 10}, std::pair{kCommitOfTransaction, 5}}) {
    for (int version = 0; version <= highest; ++version) {
      SCOPED_TRACE(std::to_string(key) + " " + std::to_string(version));
      const auto api = static_cast<std::int16_t>(key);
      const auto as = static_cast<std::int16_t>(version);
      const bool by_id = key == kCommit && version >= 10;
      const Exact request(CommitRequest(key, version, 7, topics));
      const Exact response(CommitResponse(key, version, 7, topics));
      Topics out;
      ASSERT_EQ(ParseCommitRequest(BodyOf(request.view()), api, as, false, &out), ParseState::kOk);
      ExpectNames(out, by_id ? 13 : 0, 3);
      EXPECT_EQ(GroupOf(BodyOf(request.view()), api, as), "group-1");
      ASSERT_EQ(ParseCommitResponse(response.view(), api, as, false, &out), ParseState::kOk);
      ExpectNames(out, by_id ? 13 : 0, 3);
      EXPECT_EQ(out.items[0].error, 0);
      EXPECT_EQ(out.items[1].error, 28);  // the first
      for (std::size_t size = 4; size < response.view().size(); ++size) {
        const std::string_view cut = response.view().substr(0, size);
        EXPECT_EQ(ParseCommitResponse(cut, api, as, false, &out), ParseState::kInvalid) << size;
        EXPECT_EQ(ParseCommitResponse(cut, api, as, true, &out), ParseState::kOk) << size;
        EXPECT_FALSE(out.complete);
      }
    }
  }
}

TEST(KafkaParse, RefusesOneByteMoreOrLess) {
  Topics topics;
  const std::string fetch = FetchResponse(12, 7, TwoTopics(true));
  EXPECT_EQ(ParseFetchResponse({.bytes = Exact(fetch + "x").view()}, 12, &topics), ParseState::kInvalid);
  EXPECT_EQ(ParseFetchResponse({.bytes = Exact(fetch.substr(0, fetch.size() - 1)).view()}, 12, &topics),
            ParseState::kInvalid);
  EXPECT_EQ(ParseFetchResponse({.bytes = Exact(fetch).view()}, 13, &topics),
            ParseState::kInvalid);  // another version
}

TEST(KafkaParse, CountsWhatIsCutInTheLastBatch) {
  Topics topics;
  const std::string records = Batch({{.value = std::string(1000, 'x')}, {.value = std::string(1000, 'x')}});
  const std::string request = ProduceRequest(9, 7, {{"orders", {{0, records}}}});
  const Exact cut(request.substr(0, request.size() - 500));
  ASSERT_EQ(ParseProduceRequest({.bytes = BodyOf(cut.view()), .cut = true}, 9, &topics), ParseState::kOk);
  EXPECT_TRUE(topics.complete);
  EXPECT_TRUE(topics.items[0].batches.counted);
  EXPECT_EQ(topics.items[0].batches.messages, 2U);
}

TEST(KafkaParse, CountsNothingBehindTheCut) {
  Topics topics;
  const std::string records = Batch({{.value = std::string(1000, 'x')}});
  const std::string request = ProduceRequest(9, 7, {{"orders", {{0, records + records}}}});
  const Exact cut(request.substr(0, request.size() - 1500));
  ASSERT_EQ(ParseProduceRequest({.bytes = BodyOf(cut.view()), .cut = true}, 9, &topics), ParseState::kOk);
  EXPECT_FALSE(topics.items[0].batches.counted);
  const std::string two = ProduceRequest(9, 7, {{"orders", {{0, records}}}, {"payments", {{0, records}}}});
  const Exact cut_topic(two.substr(0, two.size() - 1500));
  ASSERT_EQ(ParseProduceRequest({.bytes = BodyOf(cut_topic.view()), .cut = true}, 9, &topics), ParseState::kOk);
  EXPECT_FALSE(topics.complete);
}

TEST(KafkaParse, NeverFailsAnywhereButSaysSo) {
  const std::string response = FetchResponse(16, 7, TwoTopics(true));
  for (std::size_t size = 4; size < response.size(); ++size) {
    Topics topics;
    const Exact cut(response.substr(0, size));
    EXPECT_EQ(ParseFetchResponse({.bytes = cut.view()}, 16, &topics), ParseState::kInvalid) << size;
  }
}

/// Of a message with a hole each count is right, or said not to be known; bodies of batches are no loss.
TEST(KafkaParse, CountsBehindHoles) {
  std::string body;
  for (int i = 0; i < 100; ++i) body += "body";
  const std::string records =
      BatchOf(body, 20, 0, 4) + BatchOf(body, 300, 20, 4) + BatchOf(body, 7, 320, 4).substr(0, 100);
  const std::string response =
      FetchResponse(12, 7, {{"orders", {{0, records}, {1, records}}}, {"payments", {{0, records}}}});
  std::size_t exact = 0;
  for (const std::size_t length : {1U, 39U, 400U, 439U, 900U}) {
    for (std::size_t at = 12; at + length < response.size() - 4; ++at) {
      std::string bytes = response.substr(4);
      bytes.erase(at, length);
      const sdk::Hole hole{static_cast<std::uint32_t>(at), static_cast<std::uint32_t>(length)};
      Topics topics;
      if (ParseFetchResponse({.bytes = bytes, .holes = {&hole, 1}}, 12, &topics) != ParseState::kOk) continue;
      for (std::size_t i = 0; i < topics.count; ++i) {
        if (!topics.items[i].batches.counted) continue;
        const bool first = topics.items[i].name == "orders";
        EXPECT_EQ(topics.items[i].batches.messages, first ? 640U : 320U) << at << " " << length;
        if (i == 1) ++exact;
      }
    }
  }
  EXPECT_GT(exact, 1500U);
}

// --- records --------------------------------------------------------------------------------------------------------

/// What it returns, and `topics`, point into the bytes.
Batches Read(const std::string& bytes, Topics& topics) {
  Batches out;
  topics.Clear();
  WireReader r(bytes, false);
  ReadRecords(r, bytes.size(), topics, &out);
  return out;
}

TEST(KafkaRecords, FindsTraceContextsOfRecords) {
  Topics topics;
  const std::string batch = Batch({{.headers = {{"traceparent", std::string(kTraceparent)}, {"tracestate", "a=b"}}},
                                   {.headers = {{"other", "x"}}},
                                   {.headers = {{"traceparent", "garbage"}}}});
  const Batches out = Read(batch, topics);
  EXPECT_EQ(out.messages, 3U);
  ASSERT_EQ(out.links, 1U);
  EXPECT_EQ(topics.links[0].trace_id[0], 0x0a);
  EXPECT_EQ(topics.links[0].span_id[7], 0x31);
  EXPECT_EQ(std::string_view(topics.links[0].state.ptr, topics.links[0].state.len), "a=b");
}

TEST(KafkaRecords, LeavesCompressedBatchesClosed) {
  Topics topics;
  const Batches out = Read(CompressedBatch(1, 5), topics);
  EXPECT_EQ(out.messages, 1U);
  EXPECT_TRUE(out.counted);
  EXPECT_FALSE(out.has_offset);
}

TEST(KafkaRecords, OffsetsThatCannotBeAreNone) {
  constexpr std::int64_t kLeast = std::numeric_limits<std::int64_t>::min();
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
  for (const auto& [base, delta] : {std::pair{kLeast, -1}, {kMost, 1}, {std::int64_t{-1}, 0}, {std::int64_t{5}, -1}}) {
    Topics topics;
    const Batches out = Read(BatchOf(RecordBytes({}, delta), 1, base, 0), topics);
    EXPECT_EQ(out.messages, 1U);
    EXPECT_FALSE(out.has_offset) << base << " + " << delta;
  }
}

TEST(KafkaRecords, KnowsTombstones) {
  Topics topics;
  const std::string batch = Batch({{.key = "k", .value = std::nullopt}});
  const Batches out = Read(batch, topics);
  EXPECT_TRUE(out.tombstone);
  EXPECT_EQ(out.key, "k");
}

TEST(KafkaRecords, DoesNotCountControlBatches) {
  Topics topics;
  EXPECT_EQ(Read(Batch({{}}, 0, 0x30), topics).messages, 0U);
}

TEST(KafkaRecords, DropsTheBatchThatTheBrokerCut) {
  Topics topics;
  const std::string whole = Batch({{}, {}});
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const Batches out = Read(whole + whole.substr(0, size), topics);
    EXPECT_EQ(out.messages, 2U) << size;
    EXPECT_TRUE(out.counted) << size;
  }
}

TEST(KafkaRecords, DoesNotCountOldFormats) {
  Topics topics;
  std::string old = Batch({{}});
  old[16] = 1;
  EXPECT_FALSE(Read(old, topics).counted);
}

TEST(KafkaApi, NamesErrors) {
  EXPECT_EQ(ErrorName(0), "");
  EXPECT_EQ(ErrorName(-1), "UNKNOWN_SERVER_ERROR");
  EXPECT_EQ(ErrorName(3), "UNKNOWN_TOPIC_OR_PARTITION");
  EXPECT_EQ(ErrorName(19), "NOT_ENOUGH_REPLICAS");
  EXPECT_EQ(ErrorName(100), "UNKNOWN_TOPIC_ID");
  EXPECT_EQ(ErrorName(133), "SHARE_SESSION_LIMIT_REACHED");
  EXPECT_EQ(ErrorName(134), "_OTHER");
  EXPECT_EQ(ErrorName(-2), "_OTHER");
}

}  // namespace
}  // namespace probed::mod::kafka
