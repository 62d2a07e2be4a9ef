// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Random trace and span ids. One generator per shard, used by its thread alone. Not for secrets: W3C asks for
// uniqueness, and a generator that can be predicted from its output is allowed.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>

namespace probed::pipeline {

using TraceId = std::array<std::uint8_t, 16>;
using SpanId = std::array<std::uint8_t, 8>;

constexpr TraceId kNoTraceId = {};
constexpr SpanId kNoSpanId = {};

/// W3C trace flags of a trace that begins here: sampled, and its id is random throughout (level 2).
constexpr std::uint8_t kSampledFlag = 0x01;
constexpr std::uint8_t kRandomFlag = 0x02;
constexpr std::uint8_t kNewTraceFlags = kSampledFlag | kRandomFlag;

class IdGenerator {
 public:
  /// Seeds from the kernel.
  IdGenerator();
  /// Seeds from `state`, for tests; must not be all zero.
  explicit IdGenerator(const std::array<std::uint64_t, 4>& state) : state_(state) {}

  TraceId NewTraceId() {
    const std::array<std::uint64_t, 2> words = {NextNonZero(), Next()};
    return std::bit_cast<TraceId>(words);
  }
  SpanId NewSpanId() { return std::bit_cast<SpanId>(NextNonZero()); }

  /// xoshiro256++ 1.0 (Blackman, Vigna): 256 bits of state, a dozen instructions per word.
  std::uint64_t Next() {
    auto& [a, b, c, d] = state_;
    const std::uint64_t result = std::rotl(a + d, 23) + a;
    const std::uint64_t shifted = b << 17U;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= shifted;
    d = std::rotl(d, 45);
    return result;
  }

 private:
  std::uint64_t NextNonZero() {
    std::uint64_t word = Next();
    while (word == 0) word = Next();
    return word;
  }

  std::array<std::uint64_t, 4> state_{};
};

}  // namespace probed::pipeline
