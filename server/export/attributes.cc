// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/export/attributes.h"

namespace probed::exporter {
namespace {

// Fields of common.v1.KeyValue, AnyValue and ArrayValue.
enum : std::uint32_t { kKey = 1, kValue = 2 };
enum : std::uint32_t { kString = 1, kBool = 2, kInt = 3, kDouble = 4, kArray = 5 };
constexpr std::uint32_t kArrayValues = 1;

std::string ToString(const probe_str_t& text) {
  return text.len == 0 ? std::string() : std::string(text.ptr, text.len);
}

AttributeValue Own(const probe_attribute_t& attribute) {
  switch (attribute.type) {
    case PROBE_ATTR_INT: return attribute.value.integer;
    case PROBE_ATTR_DOUBLE: return attribute.value.number;
    case PROBE_ATTR_BOOL: return attribute.value.boolean != 0;
    case PROBE_ATTR_STRINGS: {
      std::vector<std::string> items;
      items.reserve(attribute.value.strings.count);
      for (std::size_t i = 0; i < attribute.value.strings.count; ++i) {
        items.push_back(ToString(attribute.value.strings.items[i]));
      }
      return items;
    }
    default: return ToString(attribute.value.string);
  }
}

struct AnyValueWriter {
  WireWriter& out;
  void operator()(const std::string& text) const { out.Text(kString, text); }
  void operator()(std::int64_t number) const { out.Varint(kInt, static_cast<std::uint64_t>(number)); }
  void operator()(double number) const { out.Double(kDouble, number); }
  void operator()(bool flag) const { out.Varint(kBool, flag ? 1 : 0); }
  void operator()(const std::vector<std::string>& items) const {
    const std::size_t array = out.Open(kArray);
    for (const std::string& item : items) {
      const std::size_t value = out.Open(kArrayValues);
      out.Text(kString, item);
      out.Close(value);
    }
    out.Close(array);
  }
};

}  // namespace

AttributeList OwnAttributes(const KeyTable& keys, std::span<const probe_attribute_t> attributes) {
  AttributeList owned;
  owned.reserve(attributes.size());
  for (const probe_attribute_t& attribute : attributes) {
    const std::string_view key = keys.Text(attribute.key);
    if (!key.empty()) owned.emplace_back(key, Own(attribute));
  }
  return owned;
}

void WriteAttribute(WireWriter& out, std::uint32_t field, std::string_view key, const AttributeValue& value) {
  const std::size_t pair = out.Open(field);
  out.Text(kKey, key);
  const std::size_t any = out.Open(kValue);
  std::visit(AnyValueWriter{out}, value);
  out.Close(any);
  out.Close(pair);
}

void WriteAttributes(WireWriter& out, std::uint32_t field, const AttributeList& attributes) {
  for (const auto& [key, value] : attributes) WriteAttribute(out, field, key, value);
}

}  // namespace probed::exporter
