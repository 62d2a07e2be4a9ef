// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// The four forms of a request target (RFC 9112 §3.2) taken apart:
//
//   origin     /path?query                    absolute   http://user@host:port/path?query
//   authority  host:port (CONNECT)            asterisk   *
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace probed::sdk::http {

struct Target {
  std::string_view scheme;     // absolute form only
  std::string_view authority;  // absolute and authority form; may hold user information
  std::string_view path;       // "*" in asterisk form, empty in authority form
  std::string_view query;      // without "?"
};

namespace detail {
inline void SplitPath(std::string_view text, Target* out) {
  const std::size_t question = text.find('?');
  out->path = text.substr(0, question);
  if (question != std::string_view::npos) out->query = text.substr(question + 1);
}
}  // namespace detail

inline Target ParseTarget(std::string_view text) {
  Target out;
  if (text.starts_with('/') || text == "*") {
    detail::SplitPath(text, &out);
    return out;
  }
  const std::size_t scheme = text.find("://");
  if (scheme == std::string_view::npos) {
    out.authority = text;
    return out;
  }
  out.scheme = text.substr(0, scheme);
  text.remove_prefix(scheme + 3);
  const std::size_t path = text.find_first_of("/?");
  out.authority = text.substr(0, path);
  if (path != std::string_view::npos) detail::SplitPath(text.substr(path), &out);
  if (out.path.empty()) out.path = "/";
  return out;
}

}  // namespace probed::sdk::http
