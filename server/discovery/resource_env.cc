// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/discovery/resource_env.h"

#include <algorithm>
#include <charconv>

namespace probed::discovery {
namespace {

std::string_view Trim(std::string_view text) {
  constexpr std::string_view kBlank = " \t";
  const std::size_t first = text.find_first_not_of(kBlank);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlank) - first + 1);
}

// Length of a well-formed UTF-8 sequence by its first byte, 0 when none begins so (RFC 3629 §4).
std::size_t SequenceLength(unsigned char lead) {
  if (lead < 0x80) return 1;
  if (lead >= 0xc2 && lead <= 0xdf) return 2;
  if (lead >= 0xe0 && lead <= 0xef) return 3;
  if (lead >= 0xf0 && lead <= 0xf4) return 4;
  return 0;
}

// Ranges of the second byte that would make an overlong form, a surrogate, or a value past U+10FFFF.
bool BadSecond(unsigned char lead, unsigned char second) {
  return (lead == 0xe0 && second < 0xa0) || (lead == 0xed && second > 0x9f) || (lead == 0xf0 && second < 0x90) ||
         (lead == 0xf4 && second > 0x8f);
}

bool IsUtf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i]);
    const std::size_t length = SequenceLength(lead);
    if (length == 0 || length > text.size() - i) return false;
    if (length > 1 && BadSecond(lead, static_cast<unsigned char>(text[i + 1]))) return false;
    for (std::size_t k = 1; k < length; ++k) {
      if ((static_cast<unsigned char>(text[i + k]) & 0xc0U) != 0x80) return false;
    }
    i += length;
  }
  return true;
}

std::optional<std::string> PercentDecode(std::string_view text) {
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded += text[i];
      continue;
    }
    if (text.size() - i < 3) return std::nullopt;
    unsigned int byte = 0;
    const char* end = text.data() + i + 3;
    if (std::from_chars(text.data() + i + 1, end, byte, 16).ptr != end) return std::nullopt;
    decoded += static_cast<char>(byte);
    i += 2;
  }
  if (!IsUtf8(decoded)) return std::nullopt;
  return decoded;
}

void Put(EnvAttributes& attributes, std::string key, std::string value) {
  const auto same = [&key](const auto& attribute) { return attribute.first == key; };
  const auto it = std::find_if(attributes.begin(), attributes.end(), same);
  if (it != attributes.end()) {
    it->second = std::move(value);
  } else {
    attributes.emplace_back(std::move(key), std::move(value));
  }
}

bool ParseMember(std::string_view member, EnvAttributes& attributes) {
  const std::size_t equals = member.find('=');
  if (equals == std::string_view::npos) return false;
  std::optional<std::string> key = PercentDecode(Trim(member.substr(0, equals)));
  std::optional<std::string> value = PercentDecode(Trim(member.substr(equals + 1)));
  if (!key || key->empty() || !value) return false;
  Put(attributes, *std::move(key), *std::move(value));
  return true;
}

}  // namespace

std::optional<EnvAttributes> ParseResourceAttributes(std::string_view text) {
  EnvAttributes attributes;
  if (Trim(text).empty()) return attributes;
  for (bool more = true; more;) {
    const std::size_t comma = text.find(',');
    if (!ParseMember(text.substr(0, comma), attributes)) return std::nullopt;
    more = comma != std::string_view::npos;
    if (more) text.remove_prefix(comma + 1);
  }
  return attributes;
}

ResourceEnv ParseEnviron(std::string_view text) {
  constexpr std::string_view kServiceName = "OTEL_SERVICE_NAME=";
  constexpr std::string_view kAttributes = "OTEL_RESOURCE_ATTRIBUTES=";
  ResourceEnv env;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\0'), text.size());
    const std::string_view variable = text.substr(0, end);
    if (variable.starts_with(kServiceName)) env.service_name = Trim(variable.substr(kServiceName.size()));
    if (variable.starts_with(kAttributes)) {
      env.attributes = ParseResourceAttributes(variable.substr(kAttributes.size())).value_or(EnvAttributes());
    }
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return env;
}

}  // namespace probed::discovery
