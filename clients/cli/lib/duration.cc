// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "clients/cli/lib/duration.h"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstdio>

namespace probed::cli {
namespace {

struct Unit {
  std::string_view name;
  std::int64_t ns;
};

// Longest first where one name begins another.
constexpr std::array kUnits{Unit{"ns", 1},
                            Unit{"us", 1'000},
                            Unit{"ms", 1'000'000},
                            Unit{"s", 1'000'000'000},
                            Unit{"m", 60'000'000'000},
                            Unit{"h", 3'600'000'000'000},
                            Unit{"d", 86'400'000'000'000}};

const Unit* FindUnit(std::string_view name) {
  for (const Unit& unit : kUnits) {
    if (unit.name == name) return &unit;
  }
  return nullptr;
}

/// Takes one "number unit" off the front of `text`; nothing when it is none.
std::optional<double> TakePart(std::string_view& text) {
  double number = 0;
  const char* end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, number, std::chars_format::fixed);
  if (parsed.ec != std::errc() || number < 0) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(parsed.ptr - text.data()));
  const std::size_t size = text.find_first_of("0123456789.");
  const Unit* unit = FindUnit(text.substr(0, size));
  if (unit == nullptr) return std::nullopt;
  text.remove_prefix(size == std::string_view::npos ? text.size() : size);
  return number * static_cast<double>(unit->ns);
}

}  // namespace

std::optional<std::chrono::nanoseconds> ParseDuration(std::string_view text) {
  if (text == "0") return std::chrono::nanoseconds(0);
  if (text.empty()) return std::nullopt;
  double total = 0;
  while (!text.empty()) {
    const std::optional<double> part = TakePart(text);
    if (!part) return std::nullopt;
    total += *part;
  }
  if (total > 9e18) return std::nullopt;
  return std::chrono::nanoseconds(std::llround(total));
}

std::string FormatDuration(std::chrono::nanoseconds duration) {
  const std::int64_t ns = duration.count();
  if (ns == 0) return "0s";
  for (auto unit = kUnits.rbegin(); unit != kUnits.rend(); ++unit) {
    if (ns % unit->ns == 0) return std::to_string(ns / unit->ns) + std::string(unit->name);
  }
  return std::to_string(ns) + "ns";
}

std::string HumanDuration(std::chrono::nanoseconds duration) {
  const auto ns = static_cast<double>(duration.count());
  const Unit& unit = ns < 1e3 ? kUnits[0] : ns < 1e6 ? kUnits[1] : ns < 1e9 ? kUnits[2] : kUnits[3];
  const double value = ns / static_cast<double>(unit.ns);
  const int decimals = unit.ns == 1 || value >= 100 ? 0 : value >= 10 ? 1 : 2;
  std::array<char, 48> buffer{};
  std::snprintf(buffer.data(), buffer.size(), "%.*f%s", decimals, value, unit.name.data());
  return buffer.data();
}

}  // namespace probed::cli
