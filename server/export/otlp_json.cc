// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/export/otlp_json.h"

#include <absl/strings/escaping.h>

#include <charconv>
#include <cmath>
#include <protozero/pbf_reader.hpp>

#include "server/base/status.h"
#include "server/export/otlp_reader.h"
#include "server/export/otlp_schema.h"
#include "server/export/utf8.h"

namespace probed::exporter {
namespace {

using protozero::pbf_reader;
using protozero::pbf_wire_type;

constexpr int kMaxDepth = 40;  // attribute values may nest; ours never come near
constexpr char kHexDigits[] = "0123456789abcdef";

template <typename T>
void AppendNumber(std::string& out, T value) {
  char digits[32];
  const auto end = std::to_chars(digits, digits + sizeof digits, value);
  out.append(digits, end.ptr);
}

template <typename T>
void AppendQuotedNumber(std::string& out, T value) {
  out += '"';
  AppendNumber(out, value);
  out += '"';
}

void AppendDouble(std::string& out, double value) {
  if (std::isnan(value)) {
    out += "\"NaN\"";
  } else if (std::isinf(value)) {
    out += value > 0 ? "\"Infinity\"" : "\"-Infinity\"";
  } else {
    AppendNumber(out, value);
  }
}

void AppendHex(std::string& out, std::string_view bytes) {
  out += '"';
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    out += kHexDigits[byte >> 4U];
    out += kHexDigits[byte & 0xfU];
  }
  out += '"';
}

void AppendBase64(std::string& out, std::string_view bytes) {
  out += '"';
  out += absl::Base64Escape(ToAbsl(bytes));
  out += '"';
}

void AppendEscaped(std::string& out, char c) {
  switch (c) {
    case '"': out += "\\\""; return;
    case '\\': out += "\\\\"; return;
    case '\n': out += "\\n"; return;
    case '\r': out += "\\r"; return;
    case '\t': out += "\\t"; return;
    default: break;
  }
  const auto byte = static_cast<unsigned char>(c);
  if (byte >= 0x20 && byte != 0x7f) {
    out += c;
    return;
  }
  out += "\\u00";
  out += kHexDigits[byte >> 4U];
  out += kHexDigits[byte & 0xfU];
}

std::string_view View(pbf_reader& reader) {
  const protozero::data_view view = reader.get_view();
  return {view.data(), view.size()};
}

pbf_wire_type WireType(JsonType type) {
  switch (type) {
    case JsonType::kText:
    case JsonType::kHex:
    case JsonType::kBase64:
    case JsonType::kMessage: return pbf_wire_type::length_delimited;
    case JsonType::kBool:
    case JsonType::kInt64:
    case JsonType::kInt32:
    case JsonType::kSint32:
    case JsonType::kUint64: return pbf_wire_type::varint;
    case JsonType::kFixed64:
    case JsonType::kSfixed64:
    case JsonType::kDouble: return pbf_wire_type::fixed64;
    case JsonType::kFixed32: return pbf_wire_type::fixed32;
  }
  return pbf_wire_type::unknown;
}

class Printer {
 public:
  explicit Printer(std::string& out) : out_(out) {}

  /// Prints the fields present, in the table's order; fields the table does not know are left out.
  void Message(const MessageTable& table, std::string_view encoded, int depth = 0) {
    out_ += '{';
    bool first = true;
    const std::uint64_t present = depth < kMaxDepth ? FieldsIn(encoded) : 0;
    for (const FieldRow& row : table.fields) {
      if ((present >> row.number & 1U) == 0) continue;
      if (!first) out_ += ',';
      first = false;
      Field(row, encoded, depth);
    }
    out_ += '}';
  }

 private:
  static std::uint64_t FieldsIn(std::string_view encoded) {
    std::uint64_t present = 0;
    for (pbf_reader reader{encoded.data(), encoded.size()}; reader.next(); reader.skip()) {
      if (reader.tag() < 64) present |= std::uint64_t{1} << reader.tag();
    }
    return present;
  }

  void Field(const FieldRow& row, std::string_view encoded, int depth) {
    AppendJsonString(out_, row.json_name);
    out_ += ':';
    row.repeated ? Repeated(row, encoded, depth) : Last(row, encoded, depth);
  }

  /// Of several occurrences of a singular field the last one counts.
  void Last(const FieldRow& row, std::string_view encoded, int depth) {
    const std::size_t before = out_.size();
    pbf_reader reader{encoded.data(), encoded.size()};
    while (reader.next()) {
      if (reader.tag() == row.number && reader.wire_type() == WireType(row.type)) {
        out_.resize(before);
        Value(row, reader, depth);
      } else {
        reader.skip();
      }
    }
    if (out_.size() == before) out_ += "null";
  }

