// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/pipeline/router.h"

#include <algorithm>
#include <atomic>

namespace probed::pipeline {
namespace {

constexpr std::array<std::string_view, PROBE_SPAN_CONSUMER + 1> kKindNames = {"",       "internal", "server",
                                                                              "client", "producer", "consumer"};

std::uint64_t NextGeneration() {
  static std::atomic<std::uint64_t> next{1};
  return next.fetch_add(1, std::memory_order_relaxed);
}

std::uint32_t KindMask(const std::vector<std::string>& kinds) {
  std::uint32_t mask = 0;
  for (std::uint32_t kind = 1; kind < kKindNames.size(); ++kind) {
    if (std::find(kinds.begin(), kinds.end(), kKindNames[kind]) != kinds.end()) mask |= 1U << kind;
  }
  return mask;
}

std::uint32_t SignalBit(config::Signal signal) { return 1U << static_cast<unsigned>(signal); }

bool Lists(const std::vector<std::string>& list, std::string_view value) {
  return list.empty() || std::find(list.begin(), list.end(), value) != list.end();
}

}  // namespace

std::string_view UnroutedName(Unrouted reason) {
  switch (reason) {
    case Unrouted::kNone: return "";
    case Unrouted::kDropped: return "dropped";
    case Unrouted::kNoRoute: return "no_route";
    case Unrouted::kNoSink: return "no_sink";
  }
  return "";
}

RouteTable::RouteTable(const std::vector<config::Route>& routes, const SinkResolver& resolver, SinkMask all_sinks)
    : all_sinks_(all_sinks), generation_(NextGeneration()) {
  for (const config::Route& route : routes) routes_.push_back(Compile(route, resolver));
}

RouteTable::Compiled RouteTable::Compile(const config::Route& route, const SinkResolver& resolver) {
  Compiled compiled;
  compiled.modules = route.modules;
  compiled.services = route.services;
  for (const config::Signal signal : route.signals) compiled.signals |= SignalBit(signal);
  if (route.signals.empty()) compiled.signals = ~0U;
  compiled.kinds = KindMask(route.kinds);
  // A route that names only kinds nobody knows must not match every kind.
  if (!route.kinds.empty() && compiled.kinds == 0) compiled.signals = 0;
  compiled.drop = route.drop;
  for (const std::string& name : route.sinks) {
    if (const std::optional<unsigned> bit = resolver(name); bit && *bit < 64) compiled.sinks |= SinkMask{1} << *bit;
  }
  return compiled;
}

// A route that names kinds is about spans: metrics and logs have none.
bool RouteTable::Matches(const Compiled& route, std::string_view module, std::string_view service,
                         config::Signal signal, std::uint32_t kind) {
  if ((route.signals & SignalBit(signal)) == 0) return false;
  if (route.kinds != 0 && (signal != config::Signal::kTraces || kind > 31 || (route.kinds >> kind & 1U) == 0)) {
    return false;
  }
  return Lists(route.modules, module) && Lists(route.services, service);
}

RouteDecision RouteTable::Decide(std::string_view module, std::string_view service, config::Signal signal,
                                 std::uint32_t kind) const {
  if (routes_.empty()) return {all_sinks_, all_sinks_ != 0 ? Unrouted::kNone : Unrouted::kNoSink};
  for (std::uint32_t i = 0; i < routes_.size(); ++i) {
    const Compiled& route = routes_[i];
    if (!Matches(route, module, service, signal, kind)) continue;
    if (route.drop) return {0, Unrouted::kDropped, i};
    return {route.sinks, route.sinks != 0 ? Unrouted::kNone : Unrouted::kNoSink, i};
  }
  return {0, Unrouted::kNoRoute};
}

RouteRow RouteTable::Row(std::string_view module, std::string_view service) const {
  RouteRow row;
  for (std::uint32_t kind = 0; kind <= PROBE_SPAN_CONSUMER; ++kind) {
    row.decisions_[kind] = Decide(module, service, config::Signal::kTraces, kind);
  }
  row.decisions_[RouteRow::kMetrics] = Decide(module, service, config::Signal::kMetrics, 0);
  row.decisions_[RouteRow::kLogs] = Decide(module, service, config::Signal::kLogs, 0);
  return row;
}

const RouteRow& RouteCache::Find(const RouteTable& table, const Key& key, std::string_view module,
                                 std::string_view service) {
  if (generation_ != table.generation() || rows_.size() >= kMaxRows) {
    rows_.clear();
    last_ = nullptr;
    generation_ = table.generation();
  }
  const auto [it, added] = rows_.try_emplace(key);
  if (added) it->second = table.Row(module, service);
  last_key_ = key;
  last_ = &it->second;
  return *last_;
}

}  // namespace probed::pipeline
