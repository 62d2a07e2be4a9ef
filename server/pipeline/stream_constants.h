// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// What a shard keeps of the attributes that the spans of one stream have in common (probe_span.constant_set): their
// encoding, and where their measurements went. Made by the feed, used by SpanOutput. Only a saving: without it the same
// spans and series come out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "server/export/span_encoder.h"
#include "server/pipeline/metrics_aggregator.h"

namespace probed::pipeline {

class StreamConstants {
 public:
  static constexpr std::size_t kMostBytes = 2048;  // encoded; more are not kept

  /// Null when they are too long.
  static std::unique_ptr<StreamConstants> Make(std::uint32_t set, std::span<const probe_attribute_t> attributes,
                                               const exporter::KeyTable& keys, exporter::WireWriter& scratch) {
    scratch.Clear();
    const std::uint32_t dropped = exporter::EncodeSpanAttributes(scratch, keys, attributes);
    if (scratch.size() > kMostBytes) return nullptr;
    return std::unique_ptr<StreamConstants>(new StreamConstants(set, attributes.size(), scratch.view(), dropped));
  }

  std::uint32_t set() const { return set_; }
  std::uint32_t count() const { return count_; }
  exporter::EncodedAttributes encoded() const { return {bytes_, dropped_}; }
  MetricsAggregator::Memo& metrics() { return metrics_; }
  /// What it counts for against the module's bound.
  std::size_t memory() const { return sizeof(*this) + bytes_.size(); }

 private:
  StreamConstants(std::uint32_t set, std::size_t count, std::string_view bytes, std::uint32_t dropped)
      : set_(set), count_(static_cast<std::uint32_t>(count)), dropped_(dropped), bytes_(bytes) {}

  const std::uint32_t set_;
  const std::uint32_t count_;
  const std::uint32_t dropped_;
  const std::string bytes_;
  MetricsAggregator::Memo metrics_;
};

}  // namespace probed::pipeline
