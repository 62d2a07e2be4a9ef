// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/export/resource.h"

namespace probed::exporter {
namespace {

constexpr std::uint32_t kResourceAttributes = 1;
constexpr std::uint32_t kScopeName = 1;
constexpr std::uint32_t kScopeVersion = 2;

}  // namespace

Resource MakeResource(std::uint64_t id, const AttributeList& attributes) {
  WireWriter out;
  Resource resource;
  resource.id = id;
  WriteAttributes(out, kResourceAttributes, attributes);
  resource.encoded = out.view();
  for (const auto& [key, value] : attributes) {
    if (key != "service.name") continue;
    if (const auto* name = std::get_if<std::string>(&value)) resource.service_name = *name;
  }
  return resource;
}

Scope MakeScope(std::uint32_t id, std::string_view name, std::string_view version) {
  WireWriter out;
  out.Text(kScopeName, name);
  if (!version.empty()) out.Text(kScopeVersion, version);
  Scope scope;
  scope.id = id;
  scope.encoded = out.view();
  return scope;
}

}  // namespace probed::exporter
