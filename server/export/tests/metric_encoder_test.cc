// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/export/metric_encoder.h"

#include <gmock/gmock.h>

#include "opentelemetry/proto/collector/metrics/v1/metrics_service.pb.h"
#include "server/export/envelope.h"
#include "server/export/tests/test_metrics.h"

namespace probed::exporter {
namespace {

namespace otlp = opentelemetry::proto::metrics::v1;
using opentelemetry::proto::collector::metrics::v1::ExportMetricsServiceRequest;
using testing::ElementsAre;

ExportMetricsServiceRequest Parse(const BatchPtr& batch) {
  ExportMetricsServiceRequest request;
  EXPECT_TRUE(request.ParseFromString(std::string(batch->bytes)));
  return request;
}

TEST(MetricEncoder, Histogram) {
  const auto batches = EncodeMetrics({{TestHistogram()}});
  ASSERT_EQ(batches.size(), 1U);
  EXPECT_EQ(batches[0]->items, 1U);
  EXPECT_EQ(batches[0]->signal, config::Signal::kMetrics);
  const auto request = Parse(batches[0]);
  EXPECT_EQ(request.resource_metrics(0).resource().attributes(0).value().string_value(), "shop");
  const auto& metric = request.resource_metrics(0).scope_metrics(0).metrics(0);
  EXPECT_EQ(metric.name(), "http.server.request.duration");
  EXPECT_EQ(metric.unit(), "s");
  EXPECT_EQ(metric.description(), "Duration of HTTP server requests.");
  EXPECT_EQ(metric.histogram().aggregation_temporality(), otlp::AGGREGATION_TEMPORALITY_CUMULATIVE);
  const auto& point = metric.histogram().data_points(0);
  EXPECT_EQ(point.start_time_unix_nano(), 1000U);
  EXPECT_EQ(point.time_unix_nano(), 2000U);
  EXPECT_EQ(point.count(), 6U);
  EXPECT_EQ(point.sum(), 1.75);
  EXPECT_EQ(point.min(), 0.001);
  EXPECT_EQ(point.max(), 1.5);
  EXPECT_THAT(point.bucket_counts(), ElementsAre(1, 2, 3));
  EXPECT_THAT(point.explicit_bounds(), ElementsAre(0.005, 0.01));
  EXPECT_EQ(point.attributes(0).key(), "http.request.method");
  EXPECT_EQ(point.attributes(1).value().int_value(), 200);
}

TEST(MetricEncoder, SumsAndGauges) {
  const auto request = Parse(EncodeMetrics({{TestSum(), TestGauge()}}).at(0));
  ASSERT_EQ(request.resource_metrics_size(), 1);
  const auto& metrics = request.resource_metrics(0).scope_metrics(0).metrics();
  EXPECT_TRUE(metrics[0].sum().is_monotonic());
  EXPECT_EQ(metrics[0].sum().aggregation_temporality(), otlp::AGGREGATION_TEMPORALITY_DELTA);
  EXPECT_EQ(metrics[0].sum().data_points(0).as_int(), 7);
  EXPECT_EQ(metrics[1].gauge().data_points(0).as_double(), 0.5);
  EXPECT_EQ(metrics[1].gauge().data_points(0).start_time_unix_nano(), 0U);
}

TEST(MetricEncoder, OverflowSeriesCarriesOnlyItsMark) {
  Metric metric = TestHistogram();
  metric.points[0].overflow = true;
  const auto request = Parse(EncodeMetrics({{metric}}).at(0));
  const auto& point = request.resource_metrics(0).scope_metrics(0).metrics(0).histogram().data_points(0);
  ASSERT_EQ(point.attributes_size(), 1);
  EXPECT_EQ(point.attributes(0).key(), "otel.metric.overflow");
  EXPECT_TRUE(point.attributes(0).value().bool_value());
}

TEST(MetricEncoder, LeavesOutMetricsWithoutPoints) {
  Metric metric = TestSum();
  metric.points.clear();
  EXPECT_THAT(EncodeMetrics({{metric}}), testing::IsEmpty());
}

TEST(MetricEncoder, SplitsWhatOneBatchCannotHold) {
  Metric metric = TestHistogram();
  metric.points[0].bucket_counts.resize(15);
  metric.points[0].bounds.resize(14);
  metric.points.resize(20000, metric.points[0]);
  const auto batches = EncodeMetrics({{metric}});
  EXPECT_GT(batches.size(), 1U);
  std::uint64_t items = 0;
  int points = 0;
  for (const BatchPtr& batch : batches) {
    EXPECT_LE(batch->bytes.size(), kMaxBatchBytes);
    items += batch->items;
    const auto request = Parse(batch);
    for (const auto& part : request.resource_metrics(0).scope_metrics(0).metrics()) {
      points += part.histogram().data_points_size();
    }
  }
  EXPECT_EQ(items, 20000U);
  EXPECT_EQ(points, 20000);
}

}  // namespace
}  // namespace probed::exporter
