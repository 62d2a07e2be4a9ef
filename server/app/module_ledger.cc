// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// The ledger of capture and decoding: reads both halves at a barrier and checks the equations of architecture.md.
#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <numeric>
#include <thread>

#include "server/app/module_host.h"

namespace probed::app {
namespace {

void Add(std::map<std::string, std::uint64_t>& to, const pb_counters& counters) {
  to["hooked"] += counters.hooked;
  to["peek"] += counters.peek;
  to["error"] += counters.error;
  to["filtered"] += counters.filtered;
  to["unclassified"] += counters.unclassified;
  to["skipped"] += counters.skipped;
  to["sampled"] += counters.sampled;
  to["fault"] += counters.fault;
  to["ring_full"] += counters.ring_full;
  to["submitted"] += counters.submitted;
  to["extra"] += counters.extra;
  to["notices"] += counters.opens;
  to["notices_full"] += counters.open_full;
  to["truncated"] += counters.truncated;
  to["unreadable"] += counters.unreadable;
  to["unbound"] += counters.unbound;
}

void Add(std::map<std::string, std::uint64_t>& to, const pipeline::FeedLedger& ledger) {
  to["consumed"] += ledger.consumed;
  to["consumed_notices"] += ledger.notices;
  to["used"] += ledger.used;
  to["unfed"] += ledger.unfed;
  to["sequence_gaps"] += ledger.gaps;
  to["doubled"] += ledger.doubled;
  to["opened"] += ledger.opened;
  to["spans"] += ledger.spans;
  to["in_flight"] += ledger.in_flight;
  to["routed"] += ledger.routed;
  to["unrouted.dropped"] += ledger.unrouted_dropped;
  to["unrouted.no_route"] += ledger.unrouted_no_route;
  to["unrouted.no_sink"] += ledger.unrouted_no_sink;
  to["streams"] += ledger.streams;
  to["streams_evicted"] += ledger.streams_evicted;
  to["streams_given_away"] += ledger.streams_given_away;
  for (std::uint32_t reason = 0; reason < ledger.records.size(); ++reason) {
    const std::uint64_t count = ledger.records[reason] + ledger.aborted[reason];
    if (count != 0) to[std::string(pipeline::ReasonName(reason))] += count;
  }
}

/// Says by how much an equation does not hold; nothing when it does.
void Check(std::string& imbalance, std::string_view equation, std::uint64_t left, std::uint64_t right) {
  if (left == right) return;
  if (!imbalance.empty()) imbalance += "; ";
  imbalance += fmt::format("{}: {} against {}", equation, left, right);
}

/// As Check, while the right side may have moved on between two readings of it.
void CheckBetween(std::string& imbalance, std::string_view equation, std::uint64_t low, std::uint64_t value,
                  std::uint64_t high) {
  if (value < low) Check(imbalance, equation, value, low);
  if (value > high) Check(imbalance, equation, value, high);
}

/// A reason may stand for records and for exchanges, so the equations sum these and not the counters by name.
struct Reasons {
  std::uint64_t records = 0;
  std::uint64_t exchanges = 0;
  void Add(const pipeline::FeedLedger& ledger) {
    records = std::accumulate(ledger.records.begin(), ledger.records.end(), records);
    exchanges = std::accumulate(ledger.aborted.begin(), ledger.aborted.end(), exchanges);
  }
};

std::uint64_t Sum(const std::map<std::string, std::uint64_t>& counters, std::initializer_list<const char*> names) {
  std::uint64_t sum = 0;
  for (const char* name : names) {
    const auto found = counters.find(name);
    if (found != counters.end()) sum += found->second;
  }
  return sum;
}

}  // namespace

std::uint64_t ModuleHost::HookCalls() const {
  std::uint64_t calls = 0;
  for (std::uint32_t shard = 0; shard < parts_.core->shards(); ++shard)
    for (std::uint32_t slot = 0; slot < PB_MAX_SLOTS; ++slot) calls += parts_.core->ReadCounters(slot, shard).hooked;
  return calls + unloaded_hooked_;
}

// Hook calls of the whole daemon: the core counts those that it ends or that it classifies, a module those on its own
// streams; whoever ended them counts how.
state::LedgerLine ModuleHost::KernelLine() const {
  state::LedgerLine line{.scope = "kernel", .counters = {}, .imbalance = {}};
  const std::uint64_t hooked_before = HookCalls();
  for (std::uint32_t shard = 0; shard < parts_.core->shards(); ++shard)
    for (std::uint32_t slot = 0; slot < PB_MAX_SLOTS; ++slot)
      Add(line.counters, parts_.core->ReadCounters(slot, shard));
  line.counters["recursion_misses"] = parts_.core->RecursionMisses();
  line.counters["hooked"] += unloaded_hooked_;
  line.counters["unloaded"] = unloaded_calls_;
  // Calls under way are hooked and not yet ended: at most one per CPU at each of the two readings.
  const std::uint64_t under_way = std::thread::hardware_concurrency();
  const std::uint64_t ended = Sum(line.counters, {"peek", "error", "filtered", "unclassified", "skipped", "sampled",
                                                  "fault", "ring_full", "submitted", "unbound", "unloaded"});
  CheckBetween(
      line.imbalance,
      "hooked = peek + error + filtered + unclassified + skipped + sampled + fault + ring_full + unbound + submitted",
      hooked_before - std::min(hooked_before, under_way), ended, HookCalls());
  return line;
}

state::LedgerLine ModuleHost::ModuleLine(const std::string& name, Loaded& module) const {
  state::LedgerLine line{.scope = "module:" + name, .counters = {}, .imbalance = {}};
  std::uint64_t submitted_after = 0;
  Reasons reasons;
  for (std::uint32_t i = 0; i < module.feeds.size(); ++i) {
    pipeline::ShardWorker& shard = *(*parts_.shards)[i];
    shard.Run([&] {
      const pb_counters before = parts_.core->ReadCounters(module.slot->slot(), i);
      shard.DrainToMarker(*module.feeds[i]);
      Add(line.counters, before);
      Add(line.counters, module.feeds[i]->ledger());
      reasons.Add(module.feeds[i]->ledger());
      const pb_counters after = parts_.core->ReadCounters(module.slot->slot(), i);
      submitted_after += after.submitted + after.extra;
    });
  }
  auto& c = line.counters;
  c.erase("hooked");
  if (module.slot->has_probes()) c["recursion_misses"] = parts_.core->ProbeMisses(*module.slot);
  c.merge(parts_.attach->Counters(name));
  CheckBetween(line.imbalance, "consumed = submitted + extra", c["submitted"] + c["extra"], c["consumed"],
               submitted_after);
  Check(line.imbalance, "consumed = used + ignored + undecodable + unknown", c["consumed"],
        Sum(c, {"used", "unfed"}) + reasons.records);
  Check(line.imbalance, "opened = spans + aborted + evicted + unknown + in_flight", c["opened"],
        Sum(c, {"spans", "in_flight"}) + reasons.exchanges);
  Check(line.imbalance, "spans = routed + unrouted", c["spans"],
        Sum(c, {"routed", "unrouted.dropped", "unrouted.no_route", "unrouted.no_sink"}));
  return line;
}

std::vector<state::LedgerLine> ModuleHost::ReadLedger() {
  std::vector<state::LedgerLine> lines;
  if (parts_.core == nullptr) return lines;
  for (auto& [name, module] : modules_)
    if (module.published) lines.push_back(ModuleLine(name, module));
  lines.push_back(KernelLine());
  return lines;
}

}  // namespace probed::app
