// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Which request methods keep their name. Case-sensitive; all others become _OTHER, so that a client cannot create
// series.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/sdk/text.h"

namespace probed::sdk::http {

inline constexpr std::string_view kOtherMethod = "_OTHER";
/// What a span is called when the method is _OTHER.
inline constexpr std::string_view kOtherMethodSpanName = "HTTP";

inline constexpr const char* kKnownMethodsVariable = "OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS";

/// What the daemon's environment says (a list with commas), else RFC 9110 and RFC 5789, the most frequent first.
inline std::vector<std::string> DefaultKnownMethods() {
  std::vector<std::string> known;
  const char* said = std::getenv(kKnownMethodsVariable);
  std::string_view rest(said == nullptr ? "" : said);
  while (!rest.empty()) {
    const std::size_t comma = rest.find(',');
    const std::string_view method = TrimBlanks(rest.substr(0, comma));
    if (!method.empty()) known.emplace_back(method);
    rest.remove_prefix(comma == std::string_view::npos ? rest.size() : comma + 1);
  }
  if (!known.empty()) return known;
  return {"GET", "POST", "PUT", "HEAD", "DELETE", "PATCH", "OPTIONS", "CONNECT", "TRACE"};
}

class MethodTable {
 public:
  explicit MethodTable(std::vector<std::string> known = DefaultKnownMethods()) : known_(std::move(known)) {}

  bool IsKnown(std::string_view method) const {
    for (const std::string& name : known_) {
      if (name.size() == method.size() && name.front() == method.front() && name == method) return true;
    }
    return false;
  }

 private:
  std::vector<std::string> known_;
};

}  // namespace probed::sdk::http
