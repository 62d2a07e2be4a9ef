// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/pipeline/metrics_aggregator.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <sstream>
#include <thread>

namespace probed::pipeline {
namespace {

using config::Temporality;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr std::uint64_t kSecond = 1'000'000'000;
constexpr std::uint64_t kStart = 1000 * kSecond;
enum Key : std::uint32_t { kMethod = 1, kStatus = 2, kErrorType = 3, kPath = 4, kSecure = 5 };

probe_attribute_t Text(std::uint32_t key, std::string_view text) {
  probe_attribute_t attribute{};
  attribute.key = key;
  attribute.type = PROBE_ATTR_STRING;
  attribute.value.string = {text.data(), text.size()};
  return attribute;
}

probe_attribute_t Integer(std::uint32_t key, std::int64_t number) {
  probe_attribute_t attribute{};
  attribute.key = key;
  attribute.type = PROBE_ATTR_INT;
  attribute.value.integer = number;
  return attribute;
}

probe_attribute_t Boolean(std::uint32_t key, bool flag) {
  probe_attribute_t attribute{};
  attribute.key = key;
  attribute.type = PROBE_ATTR_BOOL;
  attribute.value.boolean = flag ? 1 : 0;
  return attribute;
}

InstrumentSpec Duration() {
  InstrumentSpec spec;
  spec.name = "http.server.request.duration";
  spec.unit = "s";
  spec.kind = InstrumentKind::kHistogram;
  spec.bounds = {0.1, 1, 10};
  spec.attributes = {
      {kStatus, "http.response.status_code"}, {kMethod, "http.request.method"}, {kErrorType, "error.type"}};
  return spec;
}

InstrumentSpec Sum(std::string name, InstrumentKind kind = InstrumentKind::kCounter) {
  InstrumentSpec spec;
  spec.name = std::move(name);
  spec.unit = "{request}";
  spec.kind = kind;
  spec.attributes = {{kMethod, "http.request.method"}};
  return spec;
}

ResourcePtr Resource(std::uint64_t id) {
  auto resource = std::make_shared<exporter::Resource>();
  resource->id = id;
  return resource;
}

class MetricsTest : public ::testing::Test {
 protected:
  InstrumentId Declare(const InstrumentSpec& spec) {
    const Result<InstrumentId> id = metrics_.Declare(spec);
    EXPECT_TRUE(id.ok()) << id.status();
    return id.ok() ? *id : 0;
  }
  void Record(InstrumentId id, double value, const std::vector<probe_attribute_t>& attributes,
              std::string_view error = {}, std::uint32_t shard = 0, std::uint64_t resource = 1) {
    const probe_measurement_t measurement{id, 0, value};
    metrics_.Record(shard, Resource(resource), {{&measurement, 1}, attributes, error});
  }
  exporter::MetricSnapshot Collect(ReaderId reader, std::uint64_t at_s) {
    return metrics_.Collect(reader, kStart + at_s * kSecond);
  }

