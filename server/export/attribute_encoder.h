// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Writes probe_attribute_t straight to the wire: the hot part of every span. The key comes encoded from the KeyTable,
// lengths are known before anything is written, and text is checked for ASCII while it is copied.
//
//   KeyValue  = tag len [0x0a len key] 0x12 len AnyValue
//   AnyValue  = 0x0a len text | 0x10 bool | 0x18 varint | 0x21 double | 0x2a len ArrayValue    (common.proto)
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "api/module/probe_types.h"
#include "server/export/key_table.h"
#include "server/export/wire.h"

namespace probed::exporter {

/// Appends each attribute as field `field` (1..15) of the message being written. Returns how many were left out
/// because their key is unknown or their type is none: the caller's dropped_attributes_count.
std::uint32_t EncodeAttributes(WireWriter& out, const KeyTable& keys, std::uint32_t field,
                               std::span<const probe_attribute_t> attributes);

/// One text attribute whose key is already encoded; `encoded_key` must be readable in steps of KeyTable::kReadStep.
void EncodeTextAttribute(WireWriter& out, std::uint32_t field, std::string_view encoded_key, std::string_view value);

}  // namespace probed::exporter
