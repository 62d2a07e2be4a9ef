// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Frames to exchanges: one PING is answered before the next one is sent. Whoever sends PING is the client.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "api/sdk/host.h"
#include "api/sdk/span_builder.h"
#include "api/sdk/stream_buffer.h"
#include "decode/parse.h"

namespace probed::mod::ping {

/// What one configuration says. Immutable.
struct Config {
  std::uint32_t capture_bytes = 256;
  bool capture_word = true;
};

/// Ids given by the host. [control]
struct Keys {
  explicit Keys(sdk::Host host) : word(host.InternKey("ping.word")), duration(host.InternInstrument("ping.duration")) {}
  std::uint32_t word;
  std::uint32_t duration;
};

/// One per stream; zeroed memory is a stream of which nothing is known.
struct Connection {
  std::array<sdk::StreamBuffer, 2> buffers;  // by enum probe_direction
  std::uint64_t exchange;                    // 0: none open
  std::uint64_t start_ns;
  const Config* config;
  std::uint32_t generation;
  std::uint8_t kind;  // enum probe_span_kind
  std::uint8_t word_size;
  char word[64];
};

/// One per shard. [shard]
class Stitcher {
 public:
  explicit Stitcher(const Keys& keys) : keys_(keys) {}

  /// `config`: the one of the segment's generation.
  void OnSegment(sdk::Stream stream, Connection& connection, const probe_segment_t& segment, const Config& config);
  void OnGap(sdk::Stream stream, Connection& connection, std::uint8_t direction);
  void OnClose(sdk::Stream stream, Connection& connection, std::uint32_t reason, std::uint64_t ktime_ns);

 private:
  bool OnFrame(sdk::Stream stream, Connection& connection, const probe_segment_t& segment, const Frame& frame,
               const Config& config);
  void Open(sdk::Stream stream, Connection& connection, const probe_segment_t& segment, const Frame& frame,
            const Config& config);
  void Finish(sdk::Stream stream, Connection& connection, std::uint64_t end_ns, std::string_view error);
  void Abort(sdk::Stream stream, Connection& connection, probe_reason reason);

  const Keys& keys_;
  sdk::SpanBuilder span_;
};

}  // namespace probed::mod::ping
