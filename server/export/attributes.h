// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Attributes as owned values: resources, metric points, and whatever is not hot enough for probe_attribute_t.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "api/module/probe_types.h"
#include "server/export/key_table.h"
#include "server/export/wire.h"

namespace probed::exporter {

using AttributeValue = std::variant<std::string, std::int64_t, double, bool, std::vector<std::string>>;
using AttributeList = std::vector<std::pair<std::string, AttributeValue>>;

/// An owned copy of what a module emitted. Attributes whose key is unknown are left out.
AttributeList OwnAttributes(const KeyTable& keys, std::span<const probe_attribute_t> attributes);

/// Writes common.v1.KeyValue messages as field `field` of the message being written.
void WriteAttributes(WireWriter& out, std::uint32_t field, const AttributeList& attributes);
void WriteAttribute(WireWriter& out, std::uint32_t field, std::string_view key, const AttributeValue& value);

}  // namespace probed::exporter