  void Repeated(const FieldRow& row, std::string_view encoded, int depth) {
    out_ += '[';
    const std::size_t before = out_.size();
    pbf_reader reader{encoded.data(), encoded.size()};
    while (reader.next(row.number)) {
      if (reader.wire_type() == WireType(row.type)) {
        if (out_.size() > before) out_ += ',';
        Value(row, reader, depth);
      } else if (reader.wire_type() == pbf_wire_type::length_delimited) {
        Packed(row, reader, before);
      } else {
        reader.skip();
      }
    }
    out_ += ']';
  }

  void Packed(const FieldRow& row, pbf_reader& reader, std::size_t before) {
    const auto each = [&](const auto& values, auto append) {
      for (const auto value : values) {
        if (out_.size() > before) out_ += ',';
        append(value);
      }
    };
    if (row.type == JsonType::kDouble) {
      each(reader.get_packed_double(), [&](double value) { AppendDouble(out_, value); });
    } else if (row.type == JsonType::kFixed64) {
      each(reader.get_packed_fixed64(), [&](std::uint64_t value) { AppendQuotedNumber(out_, value); });
    } else if (row.type == JsonType::kUint64) {
      each(reader.get_packed_uint64(), [&](std::uint64_t value) { AppendQuotedNumber(out_, value); });
    } else {
      reader.skip();
    }
  }

  void Value(const FieldRow& row, pbf_reader& reader, int depth) {
    switch (row.type) {
      case JsonType::kText: AppendJsonString(out_, View(reader)); break;
      case JsonType::kHex: AppendHex(out_, View(reader)); break;
      case JsonType::kBase64: AppendBase64(out_, View(reader)); break;
      case JsonType::kBool: out_ += reader.get_bool() ? "true" : "false"; break;
      case JsonType::kInt64: AppendQuotedNumber(out_, reader.get_int64()); break;
      case JsonType::kInt32: AppendNumber(out_, reader.get_uint32()); break;
      case JsonType::kSint32: AppendNumber(out_, reader.get_sint32()); break;
      case JsonType::kUint64: AppendQuotedNumber(out_, reader.get_uint64()); break;
      case JsonType::kFixed64: AppendQuotedNumber(out_, reader.get_fixed64()); break;
      case JsonType::kSfixed64: AppendQuotedNumber(out_, reader.get_sfixed64()); break;
      case JsonType::kFixed32: AppendNumber(out_, reader.get_fixed32()); break;
      case JsonType::kDouble: AppendDouble(out_, reader.get_double()); break;
      case JsonType::kMessage: Message(*row.message, View(reader), depth + 1); break;
    }
  }

  std::string& out_;
};

/// An object of `table`; "{}" when the bytes are malformed, so that what surrounds it stays JSON.
void AppendMessage(std::string& out, const MessageTable& table, std::string_view encoded) {
  const std::size_t before = out.size();
  try {
    Printer(out).Message(table, encoded);
  } catch (const protozero::exception&) {
    out.resize(before);
    out += "{}";
  }
}

std::string_view ItemName(config::Signal signal) {
  switch (signal) {
    case config::Signal::kTraces: return "span";
    case config::Signal::kMetrics: return "metric";
    case config::Signal::kLogs: return "logRecord";
  }
  return "item";
}

std::string ItemToJson(config::Signal signal, const ItemView& item) {
  std::string json = "{\"resource\":";
  AppendMessage(json, ResourceTable(), item.resource);
  json += ",\"scope\":";
  AppendMessage(json, ScopeTable(), item.scope);
  json += ",\"";
  json += ItemName(signal);
  json += "\":";
  AppendMessage(json, ItemTable(signal), item.item);
  json += '}';
  return json;
}

}  // namespace

void AppendJsonString(std::string& out, std::string_view text) {
  if (!IsValidUtf8(text)) return AppendJsonString(out, ToValidUtf8(text));
  out += '"';
  for (const char c : text) AppendEscaped(out, c);
  out += '"';
}

std::string ToOtlpJson(const Batch& batch) {
  std::string json;
  json.reserve(batch.bytes.size() * 2);
  AppendMessage(json, DataTable(batch.signal), batch.bytes);
  return json;
}

void ForEachItemJson(const Batch& batch, const std::function<void(const ItemJson&)>& visit) {
  ForEachItem(batch.bytes, [&](const ItemView& view) {
    ItemJson item;
    item.service_name = ReadServiceName(view.resource);
    item.scope_name = ReadScope(view.scope).name;
    if (batch.signal == config::Signal::kTraces) item.kind = ReadSpan(view.item).kind;
    if (batch.signal == config::Signal::kMetrics) item.items = ReadMetric(view.item).points;
    item.json = ItemToJson(batch.signal, view);
    visit(item);
  });
}

void ForEachSpanJson(const Batch& batch, const SpanJsonCallback& visit) {
  if (batch.signal != config::Signal::kTraces) return;
  ForEachItemJson(batch,
                  [&](const ItemJson& item) { visit(item.service_name, item.scope_name, item.kind, item.json); });
}

}  // namespace probed::exporter
