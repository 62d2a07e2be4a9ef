// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "clients/cli/lib/otlp_line.h"

#include <gmock/gmock.h>

namespace probed::cli {
namespace {

using testing::HasSubstr;
using testing::Not;

v1::TailItem Item(const std::string& json) {
  v1::TailItem item;
  item.set_signal(v1::SIGNAL_TRACES);
  item.set_module("http");
  item.set_service("shop");
  item.set_json(json);
  return item;
}

// 2023-11-14T22:13:20.123Z, lasting 100.3 ms.
constexpr const char* kSpan = R"({"resource":{"attributes":[]},"span":{
  "traceId":"0123456789abcdef0123456789abcdef","spanId":"0123456789abcdef","name":"GET /world","kind":2,
  "startTimeUnixNano":"1700000000123000000","endTimeUnixNano":"1700000000223300000","status":{},
  "attributes":[
    {"key":"http.request.method","value":{"stringValue":"GET"}},
    {"key":"url.path","value":{"stringValue":"/world/1"}},
    {"key":"http.response.status_code","value":{"intValue":"200"}},
    {"key":"network.protocol.version","value":{"stringValue":"1.1"}},
    {"key":"http.request.header.accept","value":{"arrayValue":{"values":[{"stringValue":"a"},{"stringValue":"b"}]}}}]}})";

TEST(ItemLine, TellsASpanInOneLine) {
  EXPECT_EQ(ItemLine(Item(kSpan), {{}, false, true}),
            "22:13:20.123 shop SERVER GET /world 200 100ms url.path=/world/1 http.request.header.accept=[a,b]");
}

TEST(ItemLine, ShowsEverythingWhenWide) {
  const std::string line = ItemLine(Item(kSpan), {{40, false}, true, true});
  EXPECT_THAT(line, HasSubstr("network.protocol.version=1.1"));
  EXPECT_THAT(line, HasSubstr("traceId=0123456789abcdef0123456789abcdef"));
}

TEST(ItemLine, FitsTheTerminal) {
  const std::string line = ItemLine(Item(kSpan), {{50, false}, false, true});
  EXPECT_EQ(line, "22:13:20.123 shop SERVER GET /world 200 100ms url\u2026");
}

TEST(ItemLine, SaysErrorWithItsType) {
  const std::string line =
      ItemLine(Item(R"({"span":{"name":"GET","kind":3,"startTimeUnixNano":"1","endTimeUnixNano":"2",
    "status":{"code":2},"attributes":[{"key":"error.type","value":{"stringValue":"connection_reset"}}]}})"),
               {{}, false, true});
  EXPECT_THAT(line, HasSubstr("CLIENT GET connection_reset 1ns"));
  EXPECT_THAT(line, Not(HasSubstr("error.type=")));
}

TEST(ItemLine, CannotMoveTheCursor) {
  const std::string line = ItemLine(Item(R"({"span":{"name":"GET \u001b[2J\n","kind":2,"attributes":[
    {"key":"url.path","value":{"stringValue":"/\u009b1;1H\u202e"}}]}})"),
                                    {{}, false, true});
  EXPECT_THAT(line, HasSubstr("GET \\x1b[2J\\n"));
  EXPECT_THAT(line, HasSubstr("/\\u009b1;1H\\u202e"));
}

TEST(ItemLine, PaintsErrorsRed) {
  const std::string line = ItemLine(Item(R"({"span":{"name":"GET","status":{"code":2},"attributes":[
        {"key":"http.response.status_code","value":{"intValue":"500"}}]}})"),
                                    {{200, true}, false, true});
  EXPECT_THAT(line, HasSubstr("\033[31m500\033[0m"));
}

TEST(ItemLine, TellsMetricsAndLogs) {
  EXPECT_THAT(ItemLine(Item(R"({"metric":{"name":"http.server.request.duration","unit":"s","histogram":{"dataPoints":[
    {"count":"4","sum":0.5,"timeUnixNano":"1700000000123000000"}]}}})"),
                       {{}, false, true}),
              HasSubstr("22:13:20.123 shop METRIC http.server.request.duration count=4 sum=0.5 s"));
  EXPECT_THAT(ItemLine(Item(R"({"logRecord":{"severityText":"WARN","body":{"stringValue":"disk full"}}})"), {}),
              HasSubstr("shop LOG WARN disk full"));
}

TEST(ItemLine, SurvivesWhatItDoesNotKnow) {
  EXPECT_EQ(ItemLine(Item("not json\x1b"), {}), "shop not json\\x1b");
  EXPECT_EQ(ItemLine(Item("[]"), {}), "shop []");
  EXPECT_THAT(ItemLine(Item(R"({"span":[]})"), {}), HasSubstr("shop"));
  EXPECT_THAT(ItemLine(Item(R"({"span":{"attributes":{"a":1},"kind":"x","startTimeUnixNano":-1.5}})"), {}),
              HasSubstr("shop"));
}

}  // namespace
}  // namespace probed::cli
