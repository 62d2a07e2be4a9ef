// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/pipeline/span_output.h"

#include <gmock/gmock.h>

#include "server/pipeline/tests/output_rig.h"

namespace probed::pipeline {
namespace {

using ::testing::ElementsAre;
using ::testing::Field;

constexpr std::uint64_t kTicks = 5;

StreamFacts FactsOf(std::uint32_t tgid) {
  StreamFacts facts;
  facts.tgid = tgid;
  facts.rule = 64;
  return facts;
}

class SpanOutputTest : public ::testing::Test {
 protected:
  void Run(std::uint32_t pid, const std::string& exe) {
    rig_.proc.Put({.pid = pid, .start_ticks = kTicks, .exe = exe});
  }
  void Exec(std::uint32_t pid, const std::string& exe) {
    Run(pid, exe);
    rig_.processes.OnEvent({discovery::ProcessEventType::kExec, pid, 1, discovery::ProcessKey{pid, kTicks}.start_ns()},
                           1);
  }
  void EmitOne(std::uint32_t pid) {
    probe_exchange_t exchange{};
    exchange.kind = PROBE_SPAN_SERVER;
    exchange.start_ns = rig_.clock.now_ns;
    probe_span_t span{};
    span.exchange = output_.Begin(FactsOf(pid), exchange);
    span.kind = PROBE_SPAN_SERVER;
    span.start_ns = span.end_ns = exchange.start_ns;
    span.name = {"GET", 3};
    EXPECT_EQ(output_.Emit(rig_.module, FactsOf(pid), span), SpanFate::kRouted);
  }
  std::vector<SentSpan> Sent() {
    output_.FlushBatches();
    return rig_.Sent();
  }

  OutputRig rig_;
  SpanOutput output_{0, rig_.shared};
};

TEST_F(SpanOutputTest, ResourceFollowsAnExec) {
  Run(10, "/bin/sh");
  EmitOne(10);
  Exec(10, "/bin/shop");
  EmitOne(10);
  EXPECT_THAT(Sent(), ElementsAre(Field(&SentSpan::service, "sh"), Field(&SentSpan::service, "shop")));
}

TEST_F(SpanOutputTest, ResourceIsKeptWhileNothingExecs) {
  Run(10, "/bin/sh");
  EmitOne(10);
  Run(10, "/bin/other");
  EmitOne(10);
  EXPECT_THAT(Sent(), ElementsAre(Field(&SentSpan::service, "sh"), Field(&SentSpan::service, "sh")));
}

}  // namespace
}  // namespace probed::pipeline
