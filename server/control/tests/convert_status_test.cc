// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/control/convert_status.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace probed::control {
namespace {

using ::testing::ElementsAre;

TEST(ConvertStatus, DescriptionCarriesTheManifestOnlyWhenAsked) {
  const state::ModuleDescription description{.name = "http",
                                             .version = "1.2",
                                             .description = "HTTP",
                                             .path = "/lib/http.so",
                                             .status = "beta",
                                             .digest = "ab",
                                             .manifest_json = "{}",
                                             .problem = "writable by others"};
  const v1::ModuleDescription brief = ToProto(description);
  EXPECT_EQ(brief.version(), "1.2");
  EXPECT_EQ(brief.summary(), "HTTP");
  EXPECT_EQ(brief.stability(), "beta");
  EXPECT_EQ(brief.path(), "/lib/http.so");
  EXPECT_EQ(brief.digest(), "ab");
  EXPECT_EQ(brief.problem(), "writable by others");
  EXPECT_EQ(brief.manifest_json(), "");
  EXPECT_EQ(WithManifest(description).manifest_json(), "{}");
}

TEST(ConvertStatus, TextFromOutsideSurvivesTheWire) {
  const state::ModuleDescription description{.name = {},
                                             .version = "\xFF",
                                             .description = {},
                                             .path = {},
                                             .status = {},
                                             .digest = {},
                                             .manifest_json = {},
                                             .problem = {}};
  v1::ModuleDescription received;
  ASSERT_TRUE(received.ParseFromString(ToProto(description).SerializeAsString()));
  EXPECT_EQ(received.version(), "\xEF\xBF\xBD");
}

TEST(ConvertStatus, ConditionHasATimeOnlyIfItIsKnown) {
  state::Condition condition{"Degraded", "HOOK_MISSING", "no symbol", 2'000'000'001};
  EXPECT_EQ(ToProto(condition).type(), "Degraded");
  EXPECT_EQ(ToProto(condition).reason(), "HOOK_MISSING");
  EXPECT_EQ(ToProto(condition).message(), "no symbol");
  EXPECT_EQ(ToProto(condition).since().seconds(), 2);
  EXPECT_EQ(ToProto(condition).since().nanos(), 1);
  condition.since_utc_ns = 0;
  EXPECT_FALSE(ToProto(condition).has_since());
}

TEST(ConvertStatus, ReceiptComesBack) {
  const state::Receipt receipt{1, 2, 3, 4, 5, 6, 7, 8};
  const state::Receipt back = FromProto(ToProto(receipt));
  EXPECT_EQ(back.old_generation, 1U);
  EXPECT_EQ(back.new_generation, 2U);
  EXPECT_EQ(back.submitted_old, 3U);
  EXPECT_EQ(back.submitted_new, 4U);
  EXPECT_EQ(back.consumed_old, 5U);
  EXPECT_EQ(back.consumed_new, 6U);
  EXPECT_EQ(back.lost, 7U);
  EXPECT_EQ(back.doubled, 8U);
}

TEST(ConvertStatus, SinkStatusHasAHealth) {
  state::SinkStatus status{"c", "retrying", "refused", 1, 2, 3, 4};
  const v1::SinkStatus proto = ToProto(status);
  EXPECT_EQ(proto.health(), v1::SINK_HEALTH_RETRYING);
  EXPECT_EQ(proto.last_error(), "refused");
  EXPECT_EQ(proto.queued_items(), 1U);
  EXPECT_EQ(proto.sent_items(), 2U);
  EXPECT_EQ(proto.rejected_items(), 3U);
  EXPECT_EQ(proto.dropped_items(), 4U);
  for (const auto& [word, health] : {std::pair("ok", v1::SINK_HEALTH_OK),
                                     {"idle", v1::SINK_HEALTH_IDLE},
                                     {"failing", v1::SINK_HEALTH_FAILING},
                                     {"?", v1::SINK_HEALTH_UNSPECIFIED}}) {
    status.state = word;
    EXPECT_EQ(ToProto(status).health(), health) << word;
  }
}

TEST(ConvertStatus, PlatformListsWhatThereIs) {
  const v1::Platform proto = ToProto(state::PlatformInfo{.kernel_release = "6.12",
                                                         .backend = "sock",
                                                         .backends_available = {"sock", "fexit"},
                                                         .missing_features = {"none"},
                                                         .capabilities = {"CAP_BPF"},
                                                         .shards = 2});
  EXPECT_EQ(proto.kernel_release(), "6.12");
  EXPECT_EQ(proto.backend(), "sock");
  EXPECT_THAT(proto.backends_available(), ElementsAre("sock", "fexit"));
  EXPECT_THAT(proto.missing_features(), ElementsAre("none"));
  EXPECT_THAT(proto.capabilities(), ElementsAre("CAP_BPF"));
  EXPECT_EQ(proto.shards(), 2U);
}

TEST(ConvertStatus, LedgerClosesOnlyIfEveryLineDoes) {
  const state::LedgerLine good{"kernel", {{"hooked", 5}, {"ignored{port}", 2}}, ""};
  const state::LedgerLine bad{"sink:c", {}, "sent + dropped = queued + 1"};
  EXPECT_TRUE(ToProto({good}, 1'000'000'000).closes());
  const v1::GetLedgerResponse both = ToProto({good, bad}, 1'000'000'000);
  EXPECT_FALSE(both.closes());
  EXPECT_EQ(both.read_at().seconds(), 1);
  const state::LedgerLine back = FromProto(both.lines(0));
  EXPECT_EQ(back.scope, good.scope);
  EXPECT_EQ(back.counters, good.counters);
  EXPECT_EQ(both.lines(1).imbalance(), bad.imbalance);
}

state::TailItem Item(std::uint64_t lost, const std::string& json) {
  return {lost, config::Signal::kTraces, "http", "shop", json};
}

TEST(ConvertTail, SaysWhatAnItemIs) {
  const v1::TailItem item = ToProto(Item(0, "{}"));
  EXPECT_EQ(item.signal(), v1::SIGNAL_TRACES);
  EXPECT_EQ(item.module(), "http");
  EXPECT_EQ(item.service(), "shop");
  EXPECT_EQ(item.json(), "{}");
}

TEST(ConvertTail, BeginsAMessageAtEachLoss) {
  const auto responses = ToProto(std::vector{Item(0, "a"), Item(0, "b"), Item(3, "c"), Item(2, "")});
  ASSERT_EQ(responses.size(), 3U);
  EXPECT_FALSE(responses[0].has_loss());
  EXPECT_EQ(responses[0].items_size(), 2);
  EXPECT_EQ(responses[1].loss().lost(), 3U);
  EXPECT_EQ(responses[1].items(0).json(), "c");
  EXPECT_EQ(responses[2].loss().lost(), 2U);
  EXPECT_EQ(responses[2].items_size(), 0);
}

TEST(ConvertTail, KeepsMessagesSmallEnoughForClients) {
  const std::vector<state::TailItem> items(9, Item(0, std::string(300'000, 'x')));
  const auto responses = ToProto(items);
  ASSERT_EQ(responses.size(), 3U);
  for (const v1::TailResponse& response : responses) EXPECT_EQ(response.items_size(), 3);
}

TEST(ConvertTail, NothingMakesNoMessage) { EXPECT_TRUE(ToProto(std::vector<state::TailItem>()).empty()); }

TEST(ConvertTailFilter, MeansTracesWhenItSaysNothing) {
  Violations violations;
  const state::TailFilter filter = FromProto(v1::TailRequest(), violations);
  EXPECT_TRUE(filter.traces);
  EXPECT_FALSE(filter.metrics);
  EXPECT_FALSE(filter.logs);
}

TEST(ConvertTailFilter, TakesWhatIsNamed) {
  v1::TailRequest request;
  request.add_modules("http");
  request.add_services("shop");
  request.add_signals(v1::SIGNAL_METRICS);
  request.add_signals(v1::SIGNAL_LOGS);
  Violations violations;
  const state::TailFilter filter = FromProto(request, violations);
  EXPECT_THAT(filter.modules, ElementsAre("http"));
  EXPECT_THAT(filter.services, ElementsAre("shop"));
  EXPECT_FALSE(filter.traces);
  EXPECT_TRUE(filter.metrics);
  EXPECT_TRUE(filter.logs);
  EXPECT_TRUE(violations.empty());
}

TEST(ConvertTailFilter, NamesUnknownSignals) {
  v1::TailRequest request;
  request.add_signals(v1::SIGNAL_TRACES);
  request.add_signals(static_cast<v1::Signal>(77));
  Violations violations;
  FromProto(request, violations);
  ASSERT_EQ(violations.size(), 1U);
  EXPECT_EQ(violations[0].path, "signals[1]");
}

}  // namespace
}  // namespace probed::control