  MetricsAggregator metrics_{{.shards = 2, .series_limit = 5, .keep_after_exit = std::chrono::seconds(10)}, kStart};
};

TEST_F(MetricsTest, HistogramCountsByInclusiveBounds) {
  const InstrumentId id = Declare(Duration());
  const ReaderId reader = metrics_.AddReader(Temporality::kCumulative);
  for (const double value : {0.05, 0.1, 0.5, 10.0, 11.0}) Record(id, value, {Text(kMethod, "GET")});
  const exporter::MetricSnapshot snapshot = Collect(reader, 60);
  ASSERT_THAT(snapshot.metrics, SizeIs(1));
  const exporter::Metric& metric = snapshot.metrics[0];
  EXPECT_EQ(metric.name, "http.server.request.duration");
  EXPECT_EQ(metric.unit, "s");
  EXPECT_EQ(metric.kind, exporter::MetricKind::kHistogram);
  EXPECT_EQ(metric.temporality, Temporality::kCumulative);
  EXPECT_EQ(metric.resource->id, 1U);
  ASSERT_THAT(metric.points, SizeIs(1));
  const exporter::MetricPoint& point = metric.points[0];
  EXPECT_THAT(point.bucket_counts, ElementsAre(2, 1, 1, 1));
  EXPECT_THAT(point.bounds, ElementsAre(0.1, 1, 10));
  EXPECT_EQ(point.count, 5U);
  EXPECT_DOUBLE_EQ(point.sum, 21.65);
  EXPECT_EQ(point.min, 0.05);
  EXPECT_EQ(point.max, 11.0);
  EXPECT_EQ(point.start_utc_ns, kStart);
  EXPECT_EQ(point.time_utc_ns, kStart + 60 * kSecond);
}

TEST_F(MetricsTest, KeepsOnlyWhatTheInstrumentLists) {
  const InstrumentId id = Declare(Duration());
  const ReaderId reader = metrics_.AddReader(Temporality::kCumulative);
  Record(id, 1, {Text(kPath, "/a"), Integer(kStatus, 500), Text(kMethod, "GET")}, "500");
  Record(id, 1, {Text(kMethod, "GET"), Text(kPath, "/b"), Integer(kStatus, 500)}, "500");
  const exporter::MetricSnapshot snapshot = Collect(reader, 1);
  ASSERT_THAT(snapshot.metrics[0].points, SizeIs(1));
  EXPECT_EQ(snapshot.metrics[0].points[0].count, 2U);
  EXPECT_EQ(snapshot.metrics[0].points[0].attributes,
            (exporter::AttributeList{{"http.request.method", std::string("GET")},
                                     {"http.response.status_code", std::int64_t{500}},
                                     {"error.type", std::string("500")}}));
}

TEST_F(MetricsTest, ValuesOfEveryTypeTellSeriesApart) {
  InstrumentSpec spec = Sum("a");
  spec.attributes = {{kSecure, "secure"}, {kMethod, "m"}};
  const InstrumentId id = Declare(spec);
  const ReaderId reader = metrics_.AddReader(Temporality::kCumulative);
  Record(id, 1, {Boolean(kSecure, true)});
  Record(id, 1, {Boolean(kSecure, false)});
  Record(id, 1, {Text(kMethod, "")});
  Record(id, 1, {});
  EXPECT_THAT(Collect(reader, 1).metrics[0].points, SizeIs(4));
}

TEST_F(MetricsTest, LongValuesAreCutBetweenCharacters) {
  const InstrumentId id = Declare(Sum("a"));
  const ReaderId reader = metrics_.AddReader(Temporality::kCumulative);
  Record(id, 1, {Text(kMethod, std::string(127, 'x') + "\xc3\xa4" + "tail")});
  const auto snapshot = Collect(reader, 1);
  EXPECT_EQ(std::get<std::string>(snapshot.metrics[0].points[0].attributes[0].second), std::string(127, 'x'));
}

TEST_F(MetricsTest, ShardsAddUp) {
  const InstrumentId id = Declare(Sum("requests"));
  const ReaderId reader = metrics_.AddReader(Temporality::kCumulative);
  Record(id, 2, {Text(kMethod, "GET")}, {}, 0);
  Record(id, 3, {Text(kMethod, "GET")}, {}, 1);
  Record(id, 9, {Text(kMethod, "GET")}, {}, 7);  // no such shard
  const auto snapshot = Collect(reader, 1);
  ASSERT_THAT(snapshot.metrics[0].points, SizeIs(1));
  EXPECT_EQ(std::get<double>(snapshot.metrics[0].points[0].value), 5);
  EXPECT_TRUE(snapshot.metrics[0].monotonic);
}

TEST_F(MetricsTest, CumulativeGoesOnAndDeltaBeginsAnew) {
  const InstrumentId id = Declare(Duration());
  const ReaderId cumulative = metrics_.AddReader(Temporality::kCumulative);
  const ReaderId delta = metrics_.AddReader(Temporality::kDelta);
  Record(id, 1, {});
  EXPECT_EQ(Collect(cumulative, 10).metrics[0].points[0].count, 1U);
  Record(id, 5, {});
  const auto first = Collect(delta, 20);
  EXPECT_EQ(first.metrics[0].points[0].count, 2U);
  EXPECT_EQ(first.metrics[0].points[0].start_utc_ns, kStart);
  EXPECT_EQ(first.metrics[0].temporality, Temporality::kDelta);
  Record(id, 7, {});
  EXPECT_EQ(Collect(cumulative, 30).metrics[0].points[0].count, 3U);
  EXPECT_EQ(Collect(cumulative, 31).metrics[0].points[0].count, 3U);
  const auto second = Collect(delta, 40);
  EXPECT_EQ(second.metrics[0].points[0].count, 1U);
  EXPECT_EQ(second.metrics[0].points[0].min, 7);
  EXPECT_THAT(second.metrics[0].points[0].bucket_counts, ElementsAre(0, 0, 1, 0));
  EXPECT_EQ(second.metrics[0].points[0].start_utc_ns, kStart + 20 * kSecond);
  EXPECT_THAT(Collect(delta, 50).metrics, IsEmpty());
}

TEST_F(MetricsTest, NewDeltaReaderSeesOnlyWhatIsNew) {
  const InstrumentId id = Declare(Sum("a"));
  Record(id, 4, {});
  const ReaderId delta = metrics_.AddReader(Temporality::kDelta);
  const ReaderId cumulative = metrics_.AddReader(Temporality::kCumulative);
  Record(id, 1, {});
  EXPECT_EQ(std::get<double>(Collect(delta, 1).metrics[0].points[0].value), 1);
  EXPECT_EQ(std::get<double>(Collect(cumulative, 1).metrics[0].points[0].value), 5);
  metrics_.RemoveReader(delta);
  EXPECT_THAT(Collect(delta, 2).metrics, IsEmpty());
}

TEST_F(MetricsTest, StartOfALaterSeriesIsTheLastCollection) {
  const InstrumentId id = Declare(Sum("a"));
  const ReaderId reader = metrics_.AddReader(Temporality::kCumulative);
  Record(id, 1, {Text(kMethod, "GET")});
  Collect(reader, 10);
  Record(id, 1, {Text(kMethod, "PUT")});
  std::vector<std::uint64_t> starts;
  const exporter::MetricSnapshot snapshot = Collect(reader, 20);
  for (const auto& point : snapshot.metrics[0].points) starts.push_back(point.start_utc_ns);
  EXPECT_THAT(starts, ::testing::UnorderedElementsAre(kStart, kStart + 10 * kSecond));
}

TEST_F(MetricsTest, GaugeIsTheLastValueAndCountsDoNotFall) {
  const InstrumentId gauge = Declare(Sum("gauge", InstrumentKind::kGauge));
  const InstrumentId updown = Declare(Sum("updown", InstrumentKind::kUpDownCounter));
  const InstrumentId counter = Declare(Sum("counter"));
  const ReaderId reader = metrics_.AddReader(Temporality::kCumulative);
  for (const double value : {5.0, -2.0, std::nan(""), HUGE_VAL}) {
    for (const InstrumentId id : {gauge, updown, counter}) Record(id, value, {});
  }
  std::map<std::string, double> values;
  for (const auto& metric : Collect(reader, 1).metrics) {
    values[metric.name] = std::get<double>(metric.points[0].value);
    EXPECT_EQ(metric.monotonic, metric.name == "counter");
  }
  EXPECT_EQ(values, (std::map<std::string, double>{{"gauge", -2}, {"updown", 3}, {"counter", 5}}));
}

TEST_F(MetricsTest, SeriesOverTheLimitShareOne) {
  const InstrumentId id = Declare(Sum("a"));
  const ReaderId reader = metrics_.AddReader(Temporality::kCumulative);
  for (int round = 0; round < 2; ++round) {
    for (int i = 0; i < 20; ++i) Record(id, 1, {Text(kMethod, "M" + std::to_string(i))});
  }
  Record(id, 1, {Text(kMethod, "M0")}, {}, 0, 2);  // another resource has its own limit
  const auto snapshot = Collect(reader, 1);
  ASSERT_THAT(snapshot.metrics, SizeIs(2));
  ASSERT_THAT(snapshot.metrics[0].points, SizeIs(5));
  double kept = 0;
  double overflow = 0;
  for (const auto& point : snapshot.metrics[0].points) {
    (point.overflow ? overflow : kept) += std::get<double>(point.value);
  }
  EXPECT_EQ(kept, 8);
  EXPECT_EQ(overflow, 32);
  EXPECT_EQ(metrics_.overflowed(), 32U);
  EXPECT_THAT(snapshot.metrics[1].points, SizeIs(1));
}

TEST_F(MetricsTest, EqualInstrumentsMergeAndConflictsAreRefused) {
  const InstrumentId id = Declare(Duration());
  EXPECT_EQ(Declare(Duration()), id);
  InstrumentSpec fewer = Duration();
  fewer.attributes.pop_back();
  const InstrumentId other = Declare(fewer);
  EXPECT_NE(other, id);
  const ReaderId reader = metrics_.AddReader(Temporality::kCumulative);
  Record(id, 1, {Text(kMethod, "GET")});
  Record(other, 1, {Text(kMethod, "GET")});
  const auto snapshot = Collect(reader, 1);
  ASSERT_THAT(snapshot.metrics, SizeIs(1));
  ASSERT_THAT(snapshot.metrics[0].points, SizeIs(1));
  EXPECT_EQ(snapshot.metrics[0].points[0].count, 2U);

  InstrumentSpec unit = Duration();
  unit.unit = "ms";
  InstrumentSpec bounds = Duration();
  bounds.bounds = {1, 2};
  InstrumentSpec kind = Duration();
  kind.kind = InstrumentKind::kCounter;
  for (const InstrumentSpec& conflict : {unit, bounds, kind}) {
    EXPECT_EQ(metrics_.Declare(conflict).status().code(), absl::StatusCode::kFailedPrecondition);
  }
}

TEST_F(MetricsTest, BadInstrumentsAreRefused) {
  InstrumentSpec unnamed = Duration();
  unnamed.name.clear();
  InstrumentSpec unordered = Duration();
  unordered.bounds = {1, 1};
  InstrumentSpec infinite = Duration();
  infinite.bounds = {1, HUGE_VAL};
  InstrumentSpec wide = Duration();
  for (std::uint32_t i = 0; i < 20; ++i) wide.attributes.push_back({100 + i, "a" + std::to_string(i)});
  for (const InstrumentSpec& bad : {unnamed, unordered, infinite, wide}) {
    EXPECT_EQ(metrics_.Declare(bad).status().code(), absl::StatusCode::kInvalidArgument);
  }
}

TEST_F(MetricsTest, HistogramWithoutBoundsHasTheDefaults) {
  InstrumentSpec spec = Duration();
  spec.bounds.clear();
  const InstrumentId id = Declare(spec);
  const ReaderId reader = metrics_.AddReader(Temporality::kCumulative);
  Record(id, 3, {});
  EXPECT_THAT(Collect(reader, 1).metrics[0].points[0].bounds, SizeIs(15));
}

TEST_F(MetricsTest, OneSpanFeedsSeveralInstruments) {
  const InstrumentId duration = Declare(Duration());
  InstrumentSpec size_spec = Duration();
  size_spec.name = "http.server.response.body.size";
  size_spec.unit = "By";
  const InstrumentId size = Declare(size_spec);
  const InstrumentId count = Declare(Sum("requests"));
  const ReaderId reader = metrics_.AddReader(Temporality::kCumulative);
  const std::vector<probe_measurement_t> measured = {{999, 0, 1},  {duration, 0, 0.5}, {size, 0, 20},
                                                     {5000, 0, 1}, {count, 0, 1},      {duration, 0, 0.5}};
  const std::vector<probe_attribute_t> attributes = {Text(kMethod, "GET")};
  metrics_.Record(0, Resource(1), {measured, attributes});
  std::map<std::string, std::uint64_t> counts;
  for (const auto& metric : Collect(reader, 1).metrics) {
    const auto& point = metric.points.at(0);
    counts[metric.name] =
        metric.name == "requests" ? static_cast<std::uint64_t>(std::get<double>(point.value)) : point.count;
  }
  EXPECT_EQ(counts, (std::map<std::string, std::uint64_t>{
                        {"http.server.request.duration", 2}, {"http.server.response.body.size", 1}, {"requests", 1}}));
}

TEST_F(MetricsTest, GoneProcessIsShownForAWhileAndThenForgotten) {
  const InstrumentId id = Declare(Sum("a"));
  const ReaderId reader = metrics_.AddReader(Temporality::kCumulative);
  Record(id, 1, {Text(kMethod, "GET")}, {}, 0, 1);
  Record(id, 1, {Text(kMethod, "GET")}, {}, 1, 2);
  Record(id, 1, {Text(kMethod, "PUT")}, {}, 0, 1);
  Collect(reader, 1);
  metrics_.ForgetResource(1, kStart + kSecond);
  EXPECT_THAT(Collect(reader, 10).metrics, SizeIs(2));
  EXPECT_THAT(Collect(reader, 11).metrics, SizeIs(2));  // the last look
  const auto left = Collect(reader, 12);
  ASSERT_THAT(left.metrics, SizeIs(1));
  EXPECT_EQ(left.metrics[0].resource->id, 2U);
  EXPECT_EQ(metrics_.series(), 1U);
  Record(id, 1, {Text(kMethod, "GET")}, {}, 0, 1);  // a latecomer starts anew
  EXPECT_THAT(Collect(reader, 13).metrics, SizeIs(2));
}

/// All points as text, the same for the same content.
std::vector<std::string> Points(const exporter::MetricSnapshot& snapshot) {
  std::vector<std::string> lines;
  for (const exporter::Metric& metric : snapshot.metrics) {
    for (const exporter::MetricPoint& point : metric.points) {
      std::ostringstream line;
      line << metric.name << " of " << metric.resource->id << (point.overflow ? " overflow" : "");
      for (const auto& [key, value] : point.attributes) {
        line << ' ' << key << '=';
        if (const auto* text = std::get_if<std::string>(&value)) line << *text;
        if (const auto* number = std::get_if<std::int64_t>(&value)) line << *number;
      }
      line << ": " << point.count << ' ' << point.sum << ' ' << point.min.value_or(-1) << ' ' << point.max.value_or(-1);
      for (const std::uint64_t bucket : point.bucket_counts) line << ' ' << bucket;
      lines.push_back(line.str());
    }
  }
  std::sort(lines.begin(), lines.end());
  return lines;
}

TEST_F(MetricsTest, AMemoChangesNothing) {
  MetricsAggregator plain({.shards = 2, .series_limit = 5, .keep_after_exit = std::chrono::seconds(10)}, kStart);
  InstrumentSpec size = Duration();
  size.name = "http.server.response.body.size";
  InstrumentSpec other = Sum("requests");
  std::vector<InstrumentId> ids;
  for (const InstrumentSpec& spec : {Duration(), size, other}) {
    ids.push_back(Declare(spec));
    EXPECT_EQ(*plain.Declare(spec), ids.back());
  }
  const ReaderId reader = metrics_.AddReader(Temporality::kCumulative);
  EXPECT_EQ(plain.AddReader(Temporality::kCumulative), reader);
  std::mt19937_64 random(11);
  const std::string_view methods[] = {"GET", "PUT", "POST"};
  MetricsAggregator::Memo memos[3];  // one for each method: the constant attribute
  for (int i = 0; i < 5000; ++i) {
    const std::size_t method = random() % 3;
    std::vector<probe_attribute_t> attributes = {Text(kMethod, methods[method]), Text(kPath, "/")};
    if (random() % 8 != 0) attributes.push_back(Integer(kStatus, random() % 16 != 0 ? 200 : 500));
    if (random() % 16 == 0) attributes.push_back(Text(kMethod, "TRACE"));  // the last one stands
    std::vector<probe_measurement_t> measured;
    for (std::size_t n = 1 + random() % 6; n > 0; --n) {
      const double value = random() % 32 == 0 ? -1 : random() % 32 == 1 ? HUGE_VAL : static_cast<double>(random() % 20);
      measured.push_back({random() % 16 == 0 ? 4711 : ids[random() % 8 == 0 ? random() % 3 : n % 2], 0, value});
    }
    MetricsAggregator::Measured span{measured, attributes, random() % 16 == 0 ? "500" : std::string_view{}};
    const ResourcePtr resource = Resource(random() % 32 == 0 ? 2 : 1);
    plain.Record(0, resource, span);
    span.memo = &memos[method];
    span.constant = 2;
    metrics_.Record(0, resource, span);
    if (i % 1000 == 999) {  // series that memos know are dropped
      const auto at_s = static_cast<std::uint64_t>(i);
      for (MetricsAggregator* metrics : {&metrics_, &plain}) metrics->ForgetResource(1, kStart + at_s * kSecond);
      EXPECT_EQ(Points(Collect(reader, at_s + 20)), Points(plain.Collect(reader, kStart + (at_s + 20) * kSecond)));
    }
  }
  const std::vector<std::string> points = Points(Collect(reader, 9000));
  EXPECT_EQ(points, Points(plain.Collect(reader, kStart + 9000 * kSecond)));
  EXPECT_THAT(points, ::testing::Contains(::testing::HasSubstr("overflow")));
  EXPECT_EQ(metrics_.overflowed(), plain.overflowed());
}

TEST_F(MetricsTest, NothingIsLostWhileCollecting) {
  const InstrumentId id = Declare(Duration());
  const ReaderId cumulative = metrics_.AddReader(Temporality::kCumulative);
  const ReaderId delta = metrics_.AddReader(Temporality::kDelta);
  constexpr int kEach = 20'000;
  std::vector<std::thread> shards;
  shards.reserve(2);
  for (std::uint32_t shard = 0; shard < 2; ++shard) {
    shards.emplace_back([this, id, shard] {
      for (int i = 0; i < kEach; ++i) Record(id, 1, {Integer(kStatus, i % 3)}, {}, shard);
    });
  }
  std::uint64_t seen = 0;
  const auto add = [&seen](const exporter::MetricSnapshot& snapshot) {
    for (const auto& metric : snapshot.metrics) {
      for (const auto& point : metric.points) seen += point.count;
    }
  };
  for (std::uint64_t i = 0; i < 50; ++i) add(Collect(delta, i));
  for (std::thread& shard : shards) shard.join();
  add(Collect(delta, 100));
  EXPECT_EQ(seen, 2U * kEach);
  seen = 0;
  add(Collect(cumulative, 100));
  EXPECT_EQ(seen, 2U * kEach);
}

}  // namespace
}  // namespace probed::pipeline
