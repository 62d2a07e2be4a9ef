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

/// A request that a thread of shard 0 makes while it handles one that shard 1 decodes.
class TwoShards : public ::testing::Test {
 protected:
  static constexpr std::uint64_t kMs = 1'000'000;
  static constexpr std::uint64_t kServerCookie = 77;

  static probe_exchange_t Exchange(std::uint32_t kind, std::uint64_t start_ns) {
    probe_exchange_t exchange{};
    exchange.kind = kind;
    exchange.start_ns = start_ns;
    return exchange;
  }
  void Round(std::uint64_t ms) {
    rig_.clock.now_ns += ms * kMs;
    child_.BeginRound();
    child_.FlushIfDue(rig_.clock.now_ns);
  }
  SpanFate EmitChild() {
    probe_exchange_t exchange = Exchange(PROBE_SPAN_CLIENT, rig_.clock.now_ns);
    exchange.cookie = 5;
    exchange.cause.cookie = kServerCookie;
    std::string name = "GET", value = "one", state = "a=b";
    probe_attribute_t attribute{};
    attribute.key = rig_.keys.Intern("toy.word");
    attribute.type = PROBE_ATTR_STRING;
    attribute.value.string = {value.data(), value.size()};
    probe_trace_context_t link{};
    link.valid = 1;
    link.trace_id[0] = link.span_id[0] = 1;
    link.state = {state.data(), state.size()};
    probe_span_t span{};
    span.exchange = child_.Begin(FactsOf(10), exchange);
    span.kind = PROBE_SPAN_CLIENT;
    span.start_ns = span.end_ns = exchange.start_ns;
    span.name = {name.data(), name.size()};
    span.attribute_count = 1;
    span.attributes = &attribute;
    span.link_count = 1;
    span.links = &link;
    const SpanFate fate = child_.Emit(rig_.module, FactsOf(10), span);
    for (std::string* text : {&name, &value, &state}) text->assign("???");  // the views were for the call only
    return fate;
  }
  void BeginParent() {
    probe_exchange_t exchange = Exchange(PROBE_SPAN_SERVER, rig_.clock.now_ns - 10 * kMs);
    exchange.cookie = kServerCookie;
    exchange.end_offset = 70;
    parent_span_.exchange = parent_.Begin(FactsOf(10), exchange);
    parent_span_.kind = PROBE_SPAN_SERVER;
    parent_span_.start_ns = exchange.start_ns;
    parent_span_.end_ns = rig_.clock.now_ns;
  }

  OutputRig rig_{2};
  SpanOutput child_{0, rig_.shared};
  SpanOutput parent_{1, rig_.shared};
  probe_span_t parent_span_{};
};

TEST_F(TwoShards, SpanWaitsForAParentThatIsDecodedLater) {
  EXPECT_EQ(EmitChild(), SpanFate::kRouted);
  Round(5);
  EXPECT_NE(child_.due_ns(), 0U) << "the shard must not sleep over it";
  BeginParent();
  Round(5);
  EXPECT_EQ(parent_.Emit(rig_.module, FactsOf(10), parent_span_), SpanFate::kRouted);
  child_.FlushBatches();
  parent_.FlushBatches();
  const std::vector<SentSpan> sent = rig_.Sent();
  ASSERT_EQ(sent.size(), 2U);
  EXPECT_EQ(sent[0].name, "GET");
  EXPECT_EQ(sent[0].trace_id, sent[1].trace_id);
  EXPECT_EQ(sent[0].parent_span_id, sent[1].span_id);
  EXPECT_THAT(rig_.batches[0]->bytes, ::testing::AllOf(::testing::HasSubstr("one"), ::testing::HasSubstr("a=b")));
}

TEST_F(TwoShards, SpanWaitsNoLongerThanTheTableSays) {
  EmitChild();
  Round(101);
  Round(300);
  const std::vector<SentSpan> sent = rig_.Sent();
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].parent_span_id, std::string(sent[0].parent_span_id.size(), '\0'));
  EXPECT_NE(sent[0].trace_id, std::string(16, '\0'));
  EXPECT_EQ(child_.due_ns(), 0U);
}

TEST_F(TwoShards, FlushSendsWhatWaits) {
  EmitChild();
  child_.FlushBatches();
  ASSERT_EQ(rig_.Sent().size(), 1U);
  EXPECT_NE(rig_.Sent()[0].span_id, std::string(8, '\0'));
}

}  // namespace
}  // namespace probed::pipeline
