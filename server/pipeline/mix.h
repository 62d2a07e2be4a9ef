// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// A cheap hash for keys that are already numbers.
#pragma once

#include <cstddef>
#include <cstdint>

namespace probed::pipeline {

struct Product {
  std::uint64_t low = 0;
  std::uint64_t high = 0;
};
inline Product Multiply(std::uint64_t a, std::uint64_t b) {
  __extension__ using Wide = unsigned __int128;
  const Wide product = static_cast<Wide>(a) * b;
  return {static_cast<std::uint64_t>(product), static_cast<std::uint64_t>(product >> 64U)};
}

/// The 128-bit product folded: every bit of both inputs reaches every bit of the result.
inline std::uint64_t Mix(std::uint64_t a, std::uint64_t b) {
  const Product product = Multiply(a ^ 0x9e3779b97f4a7c15U, b ^ 0xd1342543de82ef95U);
  return product.low ^ product.high;
}

struct MixHash {
  std::size_t operator()(std::uint64_t key) const { return Mix(key, 0); }
};

/// For keys that are hashes.
struct SameHash {
  std::size_t operator()(std::uint64_t key) const { return key; }
};

}  // namespace probed::pipeline
