// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// What the daemon says about itself on /metrics. Counters are read when somebody scrapes.
#include "server/app/app.h"

namespace probed::app {
namespace {

using selfmon::MetricKind;
using selfmon::Sample;

struct KernelCounter {
  const char* reason;
  __u64 pb_counters::* field;
};

constexpr KernelCounter kEnds[] = {{"peek", &pb_counters::peek},           {"error", &pb_counters::error},
                                   {"filtered", &pb_counters::filtered},   {"unclassified", &pb_counters::unclassified},
                                   {"skipped", &pb_counters::skipped},     {"fault", &pb_counters::fault},
                                   {"ring_full", &pb_counters::ring_full}, {"submitted", &pb_counters::submitted}};

std::vector<Sample> HookEnds(const bpf::CaptureCore& core) {
  pb_counters sum{};
  for (std::uint32_t shard = 0; shard < core.shards(); ++shard)
    for (std::uint32_t slot = 0; slot < PB_MAX_SLOTS; ++slot) {
      const pb_counters line = core.ReadCounters(slot, shard);
      for (const KernelCounter& end : kEnds) sum.*end.field += line.*end.field;
    }
  std::vector<Sample> samples;
  for (const KernelCounter& end : kEnds)
    samples.push_back({.labels = {{"end", end.reason}}, .value = static_cast<double>(sum.*end.field)});
  return samples;
}

std::vector<Sample> SinkItems(SinkHub& sinks) {
  std::vector<Sample> samples;
  for (const state::SinkStatus& sink : sinks.Statuses()) {
    samples.push_back({.labels = {{"otel_component_name", sink.name}}, .value = static_cast<double>(sink.sent_items)});
    samples.push_back({.labels = {{"otel_component_name", sink.name}, {"error_type", "rejected"}},
                       .value = static_cast<double>(sink.rejected_items)});
    samples.push_back({.labels = {{"otel_component_name", sink.name}, {"error_type", "dropped"}},
                       .value = static_cast<double>(sink.dropped_items)});
  }
  return samples;
}

}  // namespace

void App::AddSelfMetrics() {
  if (core_) {
    self_metrics_.Add("probed.bpf.hook.calls", "{call}", MetricKind::kCounter, "Hook calls by how they ended.",
                      [this] { return HookEnds(*core_); });
    self_metrics_.Add(
        "probed.bpf.recursion_misses", "{call}", MetricKind::kCounter,
        "Hook calls the kernel skipped because a program was running.",
        [this] { return std::vector<Sample>{{.labels = {}, .value = static_cast<double>(core_->RecursionMisses())}}; });
  }
  self_metrics_.Add("otel.sdk.exporter.span.exported", "{span}", MetricKind::kCounter,
                    "Items sent, by sink and outcome.", [this] { return SinkItems(*sinks_); });
  self_metrics_.Add("probed.link.parents", "{span}", MetricKind::kCounter, "Where spans' parents came from.", [this] {
    const pipeline::LinkCounters counters = links_->counters();
    return std::vector<Sample>{{.labels = {{"origin", "remote"}}, .value = static_cast<double>(counters.linked_remote)},
                               {.labels = {{"origin", "pair"}}, .value = static_cast<double>(counters.linked_pair)},
                               {.labels = {{"origin", "cause"}}, .value = static_cast<double>(counters.linked_cause)},
                               {.labels = {{"origin", "root"}}, .value = static_cast<double>(counters.root)},
                               {.labels = {{"origin", "ambiguous"}}, .value = static_cast<double>(counters.ambiguous)},
                               {.labels = {{"origin", "stale"}}, .value = static_cast<double>(counters.stale)}};
  });
}

}  // namespace probed::app
