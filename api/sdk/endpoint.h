// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Text of socket addresses as span attributes want them: IPv4 dotted, IPv6 compressed, IPv4-mapped as IPv4.
#pragma once

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "api/module/probe_types.h"

namespace probed::sdk {

/// An address as text, kept beside the stream it belongs to. Plain data: zeroed memory is "unknown".
class AddressText {
 public:
  void Set(const probe_endpoint_t& endpoint) {
    size_ = 0;
    port_ = 0;
    if (endpoint.family == PROBE_FAMILY_INET) {
      Format(AF_INET, endpoint.address);
    } else if (endpoint.family == PROBE_FAMILY_INET6) {
      const bool mapped = IsMapped(endpoint.address);
      Format(mapped ? AF_INET : AF_INET6, mapped ? endpoint.address + 12 : endpoint.address);
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
  void Format(int family, const std::uint8_t* address) {
    if (inet_ntop(family, address, text_, sizeof(text_)) != nullptr)
      size_ = static_cast<std::uint8_t>(std::strlen(text_));
  }

  char text_[INET6_ADDRSTRLEN];
  std::uint8_t size_;
  std::uint16_t port_;
};

}  // namespace probed::sdk
