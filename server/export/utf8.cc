// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/export/utf8.h"

#include <cstddef>
#include <cstdint>

namespace probed::exporter {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

/// What stands at the front of a text: a sequence of `length` bytes, well-formed or not.
struct Sequence {
  std::size_t length;
  bool valid;
};

/// Allowed range of the second byte; it excludes overlong forms, surrogates and what lies beyond U+10FFFF.
struct SecondByte {
  std::uint8_t low;
  std::uint8_t high;
};

SecondByte SecondByteOf(std::uint8_t lead) {
  if (lead == 0xE0) return {0xA0, 0xBF};
  if (lead == 0xED) return {0x80, 0x9F};
  if (lead == 0xF0) return {0x90, 0xBF};
  if (lead == 0xF4) return {0x80, 0x8F};
  return {0x80, 0xBF};
}

std::size_t LengthOf(std::uint8_t lead) {
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead <= 0xDF) return 2;
  if (lead >= 0xE0 && lead <= 0xEF) return 3;
  if (lead >= 0xF0 && lead <= 0xF4) return 4;
  return 0;
}

Sequence Next(std::string_view text) {
  const auto byte = [text](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
  const std::size_t length = LengthOf(byte(0));
  if (length == 0) return {1, false};
  SecondByte range = SecondByteOf(byte(0));
  for (std::size_t i = 1; i < length; ++i) {
    if (i >= text.size() || byte(i) < range.low || byte(i) > range.high) return {i, false};
    range = {0x80, 0xBF};
  }
  return {length, true};
}

}  // namespace

bool IsValidUtf8(std::string_view text) {
  while (!text.empty()) {
    const Sequence sequence = Next(text);
    if (!sequence.valid) return false;
    text.remove_prefix(sequence.length);
  }
  return true;
}

std::string ToValidUtf8(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const Sequence sequence = Next(text);
    out.append(sequence.valid ? text.substr(0, sequence.length) : kReplacement);
    text.remove_prefix(sequence.length);
  }
  return out;
}

}  // namespace probed::exporter
