// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Sinks and routes as the engine sees them, over the exporter's set: pushes go there, a Prometheus sink is a listener
// here. Publishes the route table that shards read. [control] unless noted.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "server/base/clock.h"
#include "server/export/sink_set.h"
#include "server/export/tail_ring.h"
#include "server/pipeline/metrics_aggregator.h"
#include "server/pipeline/router.h"
#include "server/selfmon/http_endpoint.h"
#include "server/state/ports.h"

namespace probed::app {

class SinkHub final : public state::SinkPort, public state::RoutePort {
 public:
  /// `wanted(cumulative, delta)` is told which metric temporalities some sink takes, `listening(port, on)` where the
  /// daemon is scraped.
  SinkHub(pipeline::MetricsAggregator& metrics, const Clock& clock, std::size_t tail_batches,
          std::function<void(bool, bool)> wanted, std::function<void(std::uint16_t, bool)> listening);
  ~SinkHub() override;

  Status Put(const config::Sink& sink) override;
  Status Delete(const std::string& name) override;
  Status Test(const config::Sink& sink) override;
  std::vector<state::SinkStatus> Statuses() override;
  Status SetRoutes(const std::vector<config::Route>& routes) override;

  /// Hands a batch to the sinks of the mask and to the tail ring. [any]
  void Deliver(pipeline::SinkMask mask, const exporter::BatchPtr& batch);
  /// Routes and encodes a metric snapshot. [metrics]
  void DeliverMetrics(config::Temporality temporality, const exporter::MetricSnapshot& snapshot);
  std::shared_ptr<const pipeline::RouteTable> routes() const { return table_.load(); }  // [any]
  exporter::TailRing& tail() { return tail_; }
  void Stop(std::chrono::seconds deadline);

 private:
  struct Scrape {
    pipeline::ReaderId reader = 0;
    unsigned bit = 0;  // in scrape_table_
    std::unique_ptr<selfmon::HttpEndpoint> endpoint;
  };

  Status PutPrometheus(const config::Sink& sink);
  bool DeleteScrape(const std::string& name);
  Status DeletePush(const std::string& name);
  std::optional<unsigned> FreeScrapeBit() const;
  std::string Render(pipeline::ReaderId reader, unsigned bit);
  void Republish();

  pipeline::MetricsAggregator& metrics_;
  const Clock& clock_;
  const std::function<void(bool, bool)> wanted_;
  const std::function<void(std::uint16_t, bool)> listening_;
  exporter::SinkSet sinks_;
  exporter::TailRing tail_;
  std::map<std::string, Scrape> scrapes_;
  std::vector<config::Route> routes_;
  std::vector<std::string> names_;  // of push sinks
  std::atomic<std::shared_ptr<const pipeline::RouteTable>> table_;
  // The same routes, over the sinks that are scraped: with bits of their own, because nothing is ever sent to them, and
  // a span that is routed to nothing else has no sink.
  std::atomic<std::shared_ptr<const pipeline::RouteTable>> scrape_table_;
};

}  // namespace probed::app
