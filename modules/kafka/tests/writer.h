// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Writes Kafka messages for tests, field by field after the protocol's definitions and without the module's reader.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "modules/kafka/decode/wire.h"

namespace probed::mod::kafka::testing {

/// Bytes in network order; compact types and tagged fields where `flexible`.
class Writer {
 public:
  explicit Writer(bool flexible = false) : flexible_(flexible) {}

  Writer& I8(std::int64_t v) { return Number(v, 1); }
  Writer& I16(std::int64_t v) { return Number(v, 2); }
  Writer& I32(std::int64_t v) { return Number(v, 4); }
  Writer& I64(std::int64_t v) { return Number(v, 8); }
  Writer& Raw(std::string_view bytes) {
    bytes_.append(bytes);
    return *this;
  }
  Writer& Unsigned(std::uint64_t v) {
    for (; v >= 0x80; v >>= 7U) bytes_ += static_cast<char>(v | 0x80U);
    bytes_ += static_cast<char>(v);
    return *this;
  }
  Writer& Zigzag(std::int64_t v) {
    return Unsigned((static_cast<std::uint64_t>(v) << 1U) ^ static_cast<std::uint64_t>(v >> 63U));
  }
  Writer& String(std::string_view text) {
    flexible_ ? Unsigned(text.size() + 1) : I16(static_cast<std::int64_t>(text.size()));
    return Raw(text);
  }
  Writer& NullString() { return flexible_ ? Unsigned(0) : I16(-1); }
  Writer& Bytes(std::string_view bytes) {
    flexible_ ? Unsigned(bytes.size() + 1) : I32(static_cast<std::int64_t>(bytes.size()));
    return Raw(bytes);
  }
  Writer& NullBytes() { return flexible_ ? Unsigned(0) : I32(-1); }
  Writer& Count(std::size_t count) { return flexible_ ? Unsigned(count + 1) : I32(static_cast<std::int64_t>(count)); }
  Writer& Id(const Uuid& id) { return Raw({reinterpret_cast<const char*>(id.data()), id.size()}); }
  /// An empty section of tagged fields, or one with a field nobody knows.
  Writer& Tags(bool one = false) {
    if (!flexible_) return *this;
    if (!one) return Unsigned(0);
    return Unsigned(1).Unsigned(77).Unsigned(3).Raw("tag");
  }
  const std::string& bytes() const { return bytes_; }

 private:
  Writer& Number(std::int64_t value, unsigned size) {
    for (unsigned i = size; i-- > 0;) bytes_ += static_cast<char>(static_cast<std::uint64_t>(value) >> (8 * i));
    return *this;
  }

