// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// What the module makes of bytes: the messages of a handshake that say something to people. Values; nothing here owns
// memory outside itself.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace probed::mod::tls {

inline constexpr std::uint16_t kSsl30 = 0x0300;
inline constexpr std::uint16_t kTls12 = 0x0303;
inline constexpr std::uint16_t kTls13 = 0x0304;

enum MessageType : std::uint8_t {
  kClientHello = 1,
  kServerHello = 2,
  kCertificate = 11,
  kServerKeyExchange = 12,
};

/// LIFETIME: the message's.
struct ClientHello {
  std::string_view random;
  std::string_view session_id;
  std::string_view server_name;  // empty: not named
  bool early_data = false;       // it sends data before the server has answered
};

/// LIFETIME: the message's.
struct ServerHello {
  std::uint16_t version = 0;
  std::uint16_t cipher = 0;
  std::uint16_t group = 0;  // of TLS 1.3's key share; 0: none
  std::string_view session_id;
  std::string_view protocol;  // by ALPN; empty: none, or told in secret (TLS 1.3)
  bool pre_shared_key = false;
  bool hello_retry = false;  // asks for another ClientHello; the other fields mean little
};

/// Text of bounded size that is kept. Plain data: zeroed memory is the empty text.
template <std::size_t kSize>
struct Text {
  std::uint16_t size;
  std::array<char, kSize> bytes;

  std::string_view view() const { return {bytes.data(), size}; }
  /// What does not fit is left out altogether: a part of a name is another name.
  void Set(std::string_view text) {
    size = text.size() > kSize ? 0 : static_cast<std::uint16_t>(text.size());
    text.copy(bytes.data(), size);
  }
};

/// What is told of an X.509 certificate.
struct Certificate {
  Text<512> subject;
  Text<512> issuer;
  std::int64_t not_before;  // seconds of UTC
  std::int64_t not_after;
};

}  // namespace probed::mod::tls
