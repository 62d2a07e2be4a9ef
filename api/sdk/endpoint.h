// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Text of socket addresses as span attributes want them: IPv4 dotted, IPv6 compressed, IPv4-mapped as IPv4.
#pragma once

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "api/module/probe_types.h"

namespace probed::sdk {

inline constexpr std::size_t kAddressTextRoom = INET6_ADDRSTRLEN;

/// Writes an address in network order as text and returns its length. The C library prints each byte by printf: 1700
/// instructions for an IPv4 address.
inline std::size_t WriteAddress(bool is_v6, const std::uint8_t* address, char (&out)[kAddressTextRoom]) {
  if (is_v6) return inet_ntop(AF_INET6, address, out, sizeof(out)) == nullptr ? 0 : std::strlen(out);
  char* at = out;
  for (int i = 0; i < 4; ++i) {
    if (i != 0) *at++ = '.';
    at = std::to_chars(at, std::end(out), address[i]).ptr;
  }
  return static_cast<std::size_t>(at - out);
}

/// An address as text, kept beside the stream it belongs to. Plain data: zeroed memory is "unknown".
class AddressText {
 public:
  void Set(const probe_endpoint_t& endpoint) {
    size_ = 0;
    port_ = 0;
    if (endpoint.family == PROBE_FAMILY_INET) {
      Format(false, endpoint.address);
    } else if (endpoint.family == PROBE_FAMILY_INET6) {
      const bool mapped = IsMapped(endpoint.address);
      Format(!mapped, mapped ? endpoint.address + 12 : endpoint.address);
    }
    if (size_ != 0) port_ = endpoint.port;
  }

  /// Empty: unknown, or a unix socket.
  std::string_view address() const { return {text_, size_}; }
  std::uint16_t port() const { return port_; }

 private:
  static bool IsMapped(const std::uint8_t* address) {
    constexpr std::array<std::uint8_t, 12> kPrefix = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    return std::equal(kPrefix.begin(), kPrefix.end(), address);
  }
  void Format(bool is_v6, const std::uint8_t* address) {
    size_ = static_cast<std::uint8_t>(WriteAddress(is_v6, address, text_));
  }

  char text_[kAddressTextRoom];
  std::uint8_t size_;
  std::uint16_t port_;
};

}  // namespace probed::sdk
