// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/export/sink_set.h"

#include <fmt/format.h>

#include <bit>
#include <thread>
#include <utility>

namespace probed::exporter {
namespace {

/// Runs `work` for all sinks at the same time, so that one that hangs costs the others nothing.
template <typename Work>
Status InParallel(const std::vector<std::shared_ptr<Sink>>& sinks, Work work) {
  std::vector<Status> results(sinks.size());
  std::vector<std::thread> threads;
  threads.reserve(sinks.size());
  for (std::size_t i = 0; i < sinks.size(); ++i) {
    threads.emplace_back([&, i] { results[i] = work(*sinks[i]); });
  }
  for (std::thread& thread : threads) thread.join();
  for (const Status& result : results) RETURN_IF_ERROR(result);
  return OkStatus();
}

}  // namespace

SinkSet::SinkSet(Environment environment)
    : environment_(std::move(environment)), table_(std::make_shared<const Table>()) {}

std::shared_ptr<const SinkSet::Table> SinkSet::Snapshot() const {
  const std::lock_guard lock(mutex_);
  return table_;
}

void SinkSet::Publish(std::map<std::string, Member> members) {
  auto table = std::make_shared<Table>();
  for (const auto& [name, member] : members) {
    table->by_bit[member.bit] = member.sink;
    if (member.config.temporality == config::Temporality::kDelta) table->delta_mask |= std::uint64_t{1} << member.bit;
  }
  table->by_name = std::move(members);
  std::shared_ptr<const Table> next = std::move(table);
  const std::lock_guard lock(mutex_);
  table_.swap(next);
}

std::optional<std::uint32_t> SinkSet::AssignBit(const std::string& name, const Table& table) {
  if (const auto known = bits_.find(name); known != bits_.end()) return known->second;
  if (bits_.size() == kMaxSinks) {
    std::erase_if(bits_, [&](const auto& entry) { return !table.by_name.contains(entry.first); });
  }
  std::uint64_t taken = 0;
  for (const auto& [other, bit] : bits_) taken |= std::uint64_t{1} << bit;
  const auto bit = static_cast<std::uint32_t>(std::countr_one(taken));
  if (bit == kMaxSinks) return std::nullopt;
  bits_[name] = bit;
  return bit;
}

Status SinkSet::Put(const config::Sink& config) {
  ASSIGN_OR_RETURN(auto transport, MakeTransport(config, environment_));
  const SinkSettings settings = MakeSinkSettings(config, environment_);
  const std::shared_ptr<const Table> table = Snapshot();
  std::map<std::string, Member> members = table->by_name;
  if (const auto known = members.find(config.name); known != members.end()) {
    known->second.config = config;
    known->second.sink->Reconfigure(settings, std::move(transport));
  } else {
    const std::optional<std::uint32_t> bit = AssignBit(config.name, *table);
    if (!bit) {
      return MakeStatus(absl::StatusCode::kResourceExhausted,
                        fmt::format("sink {}: there are {} sinks already", config.name, kMaxSinks));
    }
    members[config.name] = {config, *bit, std::make_shared<Sink>(config.name, settings, std::move(transport))};
  }
  Publish(std::move(members));
  return OkStatus();
}

Status SinkSet::Delete(const std::string& name, SteadyTime deadline) {
  std::map<std::string, Member> members = Snapshot()->by_name;
  const auto known = members.find(name);
  if (known == members.end()) return MakeStatus(absl::StatusCode::kNotFound, fmt::format("no sink named {}", name));
  const std::shared_ptr<Sink> sink = known->second.sink;
  members.erase(known);
  Publish(std::move(members));
  return sink->Stop(deadline);
}

std::optional<config::Sink> SinkSet::Get(const std::string& name) const {
  const auto table = Snapshot();
  const auto known = table->by_name.find(name);
  if (known == table->by_name.end()) return std::nullopt;
  return known->second.config;
}

std::vector<NamedSinkStats> SinkSet::Statuses() const {
  std::vector<NamedSinkStats> statuses;
  const auto table = Snapshot();
  for (const auto& [name, member] : table->by_name) {
    statuses.push_back({name, member.config.type, member.sink->stats()});
  }
  return statuses;
}

std::optional<std::uint32_t> SinkSet::Bit(const std::string& name) const {
  const auto table = Snapshot();
  const auto known = table->by_name.find(name);
  if (known == table->by_name.end()) return std::nullopt;
  return known->second.bit;
}

std::uint64_t SinkSet::DeltaMask() const { return Snapshot()->delta_mask; }

std::uint64_t SinkSet::Offer(std::uint64_t mask, const BatchPtr& batch) const {
  const auto table = Snapshot();
  std::uint64_t missing = 0;
  for (; mask != 0; mask &= mask - 1) {
    const auto bit = static_cast<std::size_t>(std::countr_zero(mask));
    if (table->by_bit[bit]) {
      table->by_bit[bit]->Offer(batch);
    } else {
      missing |= std::uint64_t{1} << bit;
    }
  }
  return missing;
}

Status SinkSet::Flush(SteadyTime deadline) {
  std::vector<std::shared_ptr<Sink>> sinks;
  for (const auto& [name, member] : Snapshot()->by_name) sinks.push_back(member.sink);
  return InParallel(sinks, [&](Sink& sink) { return sink.Flush(deadline); });
}

Status SinkSet::Stop(SteadyTime deadline) {
  std::vector<std::shared_ptr<Sink>> sinks;
  for (const auto& [name, member] : Snapshot()->by_name) sinks.push_back(member.sink);
  Publish({});
  return InParallel(sinks, [&](Sink& sink) { return sink.Stop(deadline); });
}

}  // namespace probed::exporter
