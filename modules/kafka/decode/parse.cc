// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Layouts by version: https://kafka.apache.org/protocol; KIP-482 (flexible), KIP-516 (topic ids), KIP-227 (sessions).
#include "modules/kafka/decode/parse.h"

#include "modules/kafka/bpf/kafka_classify.h"
#include "modules/kafka/decode/records.h"

namespace probed::mod::kafka {
namespace {

using sdk::ParseState;

using detail::BeginPartitions;
using detail::BeginTopic;
using detail::NotePartition;
using detail::Settle;

constexpr std::int16_t kFirstWithTopicIds = 13;  // of Produce and of Fetch alike

/// Records behind their length. False: not even that is there.
bool TakeRecords(WireReader& r, Topics& topics, Topic& topic) {
  const std::int64_t length = r.BytesLength();
  if (!r.ok() || length <= 0) return r.ok();
  ReadRecords(r, static_cast<std::uint64_t>(length), topics, &topic.batches);
  return true;
}

/// One partition of a Produce request or a Fetch response, up to its records and what follows them. False: it ends
/// before them.
using ReadPartition = bool (*)(WireReader& r, std::int16_t version, Topics& topics, Topic& topic);

bool ReadProducedPartition(WireReader& r, std::int16_t, Topics& topics, Topic& topic) {
  const std::int32_t partition = r.Int32();
  if (r.ok()) NotePartition(topic, partition, 0);
  const bool reached = TakeRecords(r, topics, topic);
  r.Tags();
  return reached;
}

bool ReadFetchedPartition(WireReader& r, std::int16_t version, Topics& topics, Topic& topic) {
  const std::int32_t partition = r.Int32();
  const std::int16_t error = r.Int16();
  if (r.ok()) NotePartition(topic, partition, error);
  r.Skip(8);                    // high watermark
  if (version >= 4) r.Skip(8);  // last stable offset
  if (version >= 5) r.Skip(8);  // log start offset
  if (version >= 4) {
    for (std::int64_t left = r.ArrayCount(); left > 0 && r.ok(); --left) {  // aborted transactions
      r.Skip(16);
      r.Tags();
    }
  }
  if (version >= 11) r.Skip(4);  // preferred read replica
  const bool reached = TakeRecords(r, topics, topic);
  r.Tags();
  return reached;
}

/// Topics with partitions that hold records. Whether only the end of the very last one is missing.
bool ReadTopics(WireReader& r, std::int16_t version, ReadPartition read, Topics* out) {
  Topic spare;  // what there is no room for
  for (std::int64_t topics = r.ArrayCount(); topics > 0 && r.ok(); --topics) {
    Topic* topic = BeginTopic(r, version >= kFirstWithTopicIds, out);
    if (topic == nullptr) topic = &spare;
    for (std::int64_t left = BeginPartitions(r, *topic); left > 0 && r.ok(); --left) {
      const bool reached = read(r, version, *out, *topic);
      if (!r.ok()) return reached && left == 1 && topics == 1;
    }
    r.Tags();
  }
  return false;
}

void SkipRecordErrors(WireReader& r) {
  for (std::int64_t left = r.ArrayCount(); left > 0 && r.ok(); --left) {
    r.Skip(4);
    r.String();
    r.Tags();
  }
}

void ReadProduceAnswer(WireReader& r, std::int16_t version, Topic& topic) {
  const std::int32_t partition = r.Int32();
  const std::int16_t error = r.Int16();
  const std::int64_t offset = r.Int64();
  if (version >= 2) r.Skip(8);  // log append time
  if (version >= 5) r.Skip(8);  // log start offset
  if (version >= 8) {
    SkipRecordErrors(r);
    r.String();
  }
  r.Tags();
  if (!r.ok()) return;
  if (topic.seen == 0) topic.offset = offset;
  NotePartition(topic, partition, error);
}

}  // namespace

namespace detail {

Topic* BeginTopic(WireReader& r, bool by_id, Topics* out) {
  const Uuid id = by_id ? r.Id() : Uuid{};
  const std::string_view name = by_id ? std::string_view{} : r.String();
  Topic* const topic = r.ok() ? out->Add() : nullptr;
  if (topic == nullptr) return nullptr;
  topic->name = name;
  topic->id = id;
  topic->by_id = by_id;
  return topic;
}

std::int64_t BeginPartitions(WireReader& r, Topic& topic) {
  const std::int64_t count = r.ArrayCount();
  topic.partitions = static_cast<std::uint32_t>(count);
  return count;
}

void NotePartition(Topic& topic, std::int32_t partition, std::int16_t error) {
  if (topic.seen++ == 0) topic.partition = partition;
  if (topic.error == 0) topic.error = error;
}

ParseState Settle(WireReader& r, const Seen& seen, bool only_the_end_missing, Topics* out) {
  if (!seen.cut && seen.holes.empty()) return r.ok() && r.remaining() == 0 ? ParseState::kOk : ParseState::kInvalid;
  if (!seen.cut && r.ok()) return r.at_end() ? ParseState::kOk : ParseState::kInvalid;
  if (!only_the_end_missing) out->complete = false;
  if (!only_the_end_missing && out->count != 0) out->items[out->count - 1].batches.counted = false;
  return ParseState::kOk;
}

void SkipBrokers(WireReader& r, std::int16_t version) {
  if (version >= 3) r.Skip(4);  // throttle time
  for (std::int64_t left = r.ArrayCount(); left > 0 && r.ok(); --left) {
    r.Skip(4);
    r.String();
    r.Skip(4);
    if (version >= 1) r.String();  // rack
    r.Tags();
  }
  if (version >= 2) r.String();  // cluster id
  if (version >= 1) r.Skip(4);   // controller
}

void SkipMetadataPartitions(WireReader& r, std::int16_t version) {
  for (std::int64_t left = r.ArrayCount(); left > 0 && r.ok(); --left) {
    r.Skip(version >= 7 ? 14 : 10);  // error, index, leader, its epoch
    r.SkipArray(4);
    r.SkipArray(4);
    if (version >= 5) r.SkipArray(4);
    r.Tags();
  }
}

}  // namespace detail

ParseState ParseRequestHead(std::string_view bytes, RequestHead* out, std::string_view* body) {
  WireReader r(bytes, false);
  out->key = r.Int16();
  out->version = r.Int16();
  out->correlation = r.Int32();
  if (!r.ok() || out->key < 0 || out->version < 0 || out->correlation < 0) return ParseState::kInvalid;
  if (kfk_is_key(static_cast<unsigned>(out->key), static_cast<unsigned>(out->version)) == 0)
    return ParseState::kInvalid;
  out->client_id = r.ClassicString();
  WireReader tags(r.rest(), IsFlexible(out->key, out->version));
  tags.Tags();
  if (!r.ok() || !tags.ok()) return ParseState::kInvalid;
  *body = tags.rest();
  return ParseState::kOk;
}

std::int32_t CorrelationOf(std::string_view bytes) { return WireReader(bytes, false).Int32(); }

ParseState ParseProduceRequest(const Seen& body, std::int16_t version, Topics* out) {
  out->Clear();
  WireReader r(body, IsFlexible(kProduce, version));
  if (version >= 3) r.String();  // transactional id
  out->acks = r.Int16();
  if (!r.ok()) return ParseState::kInvalid;
  r.Skip(4);  // timeout
  const bool only_the_end_missing = ReadTopics(r, version, ReadProducedPartition, out);
  r.Tags();
  return Settle(r, body, only_the_end_missing, out);
}

ParseState ParseProduceResponse(std::string_view bytes, std::int16_t version, bool cut, Topics* out) {
  out->Clear();
  WireReader r = detail::ResponseBody(bytes, kProduce, version);
  Topic spare;
  for (std::int64_t topics = r.ArrayCount(); topics > 0 && r.ok(); --topics) {
    Topic* topic = BeginTopic(r, version >= kFirstWithTopicIds, out);
    if (topic == nullptr) topic = &spare;
    for (std::int64_t left = BeginPartitions(r, *topic); left > 0 && r.ok(); --left)
      ReadProduceAnswer(r, version, *topic);
    r.Tags();
    if (!r.ok() && topic != &spare) --out->count;  // how the rest of it ended is not known
  }
  if (version >= 1) r.Skip(4);  // throttle time
  r.Tags();
  return Settle(r, {.bytes = bytes, .cut = cut}, false, out);
}

ParseState ParseFetchResponse(const Seen& seen, std::int16_t version, Topics* out) {
  out->Clear();
  WireReader r = detail::ResponseBody(seen, kFetch, version);
  if (version >= 1) r.Skip(4);  // throttle time
  if (version >= 7) {
    out->error = r.Int16();
    r.Skip(4);  // session
  }
  if (!r.ok()) return ParseState::kInvalid;
  const bool only_the_end_missing = ReadTopics(r, version, ReadFetchedPartition, out);
  r.Tags();
  return Settle(r, seen, only_the_end_missing, out);
}

}  // namespace probed::mod::kafka
