// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/pipeline/metric_key.h"

#include <algorithm>
#include <cstring>

namespace probed::pipeline {
namespace {

constexpr std::string_view kErrorType = "error.type";

// The beginning of a text that is too long; a cut must not leave half a character behind.
std::string_view Cut(std::string_view text) {
  std::size_t size = kMaxMetricValueBytes;
  while (size != 0 && (static_cast<unsigned char>(text[size]) & 0xc0U) == 0x80) --size;
  return text.substr(0, size);
}

template <typename T>
T Load(const char* from) {
  T value;
  std::memcpy(&value, from, sizeof(value));
  return value;
}

/// One to sixteen bytes as two words; the parts may overlap, the length is hashed beside.
struct Words {
  std::uint64_t first = 0;
  std::uint64_t second = 0;
};
Words LoadShort(const char* text, std::size_t size) {
  if (size >= 8) return {Load<std::uint64_t>(text), Load<std::uint64_t>(text + size - 8)};
  if (size >= 4) return {Load<std::uint32_t>(text), Load<std::uint32_t>(text + size - 4)};
  if (size == 0) return {};
  return {static_cast<std::uint8_t>(text[0]),
          std::uint64_t{static_cast<std::uint8_t>(text[size / 2])} << 8U | static_cast<std::uint8_t>(text[size - 1])};
}

template <typename T>
void Put(std::string& out, const T& value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof(value));
}

void PutString(std::string& out, std::uint32_t key, std::string_view text) {
  const std::string_view cut = text.size() > kMaxMetricValueBytes ? Cut(text) : text;
  Put(out, key);
  Put(out, static_cast<std::uint8_t>(PROBE_ATTR_STRING));
  Put(out, static_cast<std::uint8_t>(cut.size()));
  out.append(cut);
}

std::string_view View(const probe_str_t& text) { return {text.ptr, text.len}; }

void PutAttribute(std::string& out, std::uint32_t key, const probe_attribute_t& attribute) {
  if (attribute.type == PROBE_ATTR_STRING) {
    PutString(out, key, View(attribute.value.string));
    return;
  }
  Put(out, key);
  Put(out, static_cast<std::uint8_t>(attribute.type));
  if (attribute.type == PROBE_ATTR_INT) Put(out, attribute.value.integer);
  if (attribute.type == PROBE_ATTR_DOUBLE) Put(out, attribute.value.number);
  if (attribute.type == PROBE_ATTR_BOOL) Put(out, attribute.value.boolean);
}

template <typename T>
T Take(std::string_view& bytes) {
  T value;
  std::memcpy(&value, bytes.data(), sizeof(value));
  bytes.remove_prefix(sizeof(value));
  return value;
}

exporter::AttributeValue TakeValue(std::string_view& bytes) {
  switch (Take<std::uint8_t>(bytes)) {
    case PROBE_ATTR_INT: return Take<std::int64_t>(bytes);
    case PROBE_ATTR_DOUBLE: return Take<double>(bytes);
    case PROBE_ATTR_BOOL: return Take<std::uint8_t>(bytes) != 0;
    default: break;
  }
  const auto size = Take<std::uint8_t>(bytes);
  std::string text(bytes.substr(0, size));
  bytes.remove_prefix(size);
  return text;
}

}  // namespace

AllowList::AllowList(std::vector<MetricAttribute> attributes) : attributes_(std::move(attributes)) {
  std::sort(attributes_.begin(), attributes_.end(),
            [](const MetricAttribute& a, const MetricAttribute& b) { return a.key < b.key; });
  for (std::size_t i = 0; i < attributes_.size(); ++i) {
    const std::uint32_t key = attributes_[i].key;
    if (key >= positions_.size()) positions_.resize(key + 1, kNone);
    positions_[key] = static_cast<std::uint8_t>(i);
    if (attributes_[i].name == kErrorType) error_position_ = positions_[key];
  }
}

void MetricDigest::AddString(std::uint32_t key, std::string_view text) {
  if (text.size() > kMaxMetricValueBytes) text = Cut(text);
  AddWords(std::uint64_t{key} << 8U | PROBE_ATTR_STRING, text.size());
  for (; text.size() > 16; text.remove_prefix(16)) {
    AddWords(Load<std::uint64_t>(text.data()), Load<std::uint64_t>(text.data() + 8));
  }
  const Words words = LoadShort(text.data(), text.size());
  AddWords(words.first, words.second);
}

/// Flattened: of small steps, each taken for every kept attribute.
[[gnu::flatten]] MetricKey::MetricKey(const AllowList& allow, std::span<const probe_attribute_t> attributes,
                                      std::string_view error_type, std::uint64_t seed)
    : allow_(allow), error_type_(error_type), digest_(seed) {
  const std::uint8_t* const positions = allow.positions().data();
  const std::size_t keys = allow.positions().size();
  for (const probe_attribute_t& attribute : attributes) {
    if (attribute.key >= keys) continue;
    const std::uint8_t position = positions[attribute.key];
    if (position != AllowList::kNone && MetricDigest::Takes(attribute)) kept_[position] = &attribute;
  }
  const MetricAttribute* wanted = allow.attributes().data();
  const std::size_t count = allow.attributes().size();
  const std::size_t error = error_type.empty() ? count : allow.error_position();
  for (std::size_t i = 0; i < count; ++i) {
    if (i == error) [[unlikely]] {
      digest_.AddString(wanted[i].key, error_type);
    } else if (const probe_attribute_t* kept = kept_[i]; kept != nullptr) {
      digest_.Add(kept->key, *kept);
    }
  }
}

std::string MetricKey::Encode() const {
  std::string out;
  const std::vector<MetricAttribute>& wanted = allow_.attributes();
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    if (i == allow_.error_position() && !error_type_.empty()) {
      PutString(out, wanted[i].key, error_type_);
    } else if (kept_[i] != nullptr) {
      PutAttribute(out, wanted[i].key, *kept_[i]);
    }
  }
  return out;
}

exporter::AttributeList DecodeMetricKey(std::string_view bytes, const AllowList& allow) {
  exporter::AttributeList list;
  while (!bytes.empty()) {
    const std::uint8_t position = allow.PositionOf(Take<std::uint32_t>(bytes));
    list.emplace_back(allow.attributes()[position].name, TakeValue(bytes));
  }
  return list;
}

}  // namespace probed::pipeline
