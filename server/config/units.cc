// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/config/units.h"

#include <array>
#include <charconv>
#include <utility>

namespace probed::config {
namespace {

using Unit = std::pair<std::string_view, std::uint64_t>;

constexpr std::array<Unit, 4> kDurationUnits = {{{"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}}};
constexpr std::array<Unit, 8> kSizeUnits = {{{"", 1},
                                             {"B", 1},
                                             {"KiB", 1ULL << 10U},
                                             {"MiB", 1ULL << 20U},
                                             {"GiB", 1ULL << 30U},
                                             {"kB", 1'000},
                                             {"MB", 1'000'000},
                                             {"GB", 1'000'000'000}}};
constexpr std::uint64_t kLongestMs = 1000ULL * 3600 * 24 * 365;

template <std::size_t N>
const Unit* FindUnit(const std::array<Unit, N>& units, std::string_view name) {
  for (const Unit& unit : units) {
    if (unit.first == name) return &unit;
  }
  return nullptr;
}

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

/// Takes the digits at the front of the text.
std::optional<std::uint64_t> TakeNumber(std::string_view& text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc()) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return value;
}

std::string_view TakeWord(std::string_view& text) {
  std::size_t length = 0;
  while (length < text.size() && !IsDigit(text[length])) ++length;
  const std::string_view word = text.substr(0, length);
  text.remove_prefix(length);
  return word;
}

}  // namespace

std::optional<std::chrono::milliseconds> ParseDuration(std::string_view text) {
  if (text == "0") return std::chrono::milliseconds(0);
  if (text.empty()) return std::nullopt;
  std::uint64_t total = 0;
  while (!text.empty()) {
    const auto number = TakeNumber(text);
    const Unit* unit = FindUnit(kDurationUnits, TakeWord(text));
    if (!number || unit == nullptr || *number > kLongestMs / unit->second) return std::nullopt;
    total += *number * unit->second;
    if (total > kLongestMs) return std::nullopt;
  }
  return std::chrono::milliseconds(total);
}

std::optional<std::uint64_t> ParseSize(std::string_view text) {
  const auto number = TakeNumber(text);
  if (!number) return std::nullopt;
  if (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  const Unit* unit = FindUnit(kSizeUnits, text);
  if (unit == nullptr || *number > UINT64_MAX / unit->second) return std::nullopt;
  return *number * unit->second;
}

std::string FormatDuration(std::chrono::milliseconds value) {
  const auto count = static_cast<std::uint64_t>(value.count());
  for (std::size_t i = kDurationUnits.size(); i-- > 0;) {
    const auto& [name, factor] = kDurationUnits[i];
    if (count >= factor && count % factor == 0) return std::to_string(count / factor) + std::string(name);
  }
  return "0s";
}

std::string FormatSize(std::uint64_t bytes) {
  for (const std::string_view name : {"GiB", "MiB", "KiB"}) {
    const std::uint64_t factor = FindUnit(kSizeUnits, name)->second;
    if (bytes >= factor && bytes % factor == 0) return std::to_string(bytes / factor) + std::string(name);
  }
  return std::to_string(bytes);
}

}  // namespace probed::config
