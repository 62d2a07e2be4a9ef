// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/state/hash.h"

#include <openssl/evp.h>

#include <array>

namespace probed::state {
namespace {

constexpr std::size_t kShort = 16;

}  // namespace

std::string Sha256(std::string_view bytes) {
  static constexpr std::string_view kDigits = "0123456789abcdef";
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  EVP_Digest(bytes.data(), bytes.size(), digest.data(), &size, EVP_sha256(), nullptr);
  std::string hex;
  for (unsigned i = 0; i < size; ++i) {
    hex += kDigits[digest[i] >> 4U];
    hex += kDigits[digest[i] & 15U];
  }
  return hex;
}

std::string ShortHash(std::string_view bytes) { return Sha256(bytes).substr(0, kShort); }

}  // namespace probed::state
