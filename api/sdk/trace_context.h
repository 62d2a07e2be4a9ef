// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// W3C Trace Context, level 2: strict readers of traceparent and tracestate. What is not exactly valid is as if it were
// not there.
//
//   traceparent = version "-" trace-id "-" parent-id "-" flags      00-<32 hex>-<16 hex>-<2 hex>, lower case, 55 chars
//   tracestate  = member *( "," member )                            at most 32 members, key "=" value
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "api/module/probe_types.h"
#include "api/sdk/text.h"

namespace probed::sdk {

namespace detail {

inline constexpr std::uint8_t kNoHex = 0xff;
inline constexpr std::array<std::uint8_t, 256> kHex = [] {
  std::array<std::uint8_t, 256> table{};
  table.fill(kNoHex);
  for (std::uint8_t i = 0; i < 10; ++i) table[static_cast<std::size_t>('0' + i)] = i;
  for (std::uint8_t i = 0; i < 6; ++i) table[static_cast<std::size_t>('a' + i)] = static_cast<std::uint8_t>(10 + i);
  return table;
}();

/// Lower-case hex of exactly 2 * size characters. all_zero: or of all bytes was 0.
inline bool ReadHex(const char* text, std::size_t size, std::uint8_t* out, bool* all_zero) {
  std::uint8_t seen = 0;
  for (std::size_t i = 0; i < size; ++i) {
    const std::uint8_t high = kHex[static_cast<std::uint8_t>(text[2 * i])];
    const std::uint8_t low = kHex[static_cast<std::uint8_t>(text[2 * i + 1])];
    if ((high | low) == kNoHex) return false;
    out[i] = static_cast<std::uint8_t>(high << 4U | low);
    seen |= out[i];
  }
  *all_zero = seen == 0;
  return true;
}

inline bool IsKeyStart(char c) { return (c >= 'a' && c <= 'z') || IsDigit(c); }
inline bool IsKeyChar(char c) { return IsKeyStart(c) || c == '_' || c == '-' || c == '*' || c == '/' || c == '@'; }
inline bool IsValueChar(char c) { return c >= 0x20 && c <= 0x7e && c != ',' && c != '='; }

inline bool IsStateMember(std::string_view member) {
  const std::size_t equals = member.find('=');
  if (equals == 0 || equals > 256) return false;  // npos too
  const std::string_view key = member.substr(0, equals);
  const std::string_view value = member.substr(equals + 1);
  if (value.empty() || value.size() > 256) return false;
  return IsKeyStart(key.front()) && std::all_of(key.begin(), key.end(), IsKeyChar) &&
         std::all_of(value.begin(), value.end(), IsValueChar);
}

inline std::string_view StateKey(std::string_view member) { return member.substr(0, member.find('=')); }

}  // namespace detail

/// Fills ids and flags of `out` and sets `valid`. False: `out` is untouched except that it may hold scraps and
/// valid == 0. Blanks around the value are allowed.
inline bool ParseTraceparent(std::string_view text, probe_trace_context_t* out) {
  constexpr std::size_t kSize = 55;
  out->valid = 0;
  text = TrimBlanks(text);
  if (text.size() < kSize || text[2] != '-' || text[35] != '-' || text[52] != '-') return false;
  std::uint8_t version = 0;
  std::uint8_t flags = 0;
  bool zero = false;
  if (!detail::ReadHex(text.data(), 1, &version, &zero) || version == 0xff) return false;
  if (!detail::ReadHex(text.data() + 3, 16, out->trace_id, &zero) || zero) return false;
  if (!detail::ReadHex(text.data() + 36, 8, out->span_id, &zero) || zero) return false;
  if (!detail::ReadHex(text.data() + 53, 1, &flags, &zero)) return false;
  // Version 0 ends here; a later one may go on, but only after a dash.
  if (text.size() > kSize && (version == 0 || text[kSize] != '-')) return false;
  out->flags = flags & 0x03U;  // sampled, random; the others are undefined
  out->valid = 1;
  return true;
}

/// Whether a (joined) tracestate may be passed on. A bad one is dropped as a whole and never invalidates traceparent.
inline bool IsTracestate(std::string_view text) {
  constexpr std::size_t kMaxMembers = 32;
  std::array<std::string_view, kMaxMembers> keys;
  std::size_t members = 0;
  while (true) {
    const std::size_t comma = text.find(',');
    const std::string_view member = TrimBlanks(text.substr(0, comma));
    if (!member.empty()) {
      if (members == kMaxMembers || !detail::IsStateMember(member)) return false;
      const std::string_view key = detail::StateKey(member);
      const auto end = keys.begin() + static_cast<std::ptrdiff_t>(members);
      if (std::find(keys.begin(), end, key) != end) return false;
      keys[members++] = key;
    }
    if (comma == std::string_view::npos) return members != 0;
    text.remove_prefix(comma + 1);
  }
}

}  // namespace probed::sdk
