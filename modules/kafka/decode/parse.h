// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Bytes of one message, without its size, to what the module needs of it. `cut`: bytes are missing at the end; messages
// that hold records may have holes as well. kOk: all of it was read, or up to the cut (Topics::complete says which);
// kInvalid: these are no such bytes.
#pragma once

#include <cstdint>
#include <string_view>

#include "api/sdk/parse_state.h"
#include "modules/kafka/decode/api.h"
#include "modules/kafka/decode/types.h"

namespace probed::mod::kafka {

/// The head of a request; `body` is what follows it.
sdk::ParseState ParseRequestHead(std::string_view bytes, RequestHead* out, std::string_view* body);
/// The first four bytes of a response.
std::int32_t CorrelationOf(std::string_view bytes);

sdk::ParseState ParseProduceRequest(const Seen& body, std::int16_t version, Topics* out);
/// Responses begin with their header.
sdk::ParseState ParseProduceResponse(std::string_view bytes, std::int16_t version, bool cut, Topics* out);
sdk::ParseState ParseFetchResponse(const Seen& seen, std::int16_t version, Topics* out);

/// A topic of a Metadata response that has both.
struct NamedTopic {
  Uuid id;
  std::string_view name;
};
/// Calls `found(NamedTopic)` for each.
template <class Found>
sdk::ParseState ParseMetadataResponse(std::string_view bytes, std::int16_t version, bool cut, Found&& found);

/// OffsetCommit and TxnOffsetCommit (`key`): their topics and partitions, of a response with the errors.
sdk::ParseState ParseCommitRequest(std::string_view body, std::int16_t key, std::int16_t version, bool cut,
                                   Topics* out);
sdk::ParseState ParseCommitResponse(std::string_view bytes, std::int16_t key, std::int16_t version, bool cut,
                                    Topics* out);

/// messaging.consumer.group.name of a request of a group; empty: none, or cut off.
std::string_view GroupOf(std::string_view body, std::int16_t key, std::int16_t version);
/// The error of a response that has one for all of it; 0 where the module knows of none.
std::int16_t ErrorOf(std::string_view bytes, std::int16_t key, std::int16_t version);

namespace detail {

inline WireReader ResponseBody(const Seen& seen, std::int16_t key, std::int16_t version) {
  WireReader r(seen, IsFlexible(key, version));
  r.Skip(4);
  if (key != kApiVersions) r.Tags();  // its header is always the oldest: a client does not know the broker yet
  return r;
}
inline WireReader ResponseBody(std::string_view bytes, std::int16_t key, std::int16_t version) {
  return ResponseBody(Seen{.bytes = bytes}, key, version);
}

/// Reads what names a topic, and starts its entry. nullptr: one too many.
Topic* BeginTopic(WireReader& r, bool by_id, Topics* out);
/// How many partitions follow.
std::int64_t BeginPartitions(WireReader& r, Topic& topic);
void NotePartition(Topic& topic, std::int32_t partition, std::int16_t error);
/// What is left when reading ended at the cut, or in a hole. A message that ends in the records of its last partition
/// was read as far as it matters, if they could be counted.
sdk::ParseState Settle(WireReader& r, const Seen& seen, bool only_the_end_missing, Topics* out);

void SkipBrokers(WireReader& r, std::int16_t version);
void SkipMetadataPartitions(WireReader& r, std::int16_t version);

}  // namespace detail

template <class Found>
sdk::ParseState ParseMetadataResponse(std::string_view bytes, std::int16_t version, bool cut, Found&& found) {
  WireReader r = detail::ResponseBody(bytes, kMetadata, version);
  detail::SkipBrokers(r, version);
  for (std::int64_t left = r.ArrayCount(); left > 0 && r.ok(); --left) {
    NamedTopic topic{};
    r.Skip(2);
    topic.name = r.String();
    if (version >= 10) topic.id = r.Id();
    if (version >= 1) r.Skip(1);
    if (r.ok() && !topic.name.empty() && topic.id != Uuid{}) found(topic);
    detail::SkipMetadataPartitions(r, version);
    if (version >= 8) r.Skip(4);
    r.Tags();
  }
  if (version >= 8 && version <= 10) r.Skip(4);
  if (version >= 13) r.Skip(2);
  r.Tags();
  // The names are known, whatever stands behind them: the test broker of librdkafka 2.8 sends a byte too many.
  return cut || r.ok() ? sdk::ParseState::kOk : sdk::ParseState::kInvalid;
}

}  // namespace probed::mod::kafka
