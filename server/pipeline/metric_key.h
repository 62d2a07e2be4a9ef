// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Which attributes of a span an instrument keeps, and their values as bytes: what tells one series from another.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "api/module/probe_types.h"
#include "server/export/attributes.h"
#include "server/pipeline/mix.h"

namespace probed::pipeline {

/// A key by the host's id for it (probe_host.intern_key) and by name.
struct MetricAttribute {
  std::uint32_t key = 0;
  std::string name;
  bool operator==(const MetricAttribute&) const = default;
};

constexpr std::size_t kMaxMetricAttributes = 16;
constexpr std::size_t kMaxMetricValueBytes =
    128;  // of a string; the rest of a longer one is cut. Arrays are never kept

/// Immutable once made; shared by all instruments that keep the same attributes.
class AllowList {
 public:
  /// At most kMaxMetricAttributes. The order given does not matter.
  explicit AllowList(std::vector<MetricAttribute> attributes);

  const std::vector<MetricAttribute>& attributes() const { return attributes_; }  // by key id
  /// Index of a key in attributes(), kNone when it is not kept.
  std::uint8_t PositionOf(std::uint32_t key) const { return key < positions_.size() ? positions_[key] : kNone; }
  /// The same for many: positions()[key] for keys below its size.
  std::span<const std::uint8_t> positions() const { return positions_; }
  /// Index of error.type, kNone when it is not kept.
  std::uint8_t error_position() const { return error_position_; }

  static constexpr std::uint8_t kNone = 0xff;

 private:
  std::vector<MetricAttribute> attributes_;
  std::vector<std::uint8_t> positions_;
  std::uint8_t error_position_ = kNone;
};

/// 128 bits of values, in the order they are added. The seed is secret, because values come from the network.
class MetricDigest {
 public:
  explicit MetricDigest(std::uint64_t seed) : hash_(seed), check_(Mix(seed, seed)) {}

  /// Of a type that series can be told apart by.
  static bool Takes(const probe_attribute_t& attribute) {
    return attribute.type >= PROBE_ATTR_STRING && attribute.type <= PROBE_ATTR_BOOL;
  }
  void Add(std::uint32_t key, const probe_attribute_t& attribute);
  void AddString(std::uint32_t key, std::string_view text);

  std::uint64_t hash() const { return hash_; }
  std::uint64_t check() const { return check_; }
  bool operator==(const MetricDigest&) const = default;

 private:
  void AddWords(std::uint64_t first, std::uint64_t second);

  std::uint64_t hash_;
  std::uint64_t check_;
};

/// Of those attributes that are kept, as they come: equal only if they and their order are.
MetricDigest DigestOf(const AllowList& allow, std::span<const probe_attribute_t> attributes,
                      std::string_view error_type, std::uint64_t seed);

/// The kept attributes of one span: which series it belongs to. Two keys are taken for equal when 128 bits of their
/// hash are. LIFETIME: the span's attributes.
class MetricKey {
 public:
  /// `error_type` stands for the attribute error.type; empty: none.
  MetricKey(const AllowList& allow, std::span<const probe_attribute_t> attributes, std::string_view error_type,
            std::uint64_t seed);

  std::uint64_t hash() const { return digest_.hash(); }
  std::uint64_t check() const { return digest_.check(); }

  /// The attributes in the order of their keys:
  ///
  ///   key id (4) | type (1) | integer or double (8), boolean (1), or string: length (1), bytes
  std::string Encode() const;

 private:
  const AllowList& allow_;
  const std::string_view error_type_;
  std::array<const probe_attribute_t*, kMaxMetricAttributes> kept_{};
  MetricDigest digest_;
};

/// The attributes that a key's bytes stand for.
exporter::AttributeList DecodeMetricKey(std::string_view bytes, const AllowList& allow);

// --- in the path of every span: inlined -------------------------------------------------------------------------

// Both halves of one product, each kept in a word of secret state: a multiplication per sixteen bytes.
inline void MetricDigest::AddWords(std::uint64_t first, std::uint64_t second) {
  const Product product = Multiply(hash_ ^ first, check_ ^ second);
  hash_ = product.low ^ check_;
  check_ = product.high + first;
}

inline void MetricDigest::Add(std::uint32_t key, const probe_attribute_t& attribute) {
  const std::uint64_t tag = std::uint64_t{key} << 8U | attribute.type;
  switch (attribute.type) {
    case PROBE_ATTR_STRING: AddString(key, {attribute.value.string.ptr, attribute.value.string.len}); break;
    case PROBE_ATTR_BOOL: AddWords(tag, attribute.value.boolean); break;
    default: AddWords(tag, static_cast<std::uint64_t>(attribute.value.integer)); break;  // a double by its bits
  }
}

inline MetricDigest DigestOf(const AllowList& allow, std::span<const probe_attribute_t> attributes,
                             std::string_view error_type, std::uint64_t seed) {
  MetricDigest digest(seed);
  const std::span<const std::uint8_t> positions = allow.positions();
  for (const probe_attribute_t& attribute : attributes) {
    if (attribute.key >= positions.size() || positions[attribute.key] == AllowList::kNone) continue;
    if (MetricDigest::Takes(attribute)) digest.Add(attribute.key, attribute);
  }
  if (!error_type.empty()) digest.AddString(0, error_type);  // no attribute has this key
  return digest;
}

}  // namespace probed::pipeline
