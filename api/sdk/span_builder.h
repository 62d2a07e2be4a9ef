// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Collects one span at a time in memory that is reused: no allocation in steady state. Strings given are referenced,
// not copied, and must live until Emit; strings that have to be made come from Scratch. One builder per shard.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>

#include "api/sdk/host.h"

namespace probed::sdk {

/// Bounded text made for the current span. Append past the end cuts the text.
class Scratch {
 public:
  static constexpr std::size_t kSize = std::size_t{48} << 10U;

  Scratch() : data_(std::make_unique<char[]>(kSize)) {}
  void Reset() { used_ = start_ = 0; }

  void Start() { start_ = used_; }
  void Append(std::string_view text) {
    const std::size_t count = text.size() < kSize - used_ ? text.size() : kSize - used_;
    if (count == 0) return;
    std::memcpy(data_.get() + used_, text.data(), count);
    used_ += count;
  }
  void Append(char c) {
    if (used_ < kSize) data_[used_++] = c;
  }
  /// What was appended since Start.
  std::string_view Finish() const { return {data_.get() + start_, used_ - start_}; }

 private:
  std::unique_ptr<char[]> data_;
  std::size_t used_ = 0;
  std::size_t start_ = 0;
};

/// Attributes that the spans of one stream have in common, described once. Plain data: zeroed memory holds none. The
/// strings are referenced, not copied: they must live as long as this is used.
struct ConstantAttributes {
  static constexpr std::size_t kMost = 16;

  std::uint32_t set;  // probe_span.constant_set; 0: nothing is kept
  std::uint32_t count;
  probe_attribute_t items[kMost];
};

class SpanBuilder {
 public:
  SpanBuilder() = default;
  SpanBuilder(const SpanBuilder&) = delete;
  SpanBuilder& operator=(const SpanBuilder&) = delete;

  static constexpr std::size_t kMaxAttributes = 96;
  static constexpr std::size_t kMaxItems = 128;  // elements of string arrays, all together
  static constexpr std::size_t kMaxMeasurements = 8;

  /// Forgets the last span.
  void Start(probe_span_kind kind, std::uint64_t exchange) {
    span_ = {};
    span_.struct_size = sizeof(span_);
    span_.kind = kind;
    span_.exchange = exchange;
    next_ = attribute_.data();
    items_ = measurements_ = 0;
    scratch_.Reset();
  }

  void Name(std::string_view name) { span_.name = ToAbi(name); }
  void Times(std::uint64_t start_ns, std::uint64_t end_ns) {
    span_.start_ns = start_ns;
    span_.end_ns = end_ns < start_ns ? start_ns : end_ns;
  }
  /// Status ERROR with this error.type; LIFETIME: until Emit.
  void Error(std::string_view type) {
    span_.status = PROBE_STATUS_ERROR;
    span_.error_type = ToAbi(type);
  }

  void String(std::uint32_t key, std::string_view value) {
    if (probe_attribute_t* out = Next(key, PROBE_ATTR_STRING)) out->value.string = ToAbi(value);
  }
  void Int(std::uint32_t key, std::int64_t value) {
    if (probe_attribute_t* out = Next(key, PROBE_ATTR_INT)) out->value.integer = value;
  }
  void Double(std::uint32_t key, double value) {
    if (probe_attribute_t* out = Next(key, PROBE_ATTR_DOUBLE)) out->value.number = value;
  }
  void Bool(std::uint32_t key, bool value) {
    if (probe_attribute_t* out = Next(key, PROBE_ATTR_BOOL)) out->value.boolean = value ? 1 : 0;
  }

  /// Keeps the attributes given so far, under a number that no other attributes have on this stream. Nothing is kept
  /// (set 0) when they are too many.
  void KeepConstant(std::uint32_t set, ConstantAttributes* out) {
    const auto count = static_cast<std::size_t>(next_ - attribute_.data());
    out->set = count <= ConstantAttributes::kMost ? set : 0;
    out->count = static_cast<std::uint32_t>(count);
    if (out->set == 0) return;
    std::memcpy(out->items, attribute_.data(), count * sizeof(probe_attribute_t));
    SayConstant(*out);
  }
  /// Gives the attributes kept earlier; before all others.
  void UseConstant(const ConstantAttributes& kept) {
    std::memcpy(attribute_.data(), kept.items, kept.count * sizeof(probe_attribute_t));
    next_ = attribute_.data() + kept.count;
    SayConstant(kept);
  }

  /// An array is built element by element: Item..., then Strings with the key takes all items since the last array.
  void Item(std::string_view value) {
    if (items_ < kMaxItems) item_[items_++] = ToAbi(value);
  }
  void Strings(std::uint32_t key, std::size_t count) {
    if (count > items_) count = items_;
    if (probe_attribute_t* out = Next(key, PROBE_ATTR_STRINGS)) {
      out->value.strings = {item_.data() + (items_ - count), count};
    }
  }
  std::size_t items() const { return items_; }

  /// Contexts of spans that this one belongs to without being their child. LIFETIME: until Emit.
  void Links(std::span<const probe_trace_context_t> links) {
    span_.links = links.data();
    span_.link_count = links.size();
  }

  void Measure(std::uint32_t instrument, double value) {
    if (instrument != 0 && measurements_ < kMaxMeasurements) measurement_[measurements_++] = {instrument, 0, value};
  }
  double seconds() const { return static_cast<double>(span_.end_ns - span_.start_ns) * 1e-9; }

  Scratch& scratch() { return scratch_; }

  probe_result_t Emit(Stream stream) {
    span_.attributes = attribute_.data();
    span_.attribute_count = static_cast<std::uint32_t>(next_ - attribute_.data());
    span_.measurements = measurement_.data();
    span_.measurement_count = measurements_;
    return stream.Emit(span_);
  }

 private:
  void SayConstant(const ConstantAttributes& kept) {
    span_.constant_set = kept.set;
    span_.constant_count = kept.count;
  }

  probe_attribute_t* Next(std::uint32_t key, probe_attribute_type type) {
    if (key == 0 || next_ == attribute_.data() + attribute_.size()) return nullptr;
    probe_attribute_t* out = next_++;
    out->key = key;
    out->type = type;
    return out;
  }

  probe_span_t span_{};
  std::size_t items_ = 0;
  std::size_t measurements_ = 0;
  std::array<probe_attribute_t, kMaxAttributes> attribute_;
  probe_attribute_t* next_ = attribute_.data();  // into attribute_
  std::array<probe_str_t, kMaxItems> item_;
  std::array<probe_measurement_t, kMaxMeasurements> measurement_;
  Scratch scratch_;
};

}  // namespace probed::sdk
