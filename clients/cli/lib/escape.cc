// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "clients/cli/lib/escape.h"

#include <array>
#include <cstdint>
#include <cstdio>

namespace probed::cli {
namespace {

struct Range {
  std::uint32_t first;
  std::uint32_t last;
};

struct CodePoint {
  std::uint32_t value = 0;
  std::size_t size = 1;
  bool valid = false;
};

// Marks that sit on the character before them.
constexpr std::array kNoWidth{Range{0x300, 0x36F}, Range{0x1AB0, 0x1AFF}, Range{0x20D0, 0x20FF}, Range{0xFE00, 0xFE0F},
                              Range{0xFE20, 0xFE2F}};

// East Asian wide and emoji, by block.
constexpr std::array kTwoWide{Range{0x1100, 0x115F}, Range{0x2E80, 0xA4CF},   Range{0xAC00, 0xD7A3},
                              Range{0xF900, 0xFAFF}, Range{0xFE30, 0xFE6F},   Range{0xFF00, 0xFF60},
                              Range{0xFFE0, 0xFFE6}, Range{0x1F300, 0x1FAFF}, Range{0x20000, 0x3FFFD}};

// Invisible characters that hide or reorder text, and the C1 controls some terminals obey.
constexpr std::array kUnsafe{Range{0x7F, 0x9F},     Range{0x61C, 0x61C},    Range{0x200B, 0x200F},
                             Range{0x2028, 0x202E}, Range{0x2060, 0x206F},  Range{0xFEFF, 0xFEFF},
                             Range{0xFFF9, 0xFFFB}, Range{0xE0000, 0xE007F}};

template <std::size_t N>
bool In(const std::array<Range, N>& ranges, std::uint32_t value) {
  for (const Range& range : ranges) {
    if (value >= range.first && value <= range.last) return true;
  }
  return false;
}

std::size_t SequenceSize(unsigned char lead) {
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead <= 0xDF) return 2;
  if ((lead & 0xF0U) == 0xE0) return 3;
  if (lead >= 0xF0 && lead <= 0xF4) return 4;
  return 0;
}

bool IsScalar(std::uint32_t value, std::size_t size) {
  constexpr std::array<std::uint32_t, 5> kSmallest{0, 0, 0x80, 0x800, 0x10000};
  return value >= kSmallest[size] && value <= 0x10FFFF && (value < 0xD800 || value > 0xDFFF);
}

CodePoint Decode(std::string_view text) {
  const auto lead = static_cast<unsigned char>(text.front());
  const std::size_t size = SequenceSize(lead);
  if (size == 0 || size > text.size()) return {};
  std::uint32_t value = size == 1 ? lead : lead & (0xFFU >> (size + 1));
  for (std::size_t i = 1; i < size; ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if ((byte & 0xC0U) != 0x80) return {};
    value = (value << 6U) | (byte & 0x3FU);
  }
  if (!IsScalar(value, size)) return {};
  return {value, size, true};
}

void AppendHex(std::string& out, const char* format, std::uint32_t value) {
  std::array<char, 16> buffer{};
  std::snprintf(buffer.data(), buffer.size(), format, value);
  out += buffer.data();
}

void AppendUnsafe(std::string& out, std::uint32_t value) {
  switch (value) {
    case '\n': out += "\\n"; return;
    case '\r': out += "\\r"; return;
    case '\t': out += "\\t"; return;
    default: break;
  }
  if (value < 0x80) return AppendHex(out, "\\x%02x", value);
  AppendHex(out, value > 0xFFFF ? "\\U%08x" : "\\u%04x", value);
}

std::size_t WidthOf(const CodePoint& point) {
  if (!point.valid) return 1;
  if (In(kNoWidth, point.value)) return 0;
  return In(kTwoWide, point.value) ? 2 : 1;
}

}  // namespace

std::string Escape(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const CodePoint point = Decode(text);
    if (!point.valid) {
      AppendHex(out, "\\x%02x", static_cast<unsigned char>(text.front()));
    } else if (point.value < 0x20 || In(kUnsafe, point.value)) {
      AppendUnsafe(out, point.value);
    } else {
      out += text.substr(0, point.size);
    }
    text.remove_prefix(point.size);
  }
  return out;
}

std::size_t DisplayWidth(std::string_view text) {
  std::size_t width = 0;
  while (!text.empty()) {
    const CodePoint point = Decode(text);
    width += WidthOf(point);
    text.remove_prefix(point.size);
  }
  return width;
}

std::string FitWidth(std::string_view text, std::size_t columns) {
  if (DisplayWidth(text) <= columns) return std::string(text);
  if (columns == 0) return {};
  std::string out;
  std::size_t width = 0;
  while (!text.empty()) {
    const CodePoint point = Decode(text);
    if (width + WidthOf(point) > columns - 1) break;
    width += WidthOf(point);
    out += text.substr(0, point.size);
    text.remove_prefix(point.size);
  }
  return out + "\u2026";
}

}  // namespace probed::cli
