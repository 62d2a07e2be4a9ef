// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Which of the two protocols a stream speaks: its first bytes are kept until they say so, and the protocol's own
// decoder gets them then.
#pragma once

#include <array>
#include <cstdint>
#include <variant>

#include "api/sdk/generations.h"
#include "api/sdk/host.h"
#include "modules/sql/config.h"
#include "modules/sql/decode/my_stitch.h"
#include "modules/sql/decode/pg_stitch.h"

namespace probed::mod::sql {

/// The first bytes of a direction.
struct FirstBytes {
  probe_segment_t segment;  // the record they came with first
  std::array<unsigned char, PG_HEAD_BYTES> bytes;
  std::uint8_t size;
};

/// A stream whose protocol is not known yet.
struct Undecided {
  std::array<FirstBytes, 2> first;
  std::uint8_t undecodable;  // records none of which said anything
  bool given_away;
};

using StreamState = std::variant<Undecided, pg::Connection, my::Connection>;

/// One per shard. [shard]
class Decoder {
 public:
  Decoder(const Keys& keys, const sdk::Generations<Config>& configs, sdk::ShardHost host)
      : pg_(keys, configs, host), my_(keys, configs, host) {}

  void OnSegment(sdk::Stream stream, StreamState& state, const probe_segment_t& segment);
  void OnGap(sdk::Stream stream, StreamState& state, std::uint8_t direction, std::uint64_t offset,
             std::uint64_t length);
  void OnClose(sdk::Stream stream, StreamState& state, std::uint32_t reason, std::uint64_t ktime_ns);
  std::uint32_t OldestGeneration() const;

 private:
  void Choose(sdk::Stream stream, StreamState& state, const probe_segment_t& segment);
  void ResumeFrom(sdk::Stream stream, StreamState& state, const FirstBytes& first);

  pg::Stitcher pg_;
  my::Stitcher my_;
};

}  // namespace probed::mod::sql
