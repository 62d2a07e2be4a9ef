// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// What is known of each request of the protocol: its number, since which version its messages are flexible, and what
// the module makes of it. Numbers and versions: https://kafka.apache.org/protocol, up to Kafka 4.1.
#pragma once

#include <cstdint>
#include <string_view>

namespace probed::mod::kafka {

enum Api : std::int16_t {  // those with rules of their own; others are numbers
  kProduce = 0,
  kFetch = 1,
  kMetadata = 3,
  kOffsetCommit = 8,
  kJoinGroup = 11,
  kHeartbeat = 12,
  kLeaveGroup = 13,
  kSyncGroup = 14,
  kApiVersions = 18,
  kTxnOffsetCommit = 28,
  kConsumerGroupHeartbeat = 68,
};

/// Header 2 of requests and header 1 of responses, compact types and tagged fields.
bool IsFlexible(std::int16_t key, std::int16_t version);
/// Whether the module knows the layout of what it reads of that version behind the header.
bool IsKnownLayout(std::int16_t key, std::int16_t version);

/// Which spans a request may become.
enum class Use : std::uint8_t {
  kMessages,  // Produce and Fetch
  kGroup,     // of consumer groups, commits too: optional
  kCluster,   // Metadata, ApiVersions: optional
  kNone,      // no span
};
Use UseOf(std::int16_t key);
/// OffsetCommit and its like of a transaction.
bool IsCommit(std::int16_t key);

/// messaging.operation.name: "send", "poll", "commit", "heartbeat", …
std::string_view OperationName(std::int16_t key);
/// messaging.operation.type; empty: none.
std::string_view OperationType(std::int16_t key);
/// Name of a protocol error, as in the protocol's table; empty for 0. "UNKNOWN_SERVER_ERROR" is -1; what the table
/// lacks is "_OTHER".
std::string_view ErrorName(std::int16_t code);

}  // namespace probed::mod::kafka
