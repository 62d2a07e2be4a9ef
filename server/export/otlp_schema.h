// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// OTLP's messages as tables: enough to print any batch as OTLP/JSON without generated code. Numbers, names and types
// are those of the official .proto files; a test compares every table with the generated descriptors.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "server/config/model.h"

namespace probed::exporter {

/// How a field is printed. 64-bit integers are JSON strings, enums JSON numbers, ids hexadecimal (OTLP/JSON mapping).
enum class JsonType {
  kText,
  kHex,
  kBase64,
  kBool,
  kInt64,     // varint
  kInt32,     // varint; enums and uint32 as well
  kSint32,    // zigzag
  kUint64,    // varint
  kFixed64,   // eight bytes, unsigned
  kSfixed64,  // eight bytes, signed
  kFixed32,
  kDouble,
  kMessage,
};

struct MessageTable;

struct FieldRow {
  std::uint32_t number;
  std::string_view json_name;
  JsonType type;
  bool repeated = false;
  const MessageTable* message = nullptr;
};

struct MessageTable {
  std::string_view full_name;
  std::span<const FieldRow> fields;
};

/// TracesData, MetricsData or LogsData.
const MessageTable& DataTable(config::Signal signal);
/// Resource, InstrumentationScope; and Span, Metric or LogRecord.
const MessageTable& ResourceTable();
const MessageTable& ScopeTable();
const MessageTable& ItemTable(config::Signal signal);

}  // namespace probed::exporter
