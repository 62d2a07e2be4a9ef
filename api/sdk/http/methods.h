// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Which request methods keep their name. Case-sensitive; all others become _OTHER, so that a client cannot create
// series.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace probed::sdk::http {

inline constexpr std::string_view kOtherMethod = "_OTHER";
/// What a span is called when the method is _OTHER.
inline constexpr std::string_view kOtherMethodSpanName = "HTTP";

/// RFC 9110 and RFC 5789, the most frequent first.
inline std::vector<std::string> DefaultKnownMethods() {
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
