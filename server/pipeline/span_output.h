// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// From a decoded exchange to a sealed batch, within one shard: ids and parent, process and service, metrics, route,
// encoding. Everything [shard] unless noted.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/module/probe_types.h"
#include "server/base/clock.h"
#include "server/discovery/process_table.h"
#include "server/export/batch.h"
#include "server/export/key_table.h"
#include "server/export/log_encoder.h"
#include "server/export/span_encoder.h"
#include "server/pipeline/ids.h"
#include "server/pipeline/kept_span.h"
#include "server/pipeline/link_table.h"
#include "server/pipeline/metrics_aggregator.h"
#include "server/pipeline/resource_cache.h"
#include "server/pipeline/router.h"
#include "server/pipeline/stream_constants.h"
#include "server/pipeline/utc_clock.h"

namespace probed::pipeline {

/// A module as the pipeline sees it.
struct ModuleOutput {
  std::uint32_t id = 0;
  std::string name;
  std::shared_ptr<const exporter::Scope> scope;
};

/// What is known of the stream an exchange belongs to.
struct StreamFacts {
  const probe_open_t* open = nullptr;  // null: the OPEN record never came
  PairKey pair;
  std::uint32_t tgid = 0;
  std::uint32_t rule = 0;
  std::uint64_t segment_offset = 0;      // of the segment being decoded
  StreamConstants* constants = nullptr;  // of the span's constant_set; null: nothing is kept
};

enum class SpanFate { kRouted, kDropped, kNoRoute, kNoSink, kUnknownExchange };

struct BatchLimits {
  std::uint32_t spans = 512;
  std::size_t bytes = 3U << 20U;
  std::chrono::nanoseconds delay = std::chrono::milliseconds(200);
};

/// What all shards share. Every pointer outlives the shards.
struct Shared {
  const Clock* clock = nullptr;
  exporter::KeyTable* keys = nullptr;
  LinkTable* links = nullptr;
  MetricsAggregator* metrics = nullptr;
  discovery::ProcessTable* processes = nullptr;
  ResourceCache* resources = nullptr;
  /// Hands a sealed batch to the sinks of the mask, and to the ring behind Tail. [shard]
  std::function<void(SinkMask, exporter::BatchPtr)> deliver;
  /// The current route table, and service names by target rule. [shard]
  std::function<std::shared_ptr<const RouteTable>()> routes;
  std::function<std::shared_ptr<const std::vector<std::string>>()> service_names;
  BatchLimits limits;
};

class SpanOutput {
 public:
  SpanOutput(std::uint32_t shard, Shared shared);

  const exporter::KeyTable& keys() const { return *shared_.keys; }

  /// What joins both ends of a socket's plaintext, by the socket's cookie; no longer, when the key is not valid.
  void NamePlaintext(std::uint64_t cookie, const PairKey& key);
  /// Not valid: it has no name.
  PairKey PlaintextKeyOf(std::uint64_t cookie) const;

  std::uint64_t Begin(const StreamFacts& facts, const probe_exchange_t& exchange);
  SpanFate Emit(const ModuleOutput& module, const StreamFacts& facts, const probe_span_t& span);
  /// False: no such exchange.
  bool Abort(std::uint64_t exchange);
  void EmitMetric(const probe_metric_point_t& point);
  void EmitLog(const ModuleOutput& module, const probe_log_t& log);

  /// Before each round of draining: clocks and snapshots are read once.
  void BeginRound();
  /// After it: asks again for parents, hands on what was batched long enough.
  void FlushIfDue(std::uint64_t now_ns);
  /// Hands everything on; what waits for its parent does so with what is known.
  void FlushBatches();
  /// When FlushIfDue has something to do, 0: nothing is batched and nothing waits.
  std::uint64_t due_ns() const;

 private:
  struct Source {
    discovery::ProcessPtr process;
    ResourcePtr resource;
    std::uint32_t rule = 0;
    std::uint32_t exec_epoch = 0;  // of the process table, under which it was found

    bool IsFor(std::uint32_t its_rule, std::uint32_t epoch) const { return rule == its_rule && exec_epoch == epoch; }
  };
  using SourceKey = std::pair<std::uint32_t, std::uint64_t>;  // tgid and start

  /// Counted and routed, but another shard may still decode its parent.
  struct Waiting {
    KeptSpan span;
    ResourcePtr resource;
    std::shared_ptr<const exporter::Scope> scope;
    SinkMask sinks = 0;
  };

  const Source& SourceOf(const StreamFacts& facts);
  const Source& FindSource(const SourceKey& key, std::uint32_t rule, std::uint32_t epoch);
  void Append(SinkMask sinks, const exporter::Resource& resource, const exporter::Scope& scope,
              const exporter::SpanRecord& record);
  void Wait(Waiting waiting);
  void AskAgain(std::uint64_t now_ns);
  SpanContext NewTrace();
  void SealAll();
  exporter::BatchBuilder& BuilderOf(SinkMask sinks);
  exporter::LogBatchBuilder& LogBuilderOf(SinkMask sinks);
  void NoteBatched();

  const std::uint32_t shard_;
  const Shared shared_;
  UtcClock utc_;
  IdGenerator ids_;
  RouteCache route_cache_;
  std::shared_ptr<const RouteTable> routes_;
  std::shared_ptr<const std::vector<std::string>> service_names_;
  absl::flat_hash_map<SourceKey, Source> sources_;
  absl::flat_hash_map<std::uint64_t, PairKey> plaintexts_;  // by the socket's cookie
  SourceKey last_key_;
  const Source* last_source_ = nullptr;  // in sources_, of last_key_
  std::vector<std::pair<SinkMask, std::unique_ptr<exporter::BatchBuilder>>> builders_;
  std::vector<std::pair<SinkMask, std::unique_ptr<exporter::LogBatchBuilder>>> log_builders_;
  std::deque<Waiting> waiting_;
  std::uint64_t asked_ns_ = 0;  // when the waiting ones last were
  std::uint64_t now_ns_ = 0;    // of this round
  std::uint64_t due_ns_ = 0;
};

}  // namespace probed::pipeline
