// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Requests of consumer groups: whose they are, what they commit, how they failed. Layouts by version:
// https://kafka.apache.org/protocol; KIP-848 (OffsetCommit by topic ids).
#include "modules/kafka/decode/parse.h"

namespace probed::mod::kafka {
namespace {

using sdk::ParseState;

constexpr std::int16_t kFirstCommitWithTopicIds = 10;  // of OffsetCommit; TxnOffsetCommit has names

bool NamesTopicsById(std::int16_t key, std::int16_t version) {
  return key == kOffsetCommit && version >= kFirstCommitWithTopicIds;
}

/// What stands in front of the topics. TxnOffsetCommit has the transaction first.
void SkipCommitHead(WireReader& r, std::int16_t key, std::int16_t version) {
  const bool of_transaction = key == kTxnOffsetCommit;
  if (of_transaction) r.String();
  r.String();                      // group
  if (of_transaction) r.Skip(10);  // producer and its epoch
  if (version >= (of_transaction ? 3 : 1)) {
    r.Skip(4);  // generation
    r.String();
  }
  if (version >= (of_transaction ? 3 : 7)) r.String();             // instance
  if (!of_transaction && version >= 2 && version <= 4) r.Skip(8);  // retention time
}

/// A partition of a request or of a response: calls `rest` for what follows its number, which gives its error.
template <class Rest>
ParseState ReadCommitTopics(WireReader& r, bool by_id, bool cut, Topics* out, Rest&& rest) {
  Topic spare;  // what there is no room for
  for (std::int64_t topics = r.ArrayCount(); topics > 0 && r.ok(); --topics) {
    Topic* topic = detail::BeginTopic(r, by_id, out);
    if (topic == nullptr) topic = &spare;
    for (std::int64_t left = detail::BeginPartitions(r, *topic); left > 0 && r.ok(); --left) {
      const std::int32_t partition = r.Int32();
      const std::int16_t error = rest();
      r.Tags();
      if (r.ok()) detail::NotePartition(*topic, partition, error);
    }
    r.Tags();
    if (!r.ok() && topic != &spare) --out->count;  // how the rest of it ended is not known
  }
  r.Tags();
  return detail::Settle(r, {.bytes = {}, .cut = cut}, false, out);
}

}  // namespace

ParseState ParseCommitRequest(std::string_view body, std::int16_t key, std::int16_t version, bool cut, Topics* out) {
  out->Clear();
  WireReader r(body, IsFlexible(key, version));
  SkipCommitHead(r, key, version);
  const std::int16_t first_with_epoch = key == kOffsetCommit ? 6 : 2;
  return ReadCommitTopics(r, NamesTopicsById(key, version), cut, out, [&]() -> std::int16_t {
    r.Skip(8);  // offset
    if (version >= first_with_epoch) r.Skip(4);
    if (key == kOffsetCommit && version == 1) r.Skip(8);  // time
    r.String();                                           // metadata
    return 0;
  });
}

ParseState ParseCommitResponse(std::string_view bytes, std::int16_t key, std::int16_t version, bool cut, Topics* out) {
  out->Clear();
  WireReader r = detail::ResponseBody(bytes, key, version);
  if (key == kTxnOffsetCommit || version >= 3) r.Skip(4);  // throttle time
  return ReadCommitTopics(r, NamesTopicsById(key, version), cut, out, [&r] { return r.Int16(); });
}

std::string_view GroupOf(std::string_view body, std::int16_t key, std::int16_t version) {
  if (UseOf(key) != Use::kGroup) return {};
  WireReader r(body, IsFlexible(key, version));
  if (key == kTxnOffsetCommit) r.String();
  return r.String();
}

std::int16_t ErrorOf(std::string_view bytes, std::int16_t key, std::int16_t version) {
  WireReader r = detail::ResponseBody(bytes, key, version);
  switch (key) {
    case kApiVersions: return r.Int16();
    case kConsumerGroupHeartbeat: r.Skip(4); return r.Int16();
    case kHeartbeat:
    case kLeaveGroup:
    case kSyncGroup:
      if (version >= 1) r.Skip(4);
      return r.Int16();
    case kJoinGroup:
      if (version >= 2) r.Skip(4);
      return r.Int16();
    default: return 0;
  }
}

}  // namespace probed::mod::kafka
