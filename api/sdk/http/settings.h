// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// The configuration every HTTP-like module has, as plain values: defaults, reading, checking. Compiled into tables by
// semantics.h.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "api/sdk/config_reader.h"
#include "api/sdk/http/methods.h"
#include "api/sdk/http/redaction.h"
#include "api/sdk/http/routes.h"
#include "api/sdk/text.h"

namespace probed::sdk::http {

struct Settings {
  static constexpr std::size_t kMaxCapturedHeaders = 32;

  std::vector<std::string> capture_request_headers;   // lower case
  std::vector<std::string> capture_response_headers;  // lower case
  std::int64_t capture_bytes = 4096;
  std::vector<std::string> route_patterns;
  std::vector<std::string> ignored_paths;
  std::vector<std::string> sensitive_query_parameters = DefaultSensitiveParameters();
  std::vector<std::string> known_methods = DefaultKnownMethods();
};

namespace detail {

inline bool IsToken(std::string_view text) { return !text.empty() && std::all_of(text.begin(), text.end(), IsTchar); }

inline void ReadHeaderNames(ConfigReader& reader, const std::string& key, std::vector<std::string>* out) {
  reader.Strings(key, out);
  if (out->size() > Settings::kMaxCapturedHeaders) reader.Fail(key, "may name at most 32 headers");
  for (std::size_t i = 0; i < out->size(); ++i) {
    std::string& name = (*out)[i];
    if (!IsToken(name)) reader.Fail(ConfigReader::Element(key, i), "must be a header name");
    name = Lowered(name);
    if (std::find(out->begin(), out->begin() + static_cast<std::ptrdiff_t>(i), name) !=
        out->begin() + static_cast<std::ptrdiff_t>(i)) {
      reader.Fail(ConfigReader::Element(key, i), "is named twice");
    }
  }
}

inline void ReadPatterns(ConfigReader& reader, const std::string& key, std::vector<std::string>* out) {
  reader.Strings(key, out);
  for (std::size_t i = 0; i < out->size(); ++i) {
    const std::string_view problem = RouteTable::Problem((*out)[i]);
    if (!problem.empty()) reader.Fail(ConfigReader::Element(key, i), problem);
  }
}

inline void ReadMethods(ConfigReader& reader, const std::string& key, std::vector<std::string>* out) {
  reader.Strings(key, out);
  for (std::size_t i = 0; i < out->size(); ++i) {
    if (!IsToken((*out)[i])) reader.Fail(ConfigReader::Element(key, i), "must be a method name");
  }
}

}  // namespace detail

/// Reads all keys of Settings; the caller reads its own keys too and then calls reader.Finish().
inline Settings ReadSettings(ConfigReader& reader) {
  Settings out;
  detail::ReadHeaderNames(reader, "capture_request_headers", &out.capture_request_headers);
  detail::ReadHeaderNames(reader, "capture_response_headers", &out.capture_response_headers);
  reader.Integer("capture_bytes", 64, 16384, &out.capture_bytes);
  detail::ReadPatterns(reader, "route_patterns", &out.route_patterns);
  detail::ReadPatterns(reader, "ignored_paths", &out.ignored_paths);
  reader.Strings("sensitive_query_parameters", &out.sensitive_query_parameters);
  detail::ReadMethods(reader, "known_methods", &out.known_methods);
  return out;
}

}  // namespace probed::sdk::http
