// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/export/metric_encoder.h"

#include "server/export/envelope.h"

namespace probed::exporter {
namespace {

// Fields of metrics.v1.Metric.
enum : std::uint32_t { kName = 1, kDescription = 2, kUnit = 3, kGauge = 5, kSum = 7, kHistogram = 9 };
// Of Gauge, Sum and Histogram.
enum : std::uint32_t { kDataPoints = 1, kTemporality = 2, kMonotonic = 3 };
// Of both kinds of points.
enum : std::uint32_t { kStart = 2, kTime = 3 };
// Of NumberDataPoint.
enum : std::uint32_t { kAsDouble = 4, kAsInt = 6, kNumberAttributes = 7 };
// Of HistogramDataPoint.
enum : std::uint32_t {
  kCount = 4,
  kPointSum = 5,
  kBucketCounts = 6,
  kBounds = 7,
  kHistogramAttributes = 9,
  kMin = 11,
  kMax = 12,
};
enum : std::uint32_t { kDelta = 1, kCumulative = 2 };  // AggregationTemporality

// A metric is cut into several messages of at most this many points, so that none outgrows a batch.
constexpr std::size_t kPointsPerMessage = 1000;

void PutTimes(WireWriter& out, const MetricPoint& point) {
  if (point.start_utc_ns != 0) out.Fixed64(kStart, point.start_utc_ns);
  out.Fixed64(kTime, point.time_utc_ns);
}

void PutNumberPoint(WireWriter& out, const MetricPoint& point) {
  const std::size_t body = out.Open(kDataPoints, 2);
  PutTimes(out, point);
  if (const auto* integer = std::get_if<std::int64_t>(&point.value)) {
    out.Fixed64(kAsInt, static_cast<std::uint64_t>(*integer));
  } else {
    out.Double(kAsDouble, std::get<double>(point.value));
  }
  WriteAttributes(out, kNumberAttributes, SentAttributes(point));
  out.Close(body, 2);
}

template <typename T>
void PutPacked(WireWriter& out, std::uint32_t field, const std::vector<T>& values) {
  static_assert(sizeof(T) == 8);
  if (values.empty()) return;
  out.Bytes(field, {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)});
}

void PutHistogramPoint(WireWriter& out, const MetricPoint& point) {
  const std::size_t body = out.Open(kDataPoints, 2);
  PutTimes(out, point);
  out.Fixed64(kCount, point.count);
  out.Double(kPointSum, point.sum);
  PutPacked(out, kBucketCounts, point.bucket_counts);
  PutPacked(out, kBounds, point.bounds);
  WriteAttributes(out, kHistogramAttributes, SentAttributes(point));
  if (point.min) out.Double(kMin, *point.min);
  if (point.max) out.Double(kMax, *point.max);
  out.Close(body, 2);
}

std::uint32_t DataField(MetricKind kind) {
  switch (kind) {
    case MetricKind::kHistogram: return kHistogram;
    case MetricKind::kSum: return kSum;
    case MetricKind::kGauge: return kGauge;
  }
  return kGauge;
}

void PutData(WireWriter& out, const Metric& metric, std::span<const MetricPoint> points) {
  const std::size_t data = out.Open(DataField(metric.kind), 3);
  for (const MetricPoint& point : points) {
    metric.kind == MetricKind::kHistogram ? PutHistogramPoint(out, point) : PutNumberPoint(out, point);
  }
  if (metric.kind != MetricKind::kGauge) {
    out.Varint(kTemporality, metric.temporality == config::Temporality::kDelta ? kDelta : kCumulative);
  }
  if (metric.kind == MetricKind::kSum && metric.monotonic) out.Varint(kMonotonic, 1);
  out.Close(data, 3);
}

void PutMetric(WireWriter& out, const Metric& metric, std::span<const MetricPoint> points) {
  const std::size_t item = out.Open(EnvelopeBuilder::kItemField, 3);
  out.Text(kName, metric.name);
  if (!metric.description.empty()) out.Text(kDescription, metric.description);
  if (!metric.unit.empty()) out.Text(kUnit, metric.unit);
  PutData(out, metric, points);
  out.Close(item, 3);
}

class Encoder {
 public:
  void Append(const Metric& metric) {
    if (!metric.resource || !metric.scope) return;
    const std::span<const MetricPoint> points(metric.points);
    for (std::size_t at = 0; at < points.size(); at += kPointsPerMessage) {
      AppendPart(metric, points.subspan(at, std::min(kPointsPerMessage, points.size() - at)));
    }
  }

  std::vector<BatchPtr> Finish() {
    SealIfAny();
    return std::move(batches_);
  }

 private:
  void AppendPart(const Metric& metric, std::span<const MetricPoint> points) {
    PutMetric(envelope_.Group(*metric.resource, *metric.scope), metric, points);
    envelope_.ItemDone(static_cast<std::uint32_t>(points.size()));
    if (envelope_.bytes() >= kMaxBatchBytes / 2) SealIfAny();
  }

  void SealIfAny() {
    if (BatchPtr batch = envelope_.Seal()) batches_.push_back(std::move(batch));
  }

  EnvelopeBuilder envelope_{config::Signal::kMetrics};
  std::vector<BatchPtr> batches_;
};

}  // namespace

const AttributeList& SentAttributes(const MetricPoint& point) {
  static const AttributeList overflow = {{"otel.metric.overflow", true}};
  return point.overflow ? overflow : point.attributes;
}

std::vector<BatchPtr> EncodeMetrics(const MetricSnapshot& snapshot) {
  Encoder encoder;
  for (const Metric& metric : snapshot.metrics) encoder.Append(metric);
  return encoder.Finish();
}

}  // namespace probed::exporter
