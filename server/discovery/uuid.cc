// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/discovery/uuid.h"

#include <openssl/evp.h>

#include <array>
#include <cstdint>

namespace probed::discovery {
namespace {

// 4d63009a-8d0f-11ee-aad7-4c796ed8e320: semantic conventions, service.instance.id.
constexpr std::array<unsigned char, 16> kNamespace = {0x4d, 0x63, 0x00, 0x9a, 0x8d, 0x0f, 0x11, 0xee,
                                                      0xaa, 0xd7, 0x4c, 0x79, 0x6e, 0xd8, 0xe3, 0x20};

std::array<unsigned char, EVP_MAX_MD_SIZE> Sha1(const std::string& bytes) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  EVP_Digest(bytes.data(), bytes.size(), digest.data(), nullptr, EVP_sha1(), nullptr);
  return digest;
}

}  // namespace

std::string ServiceInstanceUuid(std::string_view name) {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string bytes(kNamespace.begin(), kNamespace.end());
  bytes.append(name);
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest = Sha1(bytes);
  digest[6] = static_cast<unsigned char>((digest[6] & 0x0fU) | 0x50U);  // version 5
  digest[8] = static_cast<unsigned char>((digest[8] & 0x3fU) | 0x80U);  // variant of RFC 9562
  std::string text;
  for (std::size_t i = 0; i < kNamespace.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    text += kHex[digest[i] >> 4U];
    text += kHex[digest[i] & 0x0fU];
  }
  return text;
}

}  // namespace probed::discovery
