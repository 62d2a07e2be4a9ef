// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/app/sink_hub.h"

#include <algorithm>
#include <bit>

#include "server/export/metric_encoder.h"
#include "server/export/prometheus_text.h"
#include "server/export/sink_factory.h"

namespace probed::app {
namespace {

constexpr std::chrono::seconds kDeleteFlush{5};

state::SinkStatus ToStatus(const exporter::NamedSinkStats& named) {
  state::SinkStatus status;
  status.name = named.name;
  status.state = named.stats.state;
  status.last_error = named.stats.last_error;
  const exporter::RetryCounts& items = named.stats.items;
  status.queued_items = items.queued;
  status.sent_items = items.sent;
  // What the receiver will never take was rejected by it, whole or in part; the rest was given up here.
  const std::uint64_t refused = items.Dropped(exporter::DropReason::kPermanent);
  status.rejected_items = items.rejected + refused;
  status.dropped_items = items.AllDropped() - refused;
  return status;
}

/// The scope's name is "probed.<module>": field 1 of the encoded InstrumentationScope, shorter than 128 bytes.
std::string_view ModuleOf(const exporter::Metric& metric) {
  constexpr std::string_view kPrefix = "probed.";
  const std::string_view encoded = metric.scope->encoded;
  if (encoded.size() < 2 || encoded[0] != '\x0a') return {};
  const std::string_view name = encoded.substr(2, static_cast<unsigned char>(encoded[1]));
  return name.starts_with(kPrefix) ? name.substr(kPrefix.size()) : name;
}

}  // namespace

SinkHub::SinkHub(pipeline::MetricsAggregator& metrics, const Clock& clock, std::size_t tail_batches,
                 std::function<void(bool, bool)> wanted, std::function<void(std::uint16_t, bool)> listening)
    : metrics_(metrics),
      clock_(clock),
      wanted_(std::move(wanted)),
      listening_(std::move(listening)),
      tail_(tail_batches) {
  Republish();
}

SinkHub::~SinkHub() = default;

Status SinkHub::Put(const config::Sink& sink) {
  if (sink.type == config::SinkType::kPrometheus) return PutPrometheus(sink);
  RETURN_IF_ERROR(sinks_.Put(sink));
  DeleteScrape(sink.name);
  if (std::find(names_.begin(), names_.end(), sink.name) == names_.end()) names_.push_back(sink.name);
  Republish();
  return OkStatus();
}

Status SinkHub::PutPrometheus(const config::Sink& sink) {
  DeleteScrape(sink.name);
  const std::optional<unsigned> bit = FreeScrapeBit();
  if (!bit)
    return MakeStatus(absl::StatusCode::kResourceExhausted,
                      "sink " + sink.name + ": there are too many prometheus sinks already");
  const pipeline::ReaderId reader = metrics_.AddReader(config::Temporality::kCumulative);
  selfmon::HttpHandlers handlers;
  handlers.metrics = [this, reader, bit] { return Render(reader, *bit); };
  Result<std::unique_ptr<selfmon::HttpEndpoint>> endpoint =
      selfmon::HttpEndpoint::Start(sink.endpoint.empty() ? "127.0.0.1:9464" : sink.endpoint, std::move(handlers));
  if (!endpoint.ok()) {
    metrics_.RemoveReader(reader);
    return endpoint.status();
  }
  listening_((*endpoint)->port(), true);
  scrapes_[sink.name] = {.reader = reader, .bit = *bit, .endpoint = std::move(endpoint).value()};
  if (std::find(names_.begin(), names_.end(), sink.name) == names_.end())
    Republish();
  else
    IgnoreError(DeletePush(sink.name), "what it could not send in time is in its counters");
  return OkStatus();
}

std::optional<unsigned> SinkHub::FreeScrapeBit() const {
  pipeline::SinkMask taken = 0;
  for (const auto& [name, scrape] : scrapes_) taken |= pipeline::SinkMask{1} << scrape.bit;
  if (taken == ~pipeline::SinkMask{0}) return std::nullopt;
  return static_cast<unsigned>(std::countr_one(taken));
}

/// What the routes give to this sink. On the endpoint's thread.
std::string SinkHub::Render(pipeline::ReaderId reader, unsigned bit) {
  const std::shared_ptr<const pipeline::RouteTable> table = scrape_table_.load();
  exporter::MetricSnapshot snapshot = metrics_.Collect(reader, clock_.UtcNs());
  std::erase_if(snapshot.metrics, [&](const exporter::Metric& metric) {
    const pipeline::RouteDecision decision =
        table->Decide(ModuleOf(metric), metric.resource->service_name, config::Signal::kMetrics, 0);
    return (decision.sinks >> bit & 1U) == 0;
  });
  return exporter::PrometheusText(snapshot);
}

bool SinkHub::DeleteScrape(const std::string& name) {
  const auto found = scrapes_.find(name);
  if (found == scrapes_.end()) return false;
  listening_(found->second.endpoint->port(), false);
  found->second.endpoint.reset();
  metrics_.RemoveReader(found->second.reader);
  scrapes_.erase(found);
  return true;
}

Status SinkHub::Delete(const std::string& name) {
  if (DeleteScrape(name)) {
    Republish();
    return OkStatus();
  }
  return DeletePush(name);
}

Status SinkHub::DeletePush(const std::string& name) {
  names_.erase(std::remove(names_.begin(), names_.end(), name), names_.end());
  const Status status = sinks_.Delete(name, std::chrono::steady_clock::now() + kDeleteFlush);
  Republish();
  return status;
}

Status SinkHub::Test(const config::Sink& sink) { return exporter::TestSink(sink); }

std::vector<state::SinkStatus> SinkHub::Statuses() {
  std::vector<state::SinkStatus> statuses;
  for (const exporter::NamedSinkStats& named : sinks_.Statuses()) statuses.push_back(ToStatus(named));
  for (const auto& [name, scrape] : scrapes_) {
    state::SinkStatus status;
    status.name = name;
    status.state = "ok";
    statuses.push_back(status);
  }
  return statuses;
}

Status SinkHub::SetRoutes(const std::vector<config::Route>& routes) {
  routes_ = routes;
  Republish();
  return OkStatus();
}

void SinkHub::Republish() {
  pipeline::SinkMask all = 0;
  bool cumulative = false;
  for (const std::string& name : names_) {
    const std::optional<std::uint32_t> bit = sinks_.Bit(name);
    if (bit) all |= 1ULL << *bit;
  }
  const std::uint64_t delta = sinks_.DeltaMask() & all;
  cumulative = (all & ~delta) != 0;
  const auto resolve = [this](std::string_view name) -> std::optional<unsigned> {
    return sinks_.Bit(std::string(name));
  };
  table_.store(std::make_shared<const pipeline::RouteTable>(routes_, resolve, all));
  pipeline::SinkMask scraped = 0;
  for (const auto& [name, scrape] : scrapes_) scraped |= pipeline::SinkMask{1} << scrape.bit;
  const auto resolve_scrape = [this](std::string_view name) -> std::optional<unsigned> {
    const auto found = scrapes_.find(std::string(name));
    return found == scrapes_.end() ? std::nullopt : std::optional(found->second.bit);
  };
  scrape_table_.store(std::make_shared<const pipeline::RouteTable>(routes_, resolve_scrape, scraped));
  wanted_(cumulative, delta != 0);
}

void SinkHub::Deliver(pipeline::SinkMask mask, const exporter::BatchPtr& batch) {
  tail_.Push(batch);
  if (mask != 0) sinks_.Offer(mask, batch);
}

void SinkHub::DeliverMetrics(config::Temporality temporality, const exporter::MetricSnapshot& snapshot) {
  const std::shared_ptr<const pipeline::RouteTable> table = routes();
  const std::uint64_t delta = sinks_.DeltaMask();
  const std::uint64_t takers = temporality == config::Temporality::kDelta ? delta : ~delta;
  std::map<pipeline::SinkMask, exporter::MetricSnapshot> by_mask;
  for (const exporter::Metric& metric : snapshot.metrics) {
    const pipeline::RouteDecision decision =
        table->Decide(ModuleOf(metric), metric.resource->service_name, config::Signal::kMetrics, 0);
    if (decision.reason == pipeline::Unrouted::kDropped) continue;
    by_mask[decision.sinks & takers].metrics.push_back(metric);
  }
  for (const auto& [mask, part] : by_mask)
    for (const exporter::BatchPtr& batch : exporter::EncodeMetrics(part)) Deliver(mask, batch);
}

void SinkHub::Stop(std::chrono::seconds deadline) {
  scrapes_.clear();
  IgnoreError(sinks_.Stop(std::chrono::steady_clock::now() + deadline), "what was left is in the sinks' counters");
}

}  // namespace probed::app
