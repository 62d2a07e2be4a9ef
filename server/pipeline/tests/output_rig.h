// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Everything a SpanOutput needs, with a fake /proc, a clock that stands still and a sink that keeps what it got.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "server/discovery/tests/fake_proc.h"
#include "server/export/otlp_reader.h"
#include "server/export/resource.h"
#include "server/pipeline/span_output.h"

namespace probed::pipeline {

class StillClock final : public Clock {
 public:
  std::uint64_t KtimeNs() const override { return now_ns; }
  std::uint64_t UtcNs() const override { return 1'000'000'000'000'000'000 + now_ns; }
  std::uint64_t now_ns = 5'000'000'000;
};

/// A span as a sink sees it.
struct SentSpan {
  std::string name;
  std::string service;
  std::string trace_id;
  std::string span_id;
  std::string parent_span_id;
};

struct OutputRig {
  explicit OutputRig(std::uint32_t shards = 1)
      : links(LinkTableOptions{.shards = shards}), metrics(MetricsOptions{.shards = shards}, 1) {
    shared.clock = &clock;
    shared.keys = &keys;
    shared.links = &links;
    shared.metrics = &metrics;
    shared.processes = &processes;
    shared.resources = &resources;
    shared.deliver = [this](SinkMask /*mask*/, const exporter::BatchPtr& batch) { batches.push_back(batch); };
    shared.routes = [this] { return routes; };
    shared.service_names = [this] { return service_names; };
  }

  std::vector<SentSpan> Sent() const {
    std::vector<SentSpan> spans;
    for (const exporter::BatchPtr& batch : batches)
      exporter::ForEachItem(batch->bytes, [&](const exporter::ItemView& item) {
        const exporter::SpanView span = exporter::ReadSpan(item.item);
        spans.push_back({std::string(span.name), std::string(exporter::ReadServiceName(item.resource)),
                         std::string(span.trace_id), std::string(span.span_id), std::string(span.parent_span_id)});
      });
    return spans;
  }

  StillClock clock;
  exporter::KeyTable keys;
  LinkTable links;
  MetricsAggregator metrics;
  discovery::FakeProc proc;
  discovery::ProcReader reader{proc.root()};
  discovery::ProcessTable processes{reader, discovery::HostInfo{}};
  ResourceCache resources{discovery::HostInfo{}};
  std::shared_ptr<const RouteTable> routes = std::make_shared<const RouteTable>(
      std::vector<config::Route>{}, [](std::string_view) { return std::nullopt; }, SinkMask{1});
  std::shared_ptr<const std::vector<std::string>> service_names = std::make_shared<const std::vector<std::string>>();
  std::vector<exporter::BatchPtr> batches;
  ModuleOutput module{
      .id = 1, .name = "toy", .scope = std::make_shared<const exporter::Scope>(exporter::MakeScope(1, "toy", "1"))};
  Shared shared;
};

}  // namespace probed::pipeline
