// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/selfmon/prometheus_names.h"

#include <gtest/gtest.h>

#include <limits>

namespace probed::selfmon {
namespace {

struct NameCase {
  std::string_view name;
  std::string_view unit;
  MetricKind kind;
  std::string_view expected;
};

TEST(PrometheusName, FollowsTheUnitAndTheKind) {
  const NameCase cases[] = {
      {"http.server.request.duration", "s", MetricKind::kGauge, "http_server_request_duration_seconds"},
      {"probed.module.events", "{event}", MetricKind::kCounter, "probed_module_events_total"},
      {"probed.memory", "By", MetricKind::kGauge, "probed_memory_bytes"},
      {"probed.sent", "By", MetricKind::kCounter, "probed_sent_bytes_total"},
      {"probed.sent.bytes", "By", MetricKind::kCounter, "probed_sent_bytes_total"},
      {"probed.requests_total", "", MetricKind::kCounter, "probed_requests_total"},
      {"probed.seconds_total", "s", MetricKind::kCounter, "probed_seconds_total"},
      {"probed.fill", "1", MetricKind::kGauge, "probed_fill_ratio"},
      {"probed.calls", "1", MetricKind::kCounter, "probed_calls_total"},
      {"probed.rate", "By/s", MetricKind::kGauge, "probed_rate_bytes_per_second"},
      {"probed.events.rate", "{event}/s", MetricKind::kGauge, "probed_events_rate_per_second"},
      {"odd..name--x.", "", MetricKind::kGauge, "odd_name_x"},
      {"9lives", "", MetricKind::kGauge, "_9lives"},
      {"probed.cpu", "%", MetricKind::kGauge, "probed_cpu_percent"},
      {"probed.delay", "fortnight", MetricKind::kGauge, "probed_delay_fortnight"},
  };
  for (const NameCase& c : cases) EXPECT_EQ(PrometheusName(c.name, c.unit, c.kind), c.expected) << c.name;
}

TEST(PrometheusLabel, KeepsOnlyWhatLabelsMayHold) {
  EXPECT_EQ(PrometheusLabel("service.name"), "service_name");
  EXPECT_EQ(PrometheusLabel("0"), "_0");
  EXPECT_EQ(PrometheusLabel(""), "_");
}

TEST(PrometheusEscaping, CannotBeBrokenOutOf) {
  EXPECT_EQ(EscapeLabelValue("a\"b\\c\nd"), "a\\\"b\\\\c\\nd");
  EXPECT_EQ(EscapeHelp("a\"b\\c\nd"), "a\"b\\\\c\\nd");
}

TEST(FormatValue, WritesWholeNumbersPlainly) {
  EXPECT_EQ(FormatValue(0), "0");
  EXPECT_EQ(FormatValue(100000000), "100000000");
  EXPECT_EQ(FormatValue(-3), "-3");
  EXPECT_EQ(FormatValue(0.25), "0.25");
}

TEST(FormatValue, HasWordsForWhatIsNoNumber) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  EXPECT_EQ(FormatValue(kInfinity), "+Inf");
  EXPECT_EQ(FormatValue(-kInfinity), "-Inf");
  EXPECT_EQ(FormatValue(std::numeric_limits<double>::quiet_NaN()), "NaN");
}

}  // namespace
}  // namespace probed::selfmon
