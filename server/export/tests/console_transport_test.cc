// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/export/console_transport.h"

#include <gmock/gmock.h>

#include "server/export/log_encoder.h"
#include "server/export/metric_encoder.h"
#include "server/export/tests/test_metrics.h"
#include "server/export/tests/test_span.h"

namespace probed::exporter {
namespace {

std::string LineOf(TestSpan& span, const KeyTable& keys) {
  BatchBuilder builder(keys);
  builder.Append(MakeResource(1, {{"service.name", std::string("shop")}}), MakeScope(1, "s", ""), span.record());
  return ConsoleText(*builder.Seal());
}

TEST(Console, OneLinePerSpan) {
  KeyTable keys;
  TestSpan span;
  span.Text(keys.Intern("http.route"), "/users").Int(keys.Intern("http.response.status_code"), 500);
  span.Strings(keys.Intern("list"), {"a", "b"});
  span.record().status = PROBE_STATUS_ERROR;
  EXPECT_EQ(LineOf(span, keys),
            "2023-11-14T22:13:20.000Z shop server GET /users error 1.50ms http.route=/users "
            "http.response.status_code=500 list=[a, b]\n");
}

TEST(Console, CutsWhatIsLongAndCountsWhatIsMore) {
  KeyTable keys;
  TestSpan span;
  span.Text(keys.Intern("long"), std::string(79, 'x') + "\xc3\xa9" + std::string(100, 'y'));
  for (int i = 0; i < 9; ++i) span.Int(keys.Intern("k" + std::to_string(i)), i);
  const std::string line = LineOf(span, keys);
  EXPECT_THAT(line, testing::HasSubstr(" long=" + std::string(79, 'x') + "… k0=0"));
  EXPECT_THAT(line, testing::EndsWith(" k4=4 +4\n"));
}

TEST(Console, TrafficCannotMoveTheCursor) {
  KeyTable keys;
  TestSpan span;
  span.record().name = "GET /\x1b[2J\r\n\x7f\xc2\x9b\xe2\x80\xae";
  span.Text(keys.Intern("a"), "\\n\t");
  const std::string line = LineOf(span, keys);
  EXPECT_THAT(line, testing::HasSubstr(R"(GET /\x1b[2J\r\n\x7f\x9b\u{202e} ok)"));
  EXPECT_THAT(line, testing::HasSubstr(R"(a=\\n\t)"));
  EXPECT_EQ(std::count(line.begin(), line.end(), '\n'), 1);
}

TEST(Console, KeepsOrdinaryUnicode) {
  EXPECT_EQ(EscapeForTerminal("café 日本 😀"), "café 日本 😀");
  EXPECT_EQ(EscapeForTerminal("\xff"), "\xEF\xBF\xBD");
}

TEST(Console, MetricsAndLogs) {
  EXPECT_EQ(ConsoleText(*EncodeMetrics({{TestHistogram()}}).at(0)),
            "shop metric http.server.request.duration s points=1\n");
  const KeyTable keys;
  LogBatchBuilder logs(keys);
  LogRecord record;
  record.time_utc_ns = 1'700'000'000'123'000'000;
  record.severity = 17;
  record.event_name = "killed";
  record.body = "out of memory";
  logs.Append(MakeResource(1, {}), MakeScope(1, "s", ""), record);
  EXPECT_EQ(ConsoleText(*logs.Seal()), "2023-11-14T22:13:20.123Z - log17 killed out of memory\n");
}

TEST(Console, WritesThroughItsWriter) {
  std::string written;
  bool good = true;
  const auto transport = MakeConsoleTransport([&](std::string_view text) {
    written += text;
    return good;
  });
  EXPECT_EQ(transport->Send(TestBatch(2), std::chrono::seconds(1)).kind, AttemptResult::Kind::kOk);
  EXPECT_EQ(std::count(written.begin(), written.end(), '\n'), 2);
  good = false;
  EXPECT_EQ(transport->Send(TestBatch(), std::chrono::seconds(1)).kind, AttemptResult::Kind::kPermanent);
}

}  // namespace
}  // namespace probed::exporter