  bool flexible_;
  std::string bytes_;
};

inline std::string Sized(const std::string& message) {
  return Writer().I32(static_cast<std::int64_t>(message.size())).bytes() + message;
}

inline std::string RequestHeader(int key, int version, bool flexible, int correlation,
                                 std::string_view client = "client-1") {
  Writer w(flexible);
  w.I16(key).I16(version).I32(correlation).I16(static_cast<std::int64_t>(client.size())).Raw(client).Tags();
  return w.bytes();
}
inline std::string ResponseHeader(bool flexible, int correlation) {
  return Writer(flexible).I32(correlation).Tags().bytes();
}

// --- records --------------------------------------------------------------------------------------------------------

struct TestRecord {
  std::optional<std::string> key{};
  std::optional<std::string> value = "value";
  std::vector<std::pair<std::string, std::string>> headers{};
};

inline std::string RecordBytes(const TestRecord& record, int delta) {
  Writer w;
  w.I8(0).Zigzag(delta).Zigzag(delta);
  for (const auto& text : {record.key, record.value}) {
    w.Zigzag(text ? static_cast<std::int64_t>(text->size()) : -1);
    if (text) w.Raw(*text);
  }
  w.Zigzag(static_cast<std::int64_t>(record.headers.size()));
  for (const auto& [name, value] : record.headers) {
    w.Zigzag(static_cast<std::int64_t>(name.size())).Raw(name);
    w.Zigzag(static_cast<std::int64_t>(value.size())).Raw(value);
  }
  return Writer().Zigzag(static_cast<std::int64_t>(w.bytes().size())).bytes() + w.bytes();
}

inline std::string BatchOf(std::string_view records, int count, std::int64_t base_offset, int attributes) {
  Writer tail;
  tail.I32(-1).I8(2).I32(0x12345678);  // leader epoch, magic, crc
  tail.I16(attributes).I32(count - 1).I64(1'700'000'000'000).I64(1'700'000'000'000);
  tail.I64(-1).I16(-1).I32(-1).I32(count).Raw(records);
  return Writer().I64(base_offset).I32(static_cast<std::int64_t>(tail.bytes().size())).bytes() + tail.bytes();
}

inline std::string Batch(const std::vector<TestRecord>& records, std::int64_t base_offset = 0, int attributes = 0) {
  std::string bytes;
  int delta = 0;
  for (const TestRecord& record : records) bytes += RecordBytes(record, delta++);
  return BatchOf(bytes, delta, base_offset, attributes);
}

/// The records' bytes mean nothing to anybody.
inline std::string CompressedBatch(int count, std::int64_t base_offset = 0) {
  return BatchOf("\x28\xb5\x2f\xfd not for us", count, base_offset, 4);
}

// --- messages -------------------------------------------------------------------------------------------------------

struct TestPartition {
  int index = 0;
  std::string records{};
  int error = 0;
  std::int64_t offset = 0;
};
struct TestTopic {
  std::string name;
  std::vector<TestPartition> partitions;
  Uuid id{};
};

inline void WriteTopicName(Writer& w, const TestTopic& topic, int version) {
  version >= 13 ? w.Id(topic.id) : w.String(topic.name);
}

inline std::string ProduceRequest(int version, int correlation, const std::vector<TestTopic>& topics, int acks = -1) {
  const bool flexible = version >= 9;
  Writer w(flexible);
  if (version >= 3) w.NullString();
  w.I16(acks).I32(30000).Count(topics.size());
  for (const TestTopic& topic : topics) {
    WriteTopicName(w, topic, version);
    w.Count(topic.partitions.size());
    for (const TestPartition& partition : topic.partitions) w.I32(partition.index).Bytes(partition.records).Tags();
    w.Tags();
  }
  w.Tags();
  return Sized(RequestHeader(0, version, flexible, correlation) + w.bytes());
}

inline std::string ProduceResponse(int version, int correlation, const std::vector<TestTopic>& topics) {
  const bool flexible = version >= 9;
  Writer w(flexible);
  w.Count(topics.size());
  for (const TestTopic& topic : topics) {
    WriteTopicName(w, topic, version);
    w.Count(topic.partitions.size());
    for (const TestPartition& partition : topic.partitions) {
      w.I32(partition.index).I16(partition.error).I64(partition.offset);
      if (version >= 2) w.I64(-1);
      if (version >= 5) w.I64(0);
      if (version >= 8) w.Count(1).I32(0).NullString().Tags().String("message");
      w.Tags(true);
    }
    w.Tags();
  }
  if (version >= 1) w.I32(0);
  w.Tags();
  return Sized(ResponseHeader(flexible, correlation) + w.bytes());
}

inline std::string FetchRequest(int version, int correlation) {
  const bool flexible = version >= 12;
  Writer w(flexible);
  if (version <= 14) w.I32(-1);
  w.I32(500).I32(1);
  if (version >= 3) w.I32(1 << 20);
  if (version >= 4) w.I8(0);
  if (version >= 7) w.I32(0).I32(0);
  w.Count(0);
  if (version >= 7) w.Count(0);
  if (version >= 11) w.String("");
  w.Tags();
  return Sized(RequestHeader(1, version, flexible, correlation) + w.bytes());
}

/// `aborted`: transactions of each partition.
inline std::string FetchResponse(int version, int correlation, const std::vector<TestTopic>& topics, int error = 0,
                                 int aborted = 1) {
  const bool flexible = version >= 12;
  Writer w(flexible);
  if (version >= 1) w.I32(0);
  if (version >= 7) w.I16(error).I32(4711);
  w.Count(topics.size());
  for (const TestTopic& topic : topics) {
    WriteTopicName(w, topic, version);
    w.Count(topic.partitions.size());
    for (const TestPartition& partition : topic.partitions) {
      w.I32(partition.index).I16(partition.error).I64(100);
      if (version >= 4) w.I64(100);
      if (version >= 5) w.I64(0);
      if (version >= 4) w.Count(static_cast<std::size_t>(aborted));
      for (int i = 0; version >= 4 && i < aborted; ++i) w.I64(7).I64(8).Tags();
      if (version >= 11) w.I32(-1);
      w.Bytes(partition.records).Tags(true);
    }
    w.Tags();
  }
  w.Tags();
  return Sized(ResponseHeader(flexible, correlation) + w.bytes());
}

constexpr int kCommit = 8;
constexpr int kCommitOfTransaction = 28;

inline void WriteCommitTopics(Writer& w, int key, int version, const std::vector<TestTopic>& topics, bool response) {
  w.Count(topics.size());
  for (const TestTopic& topic : topics) {
    key == kCommit&& version >= 10 ? w.Id(topic.id) : w.String(topic.name);
    w.Count(topic.partitions.size());
    for (const TestPartition& partition : topic.partitions) {
      w.I32(partition.index);
      if (response) {
        w.I16(partition.error).Tags();
        continue;
      }
      w.I64(partition.offset);
      if (version >= (key == kCommit ? 6 : 2)) w.I32(3);
      if (key == kCommit && version == 1) w.I64(1'700'000'000'000);
      w.String("metadata").Tags();
    }
    w.Tags(true);
  }
  w.Tags();
}

inline bool CommitIsFlexible(int key, int version) { return version >= (key == kCommit ? 8 : 3); }

inline std::string CommitRequest(int key, int version, int correlation, const std::vector<TestTopic>& topics) {
  const bool flexible = CommitIsFlexible(key, version);
  Writer w(flexible);
  if (key == kCommit) {
    w.String("group-1");
    if (version >= 1) w.I32(5).String("member");
    if (version >= 7) w.NullString();
    if (version >= 2 && version <= 4) w.I64(-1);
  } else {
    w.String("transaction").String("group-1").I64(4711).I16(2);
    if (version >= 3) w.I32(5).String("member").NullString();
  }
  WriteCommitTopics(w, key, version, topics, false);
  return Sized(RequestHeader(key, version, flexible, correlation) + w.bytes());
}

inline std::string CommitResponse(int key, int version, int correlation, const std::vector<TestTopic>& topics) {
  const bool flexible = CommitIsFlexible(key, version);
  Writer w(flexible);
  if (key == kCommitOfTransaction || version >= 3) w.I32(0);
  WriteCommitTopics(w, key, version, topics, true);
  return Sized(ResponseHeader(flexible, correlation) + w.bytes());
}

inline std::string MetadataRequest(int version, int correlation) {
  Writer w(version >= 9);
  w.Count(0);
  if (version >= 4) w.I8(1);
  if (version >= 8 && version <= 10) w.I8(0);
  if (version >= 8) w.I8(0);
  w.Tags();
  return Sized(RequestHeader(3, version, version >= 9, correlation) + w.bytes());
}

inline std::string MetadataResponse(int version, int correlation, const std::vector<TestTopic>& topics) {
  Writer w(version >= 9);
  if (version >= 3) w.I32(0);
  w.Count(1).I32(1).String("localhost").I32(9092);
  if (version >= 1) w.NullString();
  w.Tags();
  if (version >= 2) w.String("cluster");
  if (version >= 1) w.I32(1);
  w.Count(topics.size());
  for (const TestTopic& topic : topics) {
    w.I16(0).String(topic.name);
    if (version >= 10) w.Id(topic.id);
    if (version >= 1) w.I8(0);
    w.Count(1).I16(0).I32(0).I32(1);
    if (version >= 7) w.I32(5);
    w.Count(2).I32(1).I32(2).Count(1).I32(1);
    if (version >= 5) w.Count(0);
    w.Tags();
    if (version >= 8) w.I32(-1);
    w.Tags();
  }
  if (version >= 8 && version <= 10) w.I32(-1);
  if (version >= 13) w.I16(0);
  w.Tags();
  return Sized(ResponseHeader(version >= 9, correlation) + w.bytes());
}

}  // namespace probed::mod::kafka::testing
