// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "modules/kafka/decode/api.h"

#include <array>
#include <cstddef>

namespace probed::mod::kafka {
namespace {

constexpr std::int8_t kNever = 127;

// First flexible version by api key, 0 to 49. Later keys are flexible from their first version on, but for those in
// IsFlexible.
constexpr std::array<std::int8_t, 50> kFirstFlexible = {
    9,       // 0 Produce
    12,      // 1 Fetch
    6,       // 2 ListOffsets
    9,       // 3 Metadata
    4,       // 4 LeaderAndIsr
    2,       // 5 StopReplica
    6,       // 6 UpdateMetadata
    3,       // 7 ControlledShutdown
    8,       // 8 OffsetCommit
    6,       // 9 OffsetFetch
    3,       // 10 FindCoordinator
    6,       // 11 JoinGroup
    4,       // 12 Heartbeat
    4,       // 13 LeaveGroup
    4,       // 14 SyncGroup
    5,       // 15 DescribeGroups
    3,       // 16 ListGroups
    kNever,  // 17 SaslHandshake
    3,       // 18 ApiVersions
    5,       // 19 CreateTopics
    4,       // 20 DeleteTopics
    2,       // 21 DeleteRecords
    2,       // 22 InitProducerId
    4,       // 23 OffsetForLeaderEpoch
    3,       // 24 AddPartitionsToTxn
    3,       // 25 AddOffsetsToTxn
    3,       // 26 EndTxn
    1,       // 27 WriteTxnMarkers
    3,       // 28 TxnOffsetCommit
    2,       // 29 DescribeAcls
    2,       // 30 CreateAcls
    2,       // 31 DeleteAcls
    4,       // 32 DescribeConfigs
    2,       // 33 AlterConfigs
    2,       // 34 AlterReplicaLogDirs
    2,       // 35 DescribeLogDirs
    2,       // 36 SaslAuthenticate
    2,       // 37 CreatePartitions
    2,       // 38 CreateDelegationToken
    2,       // 39 RenewDelegationToken
    2,       // 40 ExpireDelegationToken
    2,       // 41 DescribeDelegationToken
    2,       // 42 DeleteGroups
    2,       // 43 ElectLeaders
    1,       // 44 IncrementalAlterConfigs
    0,       // 45 AlterPartitionReassignments
    0,       // 46 ListPartitionReassignments
    kNever,  // 47 OffsetDelete
    1,       // 48 DescribeClientQuotas
    1,       // 49 AlterClientQuotas
};

constexpr std::int16_t kBeginQuorumEpoch = 53;
constexpr std::int16_t kEndQuorumEpoch = 54;

// By code, from -1 on.
constexpr std::array<std::string_view, 135> kErrors = {
    "UNKNOWN_SERVER_ERROR",
    "",
    "OFFSET_OUT_OF_RANGE",
    "CORRUPT_MESSAGE",
    "UNKNOWN_TOPIC_OR_PARTITION",
    "INVALID_FETCH_SIZE",
    "LEADER_NOT_AVAILABLE",
    "NOT_LEADER_OR_FOLLOWER",
    "REQUEST_TIMED_OUT",
    "BROKER_NOT_AVAILABLE",
    "REPLICA_NOT_AVAILABLE",
    "MESSAGE_TOO_LARGE",  // 10
    "STALE_CONTROLLER_EPOCH",
    "OFFSET_METADATA_TOO_LARGE",
    "NETWORK_EXCEPTION",
    "COORDINATOR_LOAD_IN_PROGRESS",
    "COORDINATOR_NOT_AVAILABLE",
    "NOT_COORDINATOR",
    "INVALID_TOPIC_EXCEPTION",
    "RECORD_LIST_TOO_LARGE",
    "NOT_ENOUGH_REPLICAS",
    "NOT_ENOUGH_REPLICAS_AFTER_APPEND",  // 20
    "INVALID_REQUIRED_ACKS",
    "ILLEGAL_GENERATION",
    "INCONSISTENT_GROUP_PROTOCOL",
    "INVALID_GROUP_ID",
    "UNKNOWN_MEMBER_ID",
    "INVALID_SESSION_TIMEOUT",
    "REBALANCE_IN_PROGRESS",
    "INVALID_COMMIT_OFFSET_SIZE",
    "TOPIC_AUTHORIZATION_FAILED",
    "GROUP_AUTHORIZATION_FAILED",  // 30
    "CLUSTER_AUTHORIZATION_FAILED",
    "INVALID_TIMESTAMP",
    "UNSUPPORTED_SASL_MECHANISM",
    "ILLEGAL_SASL_STATE",
    "UNSUPPORTED_VERSION",
    "TOPIC_ALREADY_EXISTS",
    "INVALID_PARTITIONS",
    "INVALID_REPLICATION_FACTOR",
    "INVALID_REPLICA_ASSIGNMENT",
    "INVALID_CONFIG",  // 40
    "NOT_CONTROLLER",
    "INVALID_REQUEST",
    "UNSUPPORTED_FOR_MESSAGE_FORMAT",
    "POLICY_VIOLATION",
    "OUT_OF_ORDER_SEQUENCE_NUMBER",
    "DUPLICATE_SEQUENCE_NUMBER",
    "INVALID_PRODUCER_EPOCH",
    "INVALID_TXN_STATE",
    "INVALID_PRODUCER_ID_MAPPING",
    "INVALID_TRANSACTION_TIMEOUT",  // 50
    "CONCURRENT_TRANSACTIONS",
    "TRANSACTION_COORDINATOR_FENCED",
    "TRANSACTIONAL_ID_AUTHORIZATION_FAILED",
    "SECURITY_DISABLED",
    "OPERATION_NOT_ATTEMPTED",
    "KAFKA_STORAGE_ERROR",
    "LOG_DIR_NOT_FOUND",
    "SASL_AUTHENTICATION_FAILED",
    "UNKNOWN_PRODUCER_ID",
    "REASSIGNMENT_IN_PROGRESS",  // 60
    "DELEGATION_TOKEN_AUTH_DISABLED",
    "DELEGATION_TOKEN_NOT_FOUND",
    "DELEGATION_TOKEN_OWNER_MISMATCH",
    "DELEGATION_TOKEN_REQUEST_NOT_ALLOWED",
    "DELEGATION_TOKEN_AUTHORIZATION_FAILED",
    "DELEGATION_TOKEN_EXPIRED",
    "INVALID_PRINCIPAL_TYPE",
    "NON_EMPTY_GROUP",
    "GROUP_ID_NOT_FOUND",
    "FETCH_SESSION_ID_NOT_FOUND",  // 70
    "INVALID_FETCH_SESSION_EPOCH",
    "LISTENER_NOT_FOUND",
    "TOPIC_DELETION_DISABLED",
    "FENCED_LEADER_EPOCH",
    "UNKNOWN_LEADER_EPOCH",
    "UNSUPPORTED_COMPRESSION_TYPE",
    "STALE_BROKER_EPOCH",
    "OFFSET_NOT_AVAILABLE",
    "MEMBER_ID_REQUIRED",
    "PREFERRED_LEADER_NOT_AVAILABLE",  // 80
    "GROUP_MAX_SIZE_REACHED",
    "FENCED_INSTANCE_ID",
    "ELIGIBLE_LEADERS_NOT_AVAILABLE",
    "ELECTION_NOT_NEEDED",
    "NO_REASSIGNMENT_IN_PROGRESS",
    "GROUP_SUBSCRIBED_TO_TOPIC",
    "INVALID_RECORD",
    "UNSTABLE_OFFSET_COMMIT",
    "THROTTLING_QUOTA_EXCEEDED",
    "PRODUCER_FENCED",  // 90
    "RESOURCE_NOT_FOUND",
    "DUPLICATE_RESOURCE",
    "UNACCEPTABLE_CREDENTIAL",
    "INCONSISTENT_VOTER_SET",
    "INVALID_UPDATE_VERSION",
    "FEATURE_UPDATE_FAILED",
    "PRINCIPAL_DESERIALIZATION_FAILURE",
    "SNAPSHOT_NOT_FOUND",
    "POSITION_OUT_OF_RANGE",
    "UNKNOWN_TOPIC_ID",  // 100
    "DUPLICATE_BROKER_REGISTRATION",
    "BROKER_ID_NOT_REGISTERED",
    "INCONSISTENT_TOPIC_ID",
    "INCONSISTENT_CLUSTER_ID",
    "TRANSACTIONAL_ID_NOT_FOUND",
    "FETCH_SESSION_TOPIC_ID_ERROR",
    "INELIGIBLE_REPLICA",
    "NEW_LEADER_ELECTED",
    "OFFSET_MOVED_TO_TIERED_STORAGE",
    "FENCED_MEMBER_EPOCH",  // 110
    "UNRELEASED_INSTANCE_ID",
    "UNSUPPORTED_ASSIGNOR",
    "STALE_MEMBER_EPOCH",
    "MISMATCHED_ENDPOINT_TYPE",
    "UNSUPPORTED_ENDPOINT_TYPE",
    "UNKNOWN_CONTROLLER_ID",
    "UNKNOWN_SUBSCRIPTION_ID",
    "TELEMETRY_TOO_LARGE",
    "INVALID_REGISTRATION",
    "TRANSACTION_ABORTABLE",  // 120
    "INVALID_RECORD_STATE",
    "SHARE_SESSION_NOT_FOUND",
    "INVALID_SHARE_SESSION_EPOCH",
    "FENCED_STATE_EPOCH",
    "INVALID_VOTER_KEY",
    "DUPLICATE_VOTER",
    "VOTER_NOT_FOUND",
    "INVALID_REGULAR_EXPRESSION",
    "REBOOTSTRAP_REQUIRED",
    "STREAMS_INVALID_TOPOLOGY",  // 130
    "STREAMS_INVALID_TOPOLOGY_EPOCH",
    "STREAMS_TOPOLOGY_FENCED",
    "SHARE_SESSION_LIMIT_REACHED",
};
static_assert(kErrors[101] == "UNKNOWN_TOPIC_ID" && kErrors[131] == "STREAMS_INVALID_TOPOLOGY");

}  // namespace

bool IsFlexible(std::int16_t key, std::int16_t version) {
  if (key < 0) return false;
  const auto index = static_cast<std::size_t>(key);
  if (index < kFirstFlexible.size()) return version >= kFirstFlexible[index];
  if (key == kBeginQuorumEpoch || key == kEndQuorumEpoch) return version >= 1;
  return true;
}

bool IsKnownLayout(std::int16_t key, std::int16_t version) {
  switch (key) {
    case kProduce: return version <= 13;
    case kFetch: return version <= 18;
    case kMetadata: return version <= 13;
    case kOffsetCommit: return version <= 10;
    case kTxnOffsetCommit: return version <= 5;
    default: return true;
  }
}

bool IsCommit(std::int16_t key) { return key == kOffsetCommit || key == kTxnOffsetCommit; }

Use UseOf(std::int16_t key) {
  switch (key) {
    case kProduce:
    case kFetch: return Use::kMessages;
    case kOffsetCommit:
    case kTxnOffsetCommit:
    case kJoinGroup:
    case kHeartbeat:
    case kLeaveGroup:
    case kSyncGroup:
    case kConsumerGroupHeartbeat: return Use::kGroup;
    case kMetadata:
    case kApiVersions: return Use::kCluster;
    default: return Use::kNone;
  }
}

std::string_view OperationName(std::int16_t key) {
  switch (key) {
    case kProduce: return "send";
    case kFetch: return "poll";
    case kOffsetCommit:
    case kTxnOffsetCommit: return "commit";
    case kJoinGroup: return "join_group";
    case kHeartbeat:
    case kConsumerGroupHeartbeat: return "heartbeat";
    case kLeaveGroup: return "leave_group";
    case kSyncGroup: return "sync_group";
    case kMetadata: return "metadata";
    case kApiVersions: return "api_versions";
    default: return "_OTHER";
  }
}

std::string_view OperationType(std::int16_t key) {
  switch (key) {
    case kProduce: return "send";
    case kFetch: return "receive";
    case kOffsetCommit:
    case kTxnOffsetCommit: return "settle";
    default: return {};
  }
}

std::string_view ErrorName(std::int16_t code) {
  const int index = code + 1;
  if (code == 0) return {};
  if (index < 0 || static_cast<std::size_t>(index) >= kErrors.size()) return "_OTHER";
  const std::string_view name = kErrors[static_cast<std::size_t>(index)];
  return name.empty() ? "_OTHER" : name;
}

}  // namespace probed::mod::kafka
