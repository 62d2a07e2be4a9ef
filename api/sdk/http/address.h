// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Names and ports inside HTTP: "host:port" of Host, :authority and URLs; and what proxies tell about the original
// request (Forwarded, RFC 7239; X-Forwarded-*). Only the first (= the client's) entry of a list counts.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "api/sdk/text.h"

namespace probed::sdk::http {

struct HostPort {
  std::string_view host;   // without brackets
  std::uint16_t port = 0;  // 0: not given
};

/// Reads "host", "host:port", "[v6]", "[v6]:port" and a bare IPv6 address; user information is left out, and so is a
/// port that is no number.
inline HostPort SplitHostPort(std::string_view text) {
  while (const std::size_t at = text.find('@') + 1) text.remove_prefix(at);
  std::size_t digits = text.size();  // where the number at the end begins
  while (digits > 0 && IsDigit(text[digits - 1])) --digits;
  HostPort out{text, 0};
  if (digits > 1 && text[digits - 1] == ':') {
    std::uint64_t port = 0;
    const std::string_view before = text.substr(0, digits - 1);
    // A colon before the colon: an IPv6 address, and the number is its last group unless brackets say otherwise.
    if (before.back() == ']' || before.find(':') == std::string_view::npos) {
      out.host = before;
      if (ParseDecimal(text.substr(digits), &port) && port <= 65535) out.port = static_cast<std::uint16_t>(port);
    }
  } else if (const std::size_t colon = text.find(':'); colon != std::string_view::npos && text.front() != '[' &&
                                                       text.find(':', colon + 1) == std::string_view::npos) {
    out.host = text.substr(0, colon);
  }
  if (!out.host.starts_with('[')) return out;
  const std::size_t close = out.host.find(']');
  if (close != std::string_view::npos) out.host = out.host.substr(1, close - 1);
  return out;
}

/// First element of a comma list, blanks removed.
inline std::string_view FirstOfList(std::string_view list) { return TrimBlanks(list.substr(0, list.find(','))); }

/// Value of parameter `name` in the first element of a Forwarded header; empty: not there. Quotes are removed.
inline std::string_view ForwardedParameter(std::string_view header, std::string_view name) {
  while (!header.empty()) {
    const std::size_t equals = header.find_first_of("=,");
    if (equals == std::string_view::npos || header[equals] == ',') return {};
    const std::string_view key = TrimBlanks(header.substr(0, equals));
    header.remove_prefix(equals + 1);
    const bool quoted = header.starts_with('"');
    const std::size_t end = quoted ? header.find('"', 1) : header.find_first_of(";,");
    const std::string_view value = header.substr(quoted ? 1 : 0, end - (quoted ? 1 : 0));
    if (EqualsIgnoreCase(key, name)) return quoted ? value : TrimBlanks(value);
    if (end == std::string_view::npos) return {};
    header.remove_prefix(end + (quoted ? 1 : 0));
    header = TrimBlanks(header);
    if (!header.starts_with(';')) return {};
    header.remove_prefix(1);
    header = TrimBlanks(header);
  }
  return {};
}

/// What the proxies in front said. LIFETIME: that of the header values.
struct ProxyHeaders {
  std::string_view forwarded;
  std::string_view x_forwarded_for;
  std::string_view x_forwarded_host;
  std::string_view x_forwarded_proto;

  bool empty() const {
    return forwarded.empty() && x_forwarded_for.empty() && x_forwarded_host.empty() && x_forwarded_proto.empty();
  }
};

inline std::string_view OriginalProto(const ProxyHeaders& proxy) {
  const std::string_view proto = ForwardedParameter(proxy.forwarded, "proto");
  return proto.empty() ? FirstOfList(proxy.x_forwarded_proto) : proto;
}

inline std::string_view OriginalHost(const ProxyHeaders& proxy) {
  const std::string_view host = ForwardedParameter(proxy.forwarded, "host");
  return host.empty() ? FirstOfList(proxy.x_forwarded_host) : host;
}

/// Address of the client behind the proxies; "unknown" counts as not told.
inline std::string_view OriginalClient(const ProxyHeaders& proxy) {
  std::string_view client = ForwardedParameter(proxy.forwarded, "for");
  if (client.empty()) client = FirstOfList(proxy.x_forwarded_for);
  return EqualsIgnoreCase(client, "unknown") ? std::string_view{} : SplitHostPort(client).host;
}

}  // namespace probed::sdk::http
