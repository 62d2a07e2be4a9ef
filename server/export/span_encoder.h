// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Spans straight to the wire, and the builder a shard fills with them. One builder per shard; the KeyTable is shared.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "server/export/batch.h"
#include "server/export/envelope.h"
#include "server/export/key_table.h"
#include "server/export/wire.h"

namespace probed::exporter {

/// Appends `span` to `out` as one ScopeSpans.spans field.
void EncodeSpan(WireWriter& out, const KeyTable& keys, const SpanRecord& span);

/// Appends attributes to `out` as EncodeSpan would, for SpanRecord::constant. Returns how many had to be left out.
std::uint32_t EncodeSpanAttributes(WireWriter& out, const KeyTable& keys,
                                   std::span<const probe_attribute_t> attributes);

/// Traces of one shard. The caller seals at its number of items, and at kMaxBatchBytes at the latest. [shard]
class BatchBuilder {
 public:
  explicit BatchBuilder(const KeyTable& keys) : keys_(keys), envelope_(config::Signal::kTraces) {}

  void Append(const Resource& resource, const Scope& scope, const SpanRecord& span) {
    EncodeSpan(envelope_.Group(resource, scope), keys_, span);
    envelope_.ItemDone();
  }

  std::uint32_t items() const { return envelope_.items(); }
  std::size_t bytes() const { return envelope_.bytes(); }
  /// Null when nothing was appended.
  BatchPtr Seal() { return envelope_.Seal(); }

 private:
  const KeyTable& keys_;
  EnvelopeBuilder envelope_;
};

}  // namespace probed::exporter
