// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Bytes for decoders: conversations of random and half-plausible garbage, recorded ones from a corpus, and the stream
// that carries them to a module's shard the way the capture core would.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "tests/conformance/rig.h"

namespace probed::conformance {

/// One stretch of bytes in one direction.
struct Stretch {
  probe_direction direction = PROBE_RECEIVED;
  std::string bytes;
};
using Conversation = std::vector<Stretch>;

/// Endless source of garbage; the same seed gives the same.
class Garbage {
 public:
  explicit Garbage(std::uint64_t seed) : random_(seed) {}
  Conversation Next();
  std::string Bytes(std::size_t most);
  std::uint32_t Below(std::uint32_t bound) { return static_cast<std::uint32_t>(random_() % bound); }

 private:
  std::mt19937_64 random_;
};

/// Conversations of a directory: NAME.received and NAME.sent are the two directions of one. Either may be missing.
std::vector<Conversation> ReadCorpus(const std::string& directory);

/// A stream of the fake host and the offsets reached in it.
class Feeder {
 public:
  /// LIFETIME: the rig. With `open` the module gets the OPEN record first.
  Feeder(Rig& rig, GuardedBytes& memory, bool open);

  /// Delivers bytes in order. `left_out` more of the same message stayed in the kernel.
  void Deliver(probe_direction direction, std::string_view bytes, std::uint32_t left_out = 0);
  void Hole(probe_direction direction, std::uint64_t length);
  void Close(probe_close_reason reason);

  /// Whether the module said the stream is not its own, or gave it away: it gets no more of it.
  bool gone() const { return stream_->not_mine || !stream_->handed_to.empty(); }

 private:
  Rig& rig_;
  GuardedBytes& memory_;
  probe_stream_t* stream_;
  std::uint64_t cookie_;
  std::uint64_t ktime_ns_ = 1000000;
  std::uint64_t offsets_[2] = {0, 0};
};

}  // namespace probed::conformance
