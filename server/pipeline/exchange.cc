// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/pipeline/exchange.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "api/module/probe_host.h"
#include "server/pipeline/mix.h"

namespace probed::pipeline {
namespace {

using Address = std::array<std::uint8_t, 16>;

struct End {
  Address address = {};
  std::uint16_t port = 0;
  auto operator<=>(const End&) const = default;
};

constexpr std::array<std::uint8_t, 12> kMappedPrefix = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

End Normalise(const probe_endpoint_t& endpoint) {
  End end;
  end.port = endpoint.port;
  if (endpoint.family == PROBE_FAMILY_INET) {
    std::memcpy(end.address.data(), kMappedPrefix.data(), kMappedPrefix.size());
    std::memcpy(end.address.data() + kMappedPrefix.size(), endpoint.address, 4);
  } else {
    std::memcpy(end.address.data(), endpoint.address, end.address.size());
  }
  return end;
}

bool IsLoopback(const Address& address) {
  constexpr Address kLoopback6 = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
  const bool is_v4 = std::equal(kMappedPrefix.begin(), kMappedPrefix.end(), address.begin());
  return address == kLoopback6 || (is_v4 && address[12] == 127);
}

std::uint64_t Digest(const End& first, const End& second, std::uint64_t seed) {
  std::array<std::uint64_t, 4> words;
  std::memcpy(words.data(), first.address.data(), 16);
  std::memcpy(words.data() + 2, second.address.data(), 16);
  std::uint64_t hash = Mix(seed, std::uint64_t{first.port} << 16U | second.port);
  for (const std::uint64_t word : words) hash = Mix(hash, word);
  return hash;
}

bool IsInet(const probe_endpoint_t& endpoint) {
  return endpoint.family == PROBE_FAMILY_INET || endpoint.family == PROBE_FAMILY_INET6;
}

}  // namespace

PairKey MakePairKey(const probe_endpoint_t& local, const probe_endpoint_t& peer) {
  constexpr std::uint64_t kHighSeed = 0x243f6a8885a308d3;  // digits of pi: two unrelated digests
  constexpr std::uint64_t kLowSeed = 0x13198a2e03707344;
  if (!IsInet(local) || !IsInet(peer)) return {};
  const End ours = Normalise(local);
  const End theirs = Normalise(peer);
  const auto& [first, second] = std::minmax(ours, theirs);
  PairKey key;
  key.high = Digest(first, second, kHighSeed);
  key.low = Digest(first, second, kLowSeed) | 1U;
  key.same_host = ours.address == theirs.address || IsLoopback(theirs.address);
  key.place = static_cast<std::uint8_t>(Mix(0, local.port));
  return key;
}

PairKey MakePlaintextKey(const std::uint8_t* name, const PairKey& connection) {
  std::array<std::uint64_t, 4> words;
  static_assert(sizeof(words) == PROBE_PLAINTEXT_NAME_BYTES);
  std::memcpy(words.data(), name, sizeof(words));
  PairKey key = connection;
  key.high = Mix(words[0], words[1]);
  key.low = Mix(words[2], words[3]) | 1U;
  return key;
}

}  // namespace probed::pipeline
