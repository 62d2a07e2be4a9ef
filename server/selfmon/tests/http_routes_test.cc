// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/selfmon/http_routes.h"

#include <gtest/gtest.h>

namespace probed::selfmon {
namespace {

HttpHandlers AllHandlers() {
  return {.metrics = [] { return std::string("m 1\n"); },
          .healthz = [] { return ProbeAnswer{true, "ok"}; },
          .readyz = [] { return ProbeAnswer{false, "no backend"}; }};
}

TEST(AnswerRequest, ServesMetricsAsExpositionText) {
  const HttpAnswer answer = AnswerRequest(AllHandlers(), "GET", "/metrics?x=1");
  EXPECT_EQ(answer.status, 200U);
  EXPECT_EQ(answer.body, "m 1\n");
  EXPECT_EQ(answer.content_type, "text/plain; version=0.0.4; charset=utf-8");
}

TEST(AnswerRequest, TurnsAProbesWordIntoAStatus) {
  EXPECT_EQ(AnswerRequest(AllHandlers(), "GET", "/healthz").status, 200U);
  const HttpAnswer ready = AnswerRequest(AllHandlers(), "GET", "/readyz");
  EXPECT_EQ(ready.status, 503U);
  EXPECT_EQ(ready.body, "no backend\n");
}

TEST(AnswerRequest, KnowsNothingElse) {
  for (const char* target : {"/", "/metrics/", "/metric", "", "*", "/metrics#x"}) {
    EXPECT_EQ(AnswerRequest(AllHandlers(), "GET", target).status, 404U) << target;
  }
}

TEST(AnswerRequest, ARouteWithoutCallbackDoesNotExist) {
  HttpHandlers handlers;
  handlers.metrics = [] { return std::string(); };
  EXPECT_EQ(AnswerRequest(handlers, "GET", "/healthz").status, 404U);
  EXPECT_EQ(AnswerRequest(handlers, "GET", "/metrics").status, 200U);
}

TEST(AnswerRequest, RefusesMethodsThatChange) {
  const HttpAnswer answer = AnswerRequest(AllHandlers(), "POST", "/metrics");
  EXPECT_EQ(answer.status, 405U);
  EXPECT_EQ(answer.allow, "GET, HEAD");
  EXPECT_EQ(AnswerRequest(AllHandlers(), "HEAD", "/metrics").status, 200U);
  EXPECT_EQ(AnswerRequest(AllHandlers(), "POST", "/nothing").status, 404U);
}

}  // namespace
}  // namespace probed::selfmon
