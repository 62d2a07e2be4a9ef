// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/discovery/container_id.h"

#include <algorithm>

namespace probed::discovery {
namespace {

constexpr std::size_t kIdLength = 64;

bool IsHexDigit(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); }

std::string_view IdInComponent(std::string_view component) {
  if (component.ends_with(".scope")) component.remove_suffix(6);
  if (component.size() < kIdLength) return {};
  const std::string_view id = component.substr(component.size() - kIdLength);
  const std::string_view prefix = component.substr(0, component.size() - kIdLength);
  if (!std::all_of(id.begin(), id.end(), IsHexDigit)) return {};
  if (!prefix.empty() && prefix.back() != '-' && prefix.back() != ':') return {};
  if (prefix.find("conmon") != std::string_view::npos) return {};
  return id;
}

}  // namespace

std::string ContainerIdOf(std::string_view path) {
  while (!path.empty()) {
    const std::size_t slash = path.rfind('/');
    const std::string_view component = slash == std::string_view::npos ? path : path.substr(slash + 1);
    if (const std::string_view id = IdInComponent(component); !id.empty()) return std::string(id);
    path = slash == std::string_view::npos ? std::string_view() : path.substr(0, slash);
  }
  return {};
}

}  // namespace probed::discovery
