// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/pipeline/metric_key.h"

#include <algorithm>
#include <cstring>

#include "server/pipeline/mix.h"

namespace probed::pipeline {
namespace {

constexpr std::string_view kErrorType = "error.type";

std::uint64_t HashWords(const char* bytes, std::size_t size, std::uint64_t seed) {
  std::uint64_t hash = seed ^ size;
  for (std::size_t i = 0; i < size; i += sizeof(std::uint64_t)) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes + i, sizeof(word));
    hash = Mix(hash, word);
  }
  return hash;
}

// A cut must not leave half a character behind.
std::string_view Cut(std::string_view text) {
  if (text.size() <= kMaxMetricValueBytes) return text;
  std::size_t size = kMaxMetricValueBytes;
  while (size != 0 && (static_cast<unsigned char>(text[size]) & 0xc0U) == 0x80) --size;
  return text.substr(0, size);
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

MetricKey::MetricKey(const AllowList& allow, std::span<const probe_attribute_t> attributes, std::string_view error_type,
                     std::uint64_t hash_seed) {
  std::array<const probe_attribute_t*, kMaxMetricAttributes> kept{};
  for (const probe_attribute_t& attribute : attributes) {
    const std::uint8_t position = allow.PositionOf(attribute.key);
    if (position != AllowList::kNone) kept[position] = &attribute;
  }
  const std::vector<MetricAttribute>& wanted = allow.attributes();
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    if (i == allow.error_position() && !error_type.empty()) {
      PutString(wanted[i].key, error_type);
    } else if (kept[i] != nullptr) {
      Put(wanted[i].key, *kept[i]);
    }
  }
  std::memset(bytes_.data() + size_, 0, sizeof(std::uint64_t));
  hash_ = HashWords(bytes_.data(), size_, hash_seed);
}

template <typename T>
void MetricKey::PutRaw(const T& value) {
  std::memcpy(bytes_.data() + size_, &value, sizeof(value));
  size_ += sizeof(value);
}

void MetricKey::PutString(std::uint32_t key, std::string_view text) {
  const std::string_view cut = Cut(text);
  PutRaw(key);
  PutRaw(static_cast<std::uint8_t>(PROBE_ATTR_STRING));
  PutRaw(static_cast<std::uint8_t>(cut.size()));
  std::memcpy(bytes_.data() + size_, cut.data(), cut.size());
  size_ += cut.size();
}

void MetricKey::Put(std::uint32_t key, const probe_attribute_t& attribute) {
  if (attribute.type == PROBE_ATTR_STRING) {
    const probe_str_t& text = attribute.value.string;
    PutString(key, text.len == 0 ? std::string_view() : std::string_view(text.ptr, text.len));
    return;
  }
  if (attribute.type < PROBE_ATTR_INT || attribute.type > PROBE_ATTR_BOOL) return;
  PutRaw(key);
  PutRaw(static_cast<std::uint8_t>(attribute.type));
  if (attribute.type == PROBE_ATTR_INT) PutRaw(attribute.value.integer);
  if (attribute.type == PROBE_ATTR_DOUBLE) PutRaw(attribute.value.number);
  if (attribute.type == PROBE_ATTR_BOOL) PutRaw(attribute.value.boolean);
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
