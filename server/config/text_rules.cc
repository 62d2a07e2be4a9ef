// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/config/text_rules.h"

#include <algorithm>
#include <charconv>

#include "server/base/error_details.h"
#include "server/config/validate.h"

namespace probed::config {
namespace {

constexpr std::size_t kLongestName = 63;

bool IsAlphanumeric(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

bool IsPort(std::string_view text) {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() && value <= 65535;
}

bool IsHostText(std::string_view host) {
  return std::all_of(host.begin(), host.end(), [](unsigned char c) {
    return c > ' ' && c < 0x7f && c != '/' && c != '?' && c != '#' && c != '@';
  });
}

bool TakePrefix(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

bool HasDotDot(std::string_view path) {
  const std::string framed = "/" + std::string(path) + "/";
  return framed.find("/../") != std::string::npos;
}

}  // namespace

bool IsName(std::string_view text) {
  if (text.empty() || text.size() > kLongestName || !IsAlphanumeric(text.front())) return false;
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return IsAlphanumeric(c) || c == '-' || c == '_' || c == '.'; });
}

bool IsGlob(std::string_view pattern) {
  if (pattern.empty() || pattern.find('\0') != std::string_view::npos) return false;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] == '\\') {
      if (++i == pattern.size()) return false;
      continue;
    }
    if (pattern[i] != '[') continue;
    // A ']' directly after '[' or '[!' is a member of the class, not its end.
    const std::size_t first = i + (i + 1 < pattern.size() && pattern[i + 1] == '!' ? 2 : 1);
    const std::size_t end = pattern.find(']', first + 1);
    if (first >= pattern.size() || end == std::string_view::npos) return false;
    i = end;
  }
  return true;
}

bool IsPathGlob(std::string_view text) {
  return (text.starts_with('/') || text.starts_with('*')) && IsGlob(text) && !HasDotDot(text);
}

bool IsCgroupPath(std::string_view text) { return !text.empty() && IsGlob(text) && !HasDotDot(text); }

bool IsHostPort(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || !IsPort(text.substr(colon + 1))) return false;
  std::string_view host = text.substr(0, colon);
  if (host.starts_with('[')) {
    if (!host.ends_with(']')) return false;
    host = host.substr(1, host.size() - 2);
    return !host.empty() && IsHostText(host);
  }
  return host.find(':') == std::string_view::npos && IsHostText(host);
}

bool IsUrl(std::string_view text) {
  if (!TakePrefix(text, "http://") && !TakePrefix(text, "https://")) return false;
  const std::string_view authority = text.substr(0, text.find('/'));
  if (authority.empty() || authority.front() == ':') return false;
  const bool with_port = authority.back() != ']' && authority.find(':') != std::string_view::npos;
  return with_port ? IsHostPort(authority) : IsHostText(authority);
}

bool IsGrpcEndpoint(std::string_view text) {
  if (!TakePrefix(text, "http://")) TakePrefix(text, "https://");
  return !text.starts_with(':') && IsHostPort(text);
}

bool IsHeader(std::string_view name, std::string_view value) {
  const auto token = [](unsigned char c) { return c > ' ' && c < 0x7f && c != ':'; };
  const auto printable = [](unsigned char c) { return c >= ' ' && c != 0x7f; };
  return !name.empty() && std::all_of(name.begin(), name.end(), token) &&
         std::all_of(value.begin(), value.end(), printable);
}

std::string NotOneOf(const std::string& text, const std::vector<std::string>& candidates, const std::string& what) {
  std::string said = "\"" + text + "\" " + what;
  const std::string nearest = NearestWord(text, candidates);
  if (!nearest.empty()) return said + "; did you mean \"" + nearest + "\"?";
  if (candidates.empty()) return said;
  std::string all;
  for (const std::string& candidate : candidates) all += (all.empty() ? "" : ", ") + candidate;
  return said + "; there are: " + all;
}

}  // namespace probed::config
