// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// First bytes that are nobody's: a classifier must take none of them, for every stream of a host is shown to it.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <random>

namespace probed::sdk::testing {

constexpr int kRandomHeads = 1'000'000;

/// As many bytes as a classifier sees, which reads words of them.
struct alignas(8) RandomHead {
  std::array<unsigned char, 64> bytes;
};

enum class Heads : std::uint8_t {
  kDense,   // every byte random
  kSparse,  // every second byte or so 0, as in binary protocols
};

/// How many of a million heads of random bytes `takes(head, number)` takes. They are the same each time; `takes` may
/// change the one it is given, to try with something put right.
template <class Takes>
int TakenOfRandomHeads(Takes takes, Heads kind = Heads::kDense) {
  std::mt19937_64 random(20261121);  // NOLINT(cert-msc32-c,cert-msc51-cpp): the same each time
  int taken = 0;
  for (int number = 0; number < kRandomHeads; ++number) {
    RandomHead head;
    for (std::size_t at = 0; at < head.bytes.size(); at += sizeof(std::uint64_t)) {
      std::uint64_t word = random();
      if (kind == Heads::kSparse) word &= (random() & 0x0101010101010101ULL) * 255;
      std::memcpy(head.bytes.data() + at, &word, sizeof(word));
    }
    if (takes(head, number)) ++taken;
  }
  return taken;
}

}  // namespace probed::sdk::testing
