// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Takes secrets out of URLs before anything is stored: values of named query parameters, user information.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/sdk/span_builder.h"

namespace probed::sdk::http {

/// Defaults of the semantic conventions 1.45. Keys are case-sensitive.
inline std::vector<std::string> DefaultSensitiveParameters() {
  return {"AWSAccessKeyId",       "Signature",       "sig", "X-Amz-Signature", "X-Amz-Credential",
          "X-Amz-Security-Token", "X-Goog-Signature"};
}

class QueryRedactor {
 public:
  explicit QueryRedactor(std::vector<std::string> keys = DefaultSensitiveParameters()) : keys_(std::move(keys)) {}

  /// Appends `query` with the values of sensitive keys replaced by REDACTED.
  void Append(std::string_view query, Scratch& out) const {
    while (true) {
      const std::size_t end = query.find('&');
      AppendParameter(query.substr(0, end), out);
      if (end == std::string_view::npos) return;
      out.Append('&');
      query.remove_prefix(end + 1);
    }
  }

 private:
  void AppendParameter(std::string_view parameter, Scratch& out) const {
    const std::size_t equals = parameter.find('=');
    const bool hide = equals != std::string_view::npos && IsSensitive(parameter.substr(0, equals));
    out.Append(hide ? parameter.substr(0, equals + 1) : parameter);
    if (hide) out.Append("REDACTED");
  }
  bool IsSensitive(std::string_view key) const {
    return std::any_of(keys_.begin(), keys_.end(), [&](const std::string& name) { return name == key; });
  }

  std::vector<std::string> keys_;
};

/// Appends "user:password@host" as "REDACTED:REDACTED@host".
inline void AppendAuthority(std::string_view authority, Scratch& out) {
  const std::size_t at = authority.rfind('@');
  if (at != std::string_view::npos) {
    out.Append("REDACTED:REDACTED@");
    authority.remove_prefix(at + 1);
  }
  out.Append(authority);
}

}  // namespace probed::sdk::http
