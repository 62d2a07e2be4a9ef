// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// The sinks by name, and by bit for the shards: a route's sinks are a mask. A name keeps its bit, also over a deletion,
// until all 64 are taken; then bits of deleted sinks are given out anew.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "server/base/status.h"
#include "server/config/model.h"
#include "server/export/sink.h"
#include "server/export/sink_factory.h"

namespace probed::exporter {

struct NamedSinkStats {
  std::string name;
  config::SinkType type = config::SinkType::kOtlpGrpc;
  SinkStats stats;
};

class SinkSet {
 public:
  static constexpr std::size_t kMaxSinks = 64;

  explicit SinkSet(Environment environment = SystemEnvironment());

  /// Starts a sink, or gives the one of that name another configuration; what is queued is then sent the new way.
  /// RESOURCE_EXHAUSTED at the 65th sink. After an error everything is as before. [control]
  [[nodiscard]] Status Put(const config::Sink& config);

  /// Takes a sink out at once and flushes it until the deadline. NOT_FOUND; DEADLINE_EXCEEDED when items were dropped
  /// (the sink is gone all the same). [control]
  [[nodiscard]] Status Delete(const std::string& name, SteadyTime deadline);

  /// The configuration a sink runs with. [any]
  std::optional<config::Sink> Get(const std::string& name) const;
  std::vector<NamedSinkStats> Statuses() const;  // [any]

  /// The bit of a sink, for routes; nullopt for an unknown name. [any]
  std::optional<std::uint32_t> Bit(const std::string& name) const;
  /// Sinks that want delta temporality; all others take cumulative metrics. [any]
  std::uint64_t DeltaMask() const;

  /// Hands a batch to the sinks of the mask; never waits for one. Returns the bits that have no sink. [any]
  std::uint64_t Offer(std::uint64_t mask, const BatchPtr& batch) const;

  /// Flushes all sinks, together, until the deadline; the first error. [control]
  [[nodiscard]] Status Flush(SteadyTime deadline);
  /// Flushes and ends all sinks, together, until the deadline; the first error. The set is empty then. [control]
  [[nodiscard]] Status Stop(SteadyTime deadline);

 private:
  struct Member {
    config::Sink config;
    std::uint32_t bit = 0;
    std::shared_ptr<Sink> sink;  // shared with tables that shards still hold
  };
  struct Table {
    std::array<std::shared_ptr<Sink>, kMaxSinks> by_bit;
    std::map<std::string, Member> by_name;
    std::uint64_t delta_mask = 0;
  };

  std::shared_ptr<const Table> Snapshot() const;
  void Publish(std::map<std::string, Member> members);
  std::optional<std::uint32_t> AssignBit(const std::string& name, const Table& table);

  const Environment environment_;
  mutable std::mutex mutex_;  // of the pointer only; held for a copy
  std::shared_ptr<const Table> table_;
  std::map<std::string, std::uint32_t> bits_;  // also of names deleted; [control]
};

}  // namespace probed::exporter
