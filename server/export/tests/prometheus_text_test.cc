// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/export/prometheus_text.h"

#include <gmock/gmock.h>

#include <limits>

#include "server/export/tests/test_metrics.h"

namespace probed::exporter {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(PrometheusText, NamesAndUnits) {
  EXPECT_EQ(PrometheusName("http.server.request.duration", "s"), "http_server_request_duration_seconds");
  EXPECT_EQ(PrometheusName("process.io", "By"), "process_io_bytes");
  EXPECT_EQ(PrometheusName("dns.requests", "{request}"), "dns_requests");
  EXPECT_EQ(PrometheusName("a..b-c", ""), "a_b_c");
  EXPECT_EQ(PrometheusName("9lives", "1"), "_9lives");
  EXPECT_EQ(PrometheusName("net.rate", "By/s"), "net_rate_bytes_per_second");
  EXPECT_EQ(PrometheusName("already_seconds", "s"), "already_seconds");
}

TEST(PrometheusText, HistogramExactly) {
  const std::string identity =
      R"(job="eu/shop",instance="i-1",otel_scope_name="probed.http",otel_scope_version="0.1.0",)"
      R"(otel_scope_schema_url="https://opentelemetry.io/schemas/1.45.0",)"
      R"(http_request_method="GET",http_response_status_code="200")";
  const std::string name = "http_server_request_duration_seconds";
  EXPECT_EQ(PrometheusText({{TestHistogram()}}),
            "# HELP target_info Target metadata\n# TYPE target_info gauge\n"
            "target_info{job=\"eu/shop\",instance=\"i-1\",host_name=\"h\"} 1\n"
            "# HELP " +
                name + " Duration of HTTP server requests.\n# TYPE " + name + " histogram\n" + name + "_bucket{" +
                identity + ",le=\"0.005\"} 1\n" + name + "_bucket{" + identity + ",le=\"0.01\"} 3\n" + name +
                "_bucket{" + identity + ",le=\"+Inf\"} 6\n" + name + "_sum{" + identity + "} 1.75\n" + name +
                "_count{" + identity + "} 6\n");
}

TEST(PrometheusText, CountersGaugesAndRatios) {
  Metric sum = TestSum();
  sum.temporality = config::Temporality::kCumulative;
  Metric up_down = TestMetric("http.server.active_requests", "{request}", MetricKind::kSum);
  up_down.points = sum.points;
  const std::string text = PrometheusText({{sum, TestGauge(), up_down}});
  EXPECT_THAT(text, HasSubstr("# TYPE dns_client_requests_total counter\ndns_client_requests_total{"));
  EXPECT_THAT(text, HasSubstr("} 7\n"));
  EXPECT_THAT(text, HasSubstr("# TYPE process_cpu_utilization_ratio gauge\n"));
  EXPECT_THAT(text, HasSubstr("} 0.5\n"));
  EXPECT_THAT(text, HasSubstr("# TYPE http_server_active_requests gauge\n"));
}

TEST(PrometheusText, LeavesDeltaOut) {
  const std::string text = PrometheusText({{TestSum()}});
  EXPECT_EQ(text, "");
}

TEST(PrometheusText, SeriesOfOneNameStandTogether) {
  Metric first = TestGauge();
  Metric other = TestHistogram();
  Metric second = TestGauge();
  second.scope = std::make_shared<const Scope>(MakeScope(9, "probed.process", ""));
  const std::string text = PrometheusText({{first, other, second}});
  const std::string type = "# TYPE process_cpu_utilization_ratio gauge\n";
  EXPECT_EQ(text.find(type), text.rfind(type));
  EXPECT_THAT(text, HasSubstr("otel_scope_name=\"probed.process\",otel_scope_schema_url"));
}

TEST(PrometheusText, TheFirstTypeOfANameWins) {
  Metric gauge = TestMetric("x", "", MetricKind::kGauge);
  gauge.points = TestGauge().points;
  Metric sum = TestMetric("x_total", "", MetricKind::kSum);
  sum.monotonic = true;
  sum.points = TestGauge().points;
  Metric clash = TestMetric("x.total", "", MetricKind::kGauge);
  clash.points = TestGauge().points;
  const std::string text = PrometheusText({{gauge, sum, clash}});
  EXPECT_THAT(text, HasSubstr("# TYPE x gauge\n"));
  EXPECT_THAT(text, HasSubstr("# TYPE x_total counter\n"));
  EXPECT_THAT(text, Not(HasSubstr("# TYPE x_total gauge\n")));
}

TEST(PrometheusText, EscapesLabelsAndJoinsKeysThatCollide) {
  Metric metric = TestGauge();
  metric.points[0].attributes = {{"a.b", std::string("x\"\\\n\xff")}, {"a_b", true}, {"n", 1.5}};
  EXPECT_THAT(PrometheusText({{metric}}), HasSubstr("a_b=\"x\\\"\\\\\\n\xEF\xBF\xBD;true\",n=\"1.5\"} 0.5\n"));
}

TEST(PrometheusText, NumbersOutOfTheOrdinaryAndOverflow) {
  Metric metric = TestGauge();
  metric.points[0].value = std::numeric_limits<double>::infinity();
  metric.points[0].overflow = true;
  const std::string text = PrometheusText({{metric}});
  EXPECT_THAT(text, HasSubstr("otel_metric_overflow=\"true\"} +Inf\n"));
}

}  // namespace
}  // namespace probed::exporter
