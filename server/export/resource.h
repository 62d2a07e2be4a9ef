// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Makes the encoded Resource of a process and the encoded Scope of a module, once each.
#pragma once

#include <cstdint>
#include <string_view>

#include "server/export/attributes.h"
#include "server/export/batch.h"

namespace probed::exporter {

/// `id` as batch.h asks: one per resource, never reused. service_name is taken from the attribute service.name.
Resource MakeResource(std::uint64_t id, const AttributeList& attributes);

Scope MakeScope(std::uint32_t id, std::string_view name, std::string_view version);

}  // namespace probed::exporter
