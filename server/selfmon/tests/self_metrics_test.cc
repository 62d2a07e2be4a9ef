// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/selfmon/self_metrics.h"

#include <gtest/gtest.h>

namespace probed::selfmon {
namespace {

SampleSource Fixed(std::vector<Sample> samples) {
  return [samples = std::move(samples)] { return samples; };
}

TEST(SelfMetrics, WritesHeadsAndSamplesByName) {
  SelfMetrics metrics;
  EXPECT_TRUE(metrics.Add("probed.ring.size", "By", MetricKind::kGauge, "Bytes of the rings.", Fixed({{{}, 4096}})));
  EXPECT_TRUE(metrics.Add("probed.events", "{event}", MetricKind::kCounter, "Events.",
                          Fixed({{{{"module", "http"}, {"stage", "head"}}, 2}, {{{"module", "dns"}}, 3}})));
  EXPECT_EQ(metrics.Render(),
            "# HELP probed_events_total Events.\n"
            "# TYPE probed_events_total counter\n"
            "probed_events_total{module=\"http\",stage=\"head\"} 2\n"
            "probed_events_total{module=\"dns\"} 3\n"
            "# HELP probed_ring_size_bytes Bytes of the rings.\n"
            "# TYPE probed_ring_size_bytes gauge\n"
            "probed_ring_size_bytes 4096\n");
}

TEST(SelfMetrics, AsksTheSourcesAtEachScrape) {
  SelfMetrics metrics;
  double value = 1;
  metrics.Add("probed.value", "", MetricKind::kGauge, "", [&] { return std::vector<Sample>{{{}, value}}; });
  EXPECT_EQ(metrics.Render(), "# TYPE probed_value gauge\nprobed_value 1\n");
  value = 2.5;
  EXPECT_EQ(metrics.Render(), "# TYPE probed_value gauge\nprobed_value 2.5\n");
}

TEST(SelfMetrics, JoinsSourcesOfOneNameUnderOneHead) {
  SelfMetrics metrics;
  EXPECT_TRUE(metrics.Add("probed.queue", "{batch}", MetricKind::kGauge, "", Fixed({{{{"sink", "a"}}, 1}})));
  EXPECT_TRUE(metrics.Add("probed.queue", "{batch}", MetricKind::kGauge, "", Fixed({{{{"sink", "b"}}, 2}})));
  EXPECT_EQ(metrics.Render(), "# TYPE probed_queue gauge\nprobed_queue{sink=\"a\"} 1\nprobed_queue{sink=\"b\"} 2\n");
}

TEST(SelfMetrics, RefusesOneNameWithTwoMeanings) {
  SelfMetrics metrics;
  EXPECT_TRUE(metrics.Add("probed.queue", "{batch}", MetricKind::kGauge, "", Fixed({{{}, 1}})));
  EXPECT_FALSE(metrics.Add("probed.queue", "{item}", MetricKind::kGauge, "", Fixed({{{}, 2}})));
  EXPECT_FALSE(metrics.Add("probed_queue", "{batch}", MetricKind::kGauge, "", Fixed({{{}, 3}})));
  EXPECT_EQ(metrics.Render(), "# TYPE probed_queue gauge\nprobed_queue 1\n");
}

TEST(SelfMetrics, LeavesOutFamiliesWithoutSamples) {
  SelfMetrics metrics;
  metrics.Add("probed.none", "", MetricKind::kGauge, "Nothing.", Fixed({}));
  EXPECT_EQ(metrics.Render(), "");
}

TEST(SelfMetrics, EscapesWhatComesFromOutside) {
  SelfMetrics metrics;
  metrics.Add("probed.m", "", MetricKind::kGauge, "two\nlines", Fixed({{{{"path", "a\"}\n\\"}}, 1}}));
  EXPECT_EQ(metrics.Render(),
            "# HELP probed_m two\\nlines\n# TYPE probed_m gauge\nprobed_m{path=\"a\\\"}\\n\\\\\"} 1\n");
}

}  // namespace
}  // namespace probed::selfmon
