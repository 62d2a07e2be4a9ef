// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// The rules: what a request and its response become (stitch.cc), and how messages are found in a stream
// (stitch_stream.cc). One per shard. [shard]
#pragma once

#include <cstdint>
#include <string_view>

#include "api/sdk/framed_stream.h"
#include "api/sdk/generations.h"
#include "api/sdk/host.h"
#include "modules/kafka/bpf/kafka_classify.h"
#include "modules/kafka/decode/connection.h"
#include "modules/kafka/decode/emit.h"
#include "modules/kafka/decode/topic_names.h"

namespace probed::mod::kafka {

class Stitcher : public sdk::FramedReader<Stitcher, Connection> {
 public:
  static constexpr std::uint32_t kUndecodableBeforeGivingUp = 16;  // records, on a stream that never showed a request

  Stitcher(const Keys& keys, TopicNames& names, const sdk::Generations<Config>& configs)
      : emitter_(keys, names), names_(names), configs_(configs) {}

  void OnClose(sdk::Stream stream, Connection& connection, std::uint32_t reason, std::uint64_t ktime_ns);

 private:
  friend FramedReader;

  /// A message without its size.
  struct Message {
    std::string_view bytes;
    Arrival arrival;
    bool cut;  // bytes are missing at its end, or in it
    Seen seen;
  };

  // stitch.cc: what the message is counted as, or kUsed
  probe_reason OnMessage(sdk::Stream stream, Connection& connection, const Message& message);
  probe_reason OnRequest(sdk::Stream stream, Connection& connection, const Message& message);
  probe_reason OnResponse(sdk::Stream stream, Connection& connection, const Message& message);
  bool ReadRequest(const Message& message, std::string_view body, Request* out);
  probe_reason AddRequest(sdk::Stream stream, Connection& connection, const Request& read);
  probe_reason EndRequest(sdk::Stream stream, Request& request, const Message& message);
  probe_reason EndProduce(sdk::Stream stream, Request& request, const Message& message);
  probe_reason EndFetch(sdk::Stream stream, Request& request, const Message& message);
  probe_reason EndCommit(sdk::Stream stream, Request& request, const Message& message);
  probe_reason EndOther(sdk::Stream stream, Request& request, const Message& message);
  void EmitTopics(sdk::Stream stream, const Request& request, std::span<const Topic> topics, Operation base);
  void EndWithoutResponse(sdk::Stream stream, Request& request, std::string_view error, std::uint64_t end_ns);
  void EndAtClose(sdk::Stream stream, Request& request, std::uint32_t reason, std::uint64_t ktime_ns);
  void AbortUpTo(sdk::Stream stream, Connection& connection, const Request& request);
  void DropAll(sdk::Stream stream, Connection& connection);
  void Remove(sdk::Stream stream, Connection& connection, Request& request);

  // stitch_stream.cc: for FramedReader
  static constexpr std::size_t kPrefix = KFK_SIZE_BYTES;
  static constexpr std::size_t kLongest = std::size_t{320} << 10U;
  static constexpr bool kReadsBehindHoles = true;
  static std::uint64_t SizeOf(std::string_view view) {
    return kPrefix + kfk_u32(reinterpret_cast<const unsigned char*>(view.data()));
  }
  static bool BeginsWithMessage(sdk::Stream, std::uint64_t) { return false; }
  static int LookAt(const Reading& r, std::string_view view);
  static std::size_t Search(Reading& r, std::string_view view);
  static bool IsPacked(const probe_segment_t& segment) { return (segment.hint & KFK_HINT_PACKED) != 0; }
  template <class Take>
  static void Unpack(const probe_segment_t& segment, Take&& take);
  probe_reason OnFramed(Reading& r, std::string_view bytes, const Arrival& arrival, bool cut,
                        std::span<const sdk::Hole> holes);
  static void OnLost(Reading& r);
  static void OnSettled(Reading& r);

  Emitter emitter_;
  TopicNames& names_;
  const sdk::Generations<Config>& configs_;
  Topics topics_;  // of the message at hand
};

/// Of each piece: how much was left out before it and its length (four bytes each, little endian), its bytes.
template <class Take>
void Stitcher::Unpack(const probe_segment_t& segment, Take&& take) {
  std::string_view bytes(reinterpret_cast<const char*>(segment.bytes), segment.captured);
  sdk::ByteReader r(bytes);
  std::uint32_t left_out = 0;
  std::uint32_t size = 0;
  std::string_view piece;
  while (r.ReadLittleEndian(&left_out) && r.ReadLittleEndian(&size) && r.Read(size, &piece)) {
    if (!take(left_out, piece)) return;
  }
}

}  // namespace probed::mod::kafka
