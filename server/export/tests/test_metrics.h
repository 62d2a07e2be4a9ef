// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Metrics for the tests, all of one service and one scope.
#pragma once

#include <memory>

#include "server/export/metrics_snapshot.h"
#include "server/export/resource.h"

namespace probed::exporter {

inline Metric TestMetric(std::string name, std::string unit, MetricKind kind) {
  static const auto resource =
      std::make_shared<const Resource>(MakeResource(9, {{"service.name", std::string("shop")},
                                                        {"service.namespace", std::string("eu")},
                                                        {"service.instance.id", std::string("i-1")},
                                                        {"host.name", std::string("h")}}));
  static const auto scope = std::make_shared<const Scope>(MakeScope(3, "probed.http", "0.1.0"));
  Metric metric;
  metric.resource = resource;
  metric.scope = scope;
  metric.name = std::move(name);
  metric.unit = std::move(unit);
  metric.kind = kind;
  return metric;
}

inline Metric TestHistogram() {
  Metric metric = TestMetric("http.server.request.duration", "s", MetricKind::kHistogram);
  metric.description = "Duration of HTTP server requests.";
  MetricPoint point;
  point.attributes = {{"http.request.method", std::string("GET")}, {"http.response.status_code", std::int64_t{200}}};
  point.start_utc_ns = 1000;
  point.time_utc_ns = 2000;
  point.count = 6;
  point.sum = 1.75;
  point.min = 0.001;
  point.max = 1.5;
  point.bounds = {0.005, 0.01};
  point.bucket_counts = {1, 2, 3};
  metric.points.push_back(point);
  return metric;
}

inline Metric TestSum() {
  Metric metric = TestMetric("dns.client.requests", "{request}", MetricKind::kSum);
  metric.monotonic = true;
  metric.temporality = config::Temporality::kDelta;
  MetricPoint point;
  point.start_utc_ns = 1000;
  point.time_utc_ns = 2000;
  point.value = std::int64_t{7};
  metric.points.push_back(point);
  return metric;
}

inline Metric TestGauge() {
  Metric metric = TestMetric("process.cpu.utilization", "1", MetricKind::kGauge);
  MetricPoint point;
  point.time_utc_ns = 2000;
  point.value = 0.5;
  metric.points.push_back(point);
  return metric;
}

}  // namespace probed::exporter
