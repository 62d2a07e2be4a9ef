// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Which sinks get an item: the routes compiled into an immutable table that all shards share, and a small cache per
// shard, so that a span costs one lookup. The first matching route decides; without routes everything goes everywhere.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "api/module/probe_types.h"
#include "server/config/model.h"

namespace probed::pipeline {

using SinkMask = std::uint64_t;  // bit i: the sink that the resolver numbered i

/// Why an item went nowhere. The ledger has a line for each.
enum class Unrouted : std::uint8_t {
  kNone,     // it goes to the sinks of the mask
  kDropped,  // a route says so
  kNoRoute,  // there are routes, none matches
  kNoSink,   // no sink is configured, or the route's sinks do not exist
};
std::string_view UnroutedName(Unrouted reason);  // "", "dropped", "no_route", "no_sink"

struct RouteDecision {
  SinkMask sinks = 0;
  Unrouted reason = Unrouted::kNoSink;
  std::uint32_t route = ~0U;  // index of the route that decided
  bool operator==(const RouteDecision&) const = default;
};

/// All decisions about one module and one service.
class RouteRow {
 public:
  const RouteDecision& ForSpan(std::uint32_t kind) const { return decisions_[kind <= PROBE_SPAN_CONSUMER ? kind : 0]; }
  const RouteDecision& ForMetrics() const { return decisions_[kMetrics]; }
  const RouteDecision& ForLogs() const { return decisions_[kLogs]; }

 private:
  friend class RouteTable;
  enum : std::size_t { kMetrics = PROBE_SPAN_CONSUMER + 1, kLogs, kCount };
  std::array<RouteDecision, kCount> decisions_;  // spans by enum probe_span_kind; 0: of no known kind
};

/// Immutable; made at each change of routes or sinks, read by every shard.
class RouteTable {
 public:
  /// The number of a sink by name (below 64), nothing when there is none.
  using SinkResolver = std::function<std::optional<unsigned>(std::string_view name)>;

  /// `all_sinks`: the mask that stands for "everything" when no route is configured.
  RouteTable(const std::vector<config::Route>& routes, const SinkResolver& resolver, SinkMask all_sinks);

  /// `kind` (enum probe_span_kind) counts for traces only.
  RouteDecision Decide(std::string_view module, std::string_view service, config::Signal signal,
                       std::uint32_t kind) const;
  RouteRow Row(std::string_view module, std::string_view service) const;

  /// Differs for every table ever made.
  std::uint64_t generation() const { return generation_; }

 private:
  struct Compiled {
    std::vector<std::string> modules;
    std::vector<std::string> services;
    std::uint32_t signals = 0;  // bit: config::Signal
    std::uint32_t kinds = 0;    // bit: enum probe_span_kind; 0: any
    SinkMask sinks = 0;
    bool drop = false;
  };
  static Compiled Compile(const config::Route& route, const SinkResolver& resolver);
  static bool Matches(const Compiled& route, std::string_view module, std::string_view service, config::Signal signal,
                      std::uint32_t kind);

  std::vector<Compiled> routes_;
  SinkMask all_sinks_;
  std::uint64_t generation_;
};

/// A shard's memory of rows by (module, resource). Used by its thread alone; empties itself when the table changes.
class RouteCache {
 public:
  /// LIFETIME of the reference: until the next call.
  const RouteRow& Get(const RouteTable& table, std::uint32_t module_id, std::string_view module,
                      std::uint64_t resource_id, std::string_view service) {
    const bool again =
        last_ != nullptr && generation_ == table.generation() && last_key_ == Key{resource_id, module_id};
    return again ? *last_ : Find(table, {resource_id, module_id}, module, service);
  }

 private:
  static constexpr std::size_t kMaxRows = 4096;
  struct Key {
    std::uint64_t resource_id = 0;
    std::uint32_t module_id = 0;
    bool operator==(const Key&) const = default;
    template <typename H>
    friend H AbslHashValue(H h, const Key& key) {
      return H::combine(std::move(h), key.resource_id, key.module_id);
    }
  };

  const RouteRow& Find(const RouteTable& table, const Key& key, std::string_view module, std::string_view service);

  std::uint64_t generation_ = 0;
  absl::flat_hash_map<Key, RouteRow> rows_;
  Key last_key_;
  const RouteRow* last_ = nullptr;
};

}  // namespace probed::pipeline
