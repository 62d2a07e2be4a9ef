// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Log records straight to the wire (LogRecord of logs.proto), grouped like spans. One builder per shard.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "server/export/batch.h"
#include "server/export/envelope.h"
#include "server/export/key_table.h"

namespace probed::exporter {

/// A log line with times in UTC. All views live for the call only.
struct LogRecord {
  std::uint64_t time_utc_ns = 0;
  std::uint64_t observed_utc_ns = 0;
  std::uint32_t severity = 0;      // SeverityNumber, 1..24
  std::uint8_t trace_id[16] = {};  // all zero: none
  std::uint8_t span_id[8] = {};    // all zero: none
  std::uint32_t trace_flags = 0;   // W3C, low eight bits
  std::string_view event_name;
  std::string_view body;
  std::span<const probe_attribute_t> attributes;
};

/// Logs of one shard; seal as with BatchBuilder. [shard]
class LogBatchBuilder {
 public:
  explicit LogBatchBuilder(const KeyTable& keys) : keys_(keys), envelope_(config::Signal::kLogs) {}

  void Append(const Resource& resource, const Scope& scope, const LogRecord& record);

  std::uint32_t items() const { return envelope_.items(); }
  std::size_t bytes() const { return envelope_.bytes(); }
  BatchPtr Seal() { return envelope_.Seal(); }

 private:
  const KeyTable& keys_;
  EnvelopeBuilder envelope_;
};

}  // namespace probed::exporter
