// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/state/engine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "server/base/error_details.h"
#include "server/state/tests/fakes.h"

namespace probed::state {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class EngineTest : public ::testing::Test {
 protected:
  EngineTest() {
    world_.modules.Add("http");
    world_.modules.Add("dns");
  }

  static std::string ReasonOf(const Status& status) { return GetErrorDetails(status).reason; }
  Engine& engine() { return world_.engine; }
  Script& script() { return world_.script; }
  Phase PhaseOf(const std::string& name) {
    const SnapshotPtr now = engine().snapshot();
    const ModuleView* view = FindModule(*now, name);
    return view == nullptr ? Phase::kUnloaded : view->standing.phase;
  }
  std::string Hash() { return engine().snapshot()->hash; }

  FakeWorld world_;
  MutationContext context_{.request_id = {}, .etag = {}, .validate_only = false, .caller = "uid:0"};
};

TEST_F(EngineTest, LoadsAModuleAndShowsIt) {
  const auto reply = engine().LoadModule(context_, "http", R"({"a":1})");
  ASSERT_TRUE(reply.ok()) << reply.status();
  EXPECT_EQ(reply->module.standing.phase, Phase::kRunning);
  EXPECT_EQ(reply->module.standing.generation, 1U);
  EXPECT_TRUE(reply->module.desired);
  EXPECT_EQ(reply->outcome.new_generation, reply->outcome.old_generation + 1);
  EXPECT_EQ(engine().snapshot()->state.modules.size(), 1U);
}

TEST_F(EngineTest, AFailedLoadLeavesTheStateAsItWas) {
  const std::string before = Hash();
  for (const char* step : {"Open", "LoadKernel", "Create", "Prepare", "Start"}) {
    script().Fail(step, MakeStatus(absl::StatusCode::kFailedPrecondition, "no"));
    const auto reply = engine().LoadModule(context_, "http", "{}");
    EXPECT_EQ(reply.status().code(), absl::StatusCode::kFailedPrecondition) << step;
    EXPECT_EQ(GetErrorDetails(reply.status()).metadata["module"], "http");
    EXPECT_EQ(Hash(), before);
    EXPECT_EQ(engine().snapshot()->generation, 0U);
    EXPECT_EQ(PhaseOf("http"), Phase::kFailed);
  }
  EXPECT_TRUE(engine().LoadModule(context_, "http", "{}").ok());
}

TEST_F(EngineTest, LoadingTwiceIsUnchangedOrAConflict) {
  ASSERT_TRUE(engine().LoadModule(context_, "http", R"({"a":1})").ok());
  const auto same = engine().LoadModule(context_, "http", R"({ "a": 1 })");
  ASSERT_TRUE(same.ok());
  EXPECT_TRUE(same->outcome.unchanged);
  EXPECT_EQ(ReasonOf(engine().LoadModule(context_, "http", "{}").status()), "MODULE_ALREADY_LOADED");
}

TEST_F(EngineTest, UnknownModulesAreNamedWithTheNearest) {
  const auto reply = engine().LoadModule(context_, "htp", "{}");
  EXPECT_EQ(ReasonOf(reply.status()), "MODULE_NOT_FOUND");
  EXPECT_THAT(std::string(Message(reply.status())), HasSubstr("did you mean http"));
}

TEST_F(EngineTest, AModuleCopiedInIsFoundWithoutARescan) {
  EXPECT_FALSE(engine().LoadModule(context_, "kafka", "{}").ok());
  world_.modules.Add("kafka");
  EXPECT_TRUE(engine().LoadModule(context_, "kafka", "{}").ok());
}

TEST_F(EngineTest, ConfiguresWithAReceipt) {
  ASSERT_TRUE(engine().LoadModule(context_, "http", "{}").ok());
  const auto reply = engine().ConfigureModule(context_, "http", R"({"a":2})");
  ASSERT_TRUE(reply.ok());
  ASSERT_TRUE(reply->outcome.receipt.has_value());
  EXPECT_EQ(reply->outcome.receipt->new_generation, 2U);
  EXPECT_EQ(reply->module.config_json, R"({"a":2})");
}

TEST_F(EngineTest, AFailedConfigureKeepsTheOldConfiguration) {
  ASSERT_TRUE(engine().LoadModule(context_, "http", "{}").ok());
  const std::string before = Hash();
  const auto bad = engine().ConfigureModule(context_, "http", R"({"bad":1})");
  EXPECT_EQ(ReasonOf(bad.status()), "CONFIG_INVALID");
  EXPECT_EQ(GetErrorDetails(bad.status()).fields.at(0).path, "config.bad");
  script().Fail("Commit");
  EXPECT_FALSE(engine().ConfigureModule(context_, "http", R"({"a":2})").ok());
  EXPECT_EQ(Hash(), before);
  EXPECT_EQ(PhaseOf("http"), Phase::kRunning);
}

TEST_F(EngineTest, ConfigureAndUnloadNeedALoadedModule) {
  EXPECT_EQ(ReasonOf(engine().ConfigureModule(context_, "http", "{}").status()), "MODULE_NOT_LOADED");
  EXPECT_EQ(ReasonOf(engine().UnloadModule(context_, "http").status()), "MODULE_NOT_LOADED");
  EXPECT_EQ(ReasonOf(engine().UnloadModule(context_, "nothing").status()), "MODULE_NOT_FOUND");
}

TEST_F(EngineTest, UnloadSaysWhatStayedBehind) {
  ASSERT_TRUE(engine().LoadModule(context_, "http", "{}").ok());
  world_.modules.left_behind = {"a mapping"};
  const auto reply = engine().UnloadModule(context_, "http");
  ASSERT_TRUE(reply.ok());
  EXPECT_THAT(reply->left_behind, ElementsAre("a mapping"));
  EXPECT_FALSE(reply->module.desired);
  EXPECT_THAT(engine().snapshot()->state.modules, IsEmpty());
}

TEST_F(EngineTest, ValidateOnlyChangesNothing) {
  MutationContext check = context_;
  check.validate_only = true;
  const std::string before = Hash();
  const auto reply = engine().LoadModule(check, "http", R"({"a":1})");
  ASSERT_TRUE(reply.ok());
  EXPECT_TRUE(reply->outcome.validated_only);
  EXPECT_TRUE(reply->module.desired);
  EXPECT_EQ(ReasonOf(engine().LoadModule(check, "http", R"({"bad":1})").status()), "CONFIG_INVALID");
  EXPECT_TRUE(engine().PutSink(check, OtlpSink("s"))->outcome.validated_only);
  EXPECT_THAT(script().calls, testing::Not(Contains(HasSubstr("Open"))));
  EXPECT_THAT(script().calls, testing::Not(Contains(HasSubstr("Put"))));
  EXPECT_EQ(Hash(), before);
}

TEST_F(EngineTest, ValidateOnlyOfAnUnusableFileSaysWhy) {
  world_.modules.found[0].problem = "not an ELF file";
  engine().Rescan();
  MutationContext check = context_;
  check.validate_only = true;
  const auto reply = engine().LoadModule(check, "http", "{}");
  EXPECT_EQ(ReasonOf(reply.status()), "MODULE_UNUSABLE");
  EXPECT_THAT(std::string(Message(reply.status())), HasSubstr("not an ELF file"));
}

TEST_F(EngineTest, ARetryGetsTheFirstAnswer) {
  MutationContext once = context_;
  once.request_id = "r1";
  const auto first = engine().LoadModule(once, "http", "{}");
  ASSERT_TRUE(engine().UnloadModule(context_, "http").ok());
  script().Take();
  const auto again = engine().LoadModule(once, "http", "{}");
  ASSERT_TRUE(again.ok());
  EXPECT_TRUE(again->outcome.replayed);
  EXPECT_EQ(again->outcome.version, first->outcome.version);
  EXPECT_THAT(script().calls, IsEmpty());
}

TEST_F(EngineTest, TheSameIdWithAnotherRequestIsRefused) {
  MutationContext once = context_;
  once.request_id = "r1";
  ASSERT_TRUE(engine().LoadModule(once, "http", "{}").ok());
  EXPECT_EQ(ReasonOf(engine().LoadModule(once, "dns", "{}").status()), "REQUEST_ID_REUSED");
  EXPECT_EQ(ReasonOf(engine().UnloadModule(once, "http").status()), "REQUEST_ID_REUSED");
  once.validate_only = true;
  EXPECT_EQ(ReasonOf(engine().LoadModule(once, "http", "{}").status()), "REQUEST_ID_REUSED");
}

TEST_F(EngineTest, AnotherCallersIdIsAnotherId) {
  MutationContext mine = context_;
  mine.request_id = "r1";
  ASSERT_TRUE(engine().LoadModule(mine, "http", "{}").ok());
  MutationContext theirs = mine;
  theirs.caller = "uid:7";
  EXPECT_TRUE(engine().LoadModule(theirs, "dns", "{}").ok());
}

TEST_F(EngineTest, FinalFailuresAreRememberedPassingOnesAreNot) {
  MutationContext once = context_;
  once.request_id = "final";
  script().Fail("Start");
  EXPECT_FALSE(engine().LoadModule(once, "http", "{}").ok());
  EXPECT_FALSE(engine().LoadModule(once, "http", "{}").ok());
  once.request_id = "passing";
  script().Fail("Start", MakeStatus(absl::StatusCode::kUnavailable, "later"));
  EXPECT_FALSE(engine().LoadModule(once, "http", "{}").ok());
  EXPECT_TRUE(engine().LoadModule(once, "http", "{}").ok());
}

TEST(Replies, ForgetsTheLeastRecentlyUsed) {
  Replies replies(2);
  replies.Remember("a", "x", 1);
  replies.Remember("b", "x", 2);
  ASSERT_NE(*replies.Find("a", "x"), nullptr);
  replies.Remember("c", "x", 3);
  EXPECT_EQ(*replies.Find("b", "x"), nullptr);
  EXPECT_NE(*replies.Find("a", "x"), nullptr);
  EXPECT_EQ(replies.size(), 2U);
}

TEST_F(EngineTest, AnOldEtagIsRefused) {
  ASSERT_TRUE(engine().PutSink(context_, OtlpSink("s", "a:1")).ok());
  MutationContext with_etag = context_;
  with_etag.etag = engine().snapshot()->sinks.at(0).etag;
  ASSERT_TRUE(engine().PutSink(with_etag, OtlpSink("s", "b:1")).ok());
  const auto late = engine().PutSink(with_etag, OtlpSink("s", "c:1"));
  EXPECT_EQ(late.status().code(), absl::StatusCode::kAborted);
  EXPECT_EQ(ReasonOf(late.status()), "ETAG_MISMATCH");
  EXPECT_EQ(engine().snapshot()->state.sinks.at(0).endpoint, "b:1");
}

TEST_F(EngineTest, EtagsGuardRoutesTargetsAndModules) {
  MutationContext stale = context_;
  stale.etag = "stale";
  EXPECT_EQ(ReasonOf(engine().PutRoutes(stale, {}).status()), "ETAG_MISMATCH");
  EXPECT_EQ(ReasonOf(engine().PutTargets(stale, {}).status()), "ETAG_MISMATCH");
  EXPECT_EQ(ReasonOf(engine().LoadModule(stale, "http", "{}").status()), "ETAG_MISMATCH");
  stale.etag = engine().snapshot()->routes.etag;
  EXPECT_TRUE(engine().PutRoutes(stale, {}).ok());
}

TEST_F(EngineTest, ASinkInUseStays) {
  ASSERT_TRUE(engine().PutSink(context_, OtlpSink("s")).ok());
  ASSERT_TRUE(engine().PutRoutes(context_, {RouteTo("r", "s")}).ok());
  const auto reply = engine().DeleteSink(context_, "s");
  EXPECT_EQ(ReasonOf(reply.status()), "SINK_IN_USE");
  EXPECT_EQ(GetErrorDetails(reply.status()).metadata["routes"], "r");
  ASSERT_TRUE(engine().PutRoutes(context_, {}).ok());
  EXPECT_TRUE(engine().DeleteSink(context_, "s").ok());
  EXPECT_EQ(ReasonOf(engine().DeleteSink(context_, "s").status()), "SINK_NOT_FOUND");
}

TEST_F(EngineTest, InvalidResourcesCarryTheirReason) {
  EXPECT_EQ(ReasonOf(engine().PutSink(context_, OtlpSink("s", "nonsense")).status()), "SINK_INVALID");
  EXPECT_EQ(ReasonOf(engine().PutRoutes(context_, {RouteTo("r", "none")}).status()), "ROUTES_INVALID");
  config::Target target;
  target.name = "Bad Name";
  EXPECT_EQ(ReasonOf(engine().PutTargets(context_, {target}).status()), "TARGETS_INVALID");
}

config::State Wanted() {
  config::State state;
  state.modules = {{"http"}, {"dns"}};
  state.sinks = {OtlpSink("s")};
  state.routes = {RouteTo("r", "s")};
  config::Target target;
  target.name = "t";
  target.ports = {80};
  state.targets = {target};
  return state;
}

TEST_F(EngineTest, AppliesAllInOrder) {
  const auto reply = engine().Apply(context_, Wanted());
  ASSERT_TRUE(reply.ok()) << reply.status();
  EXPECT_THAT(reply->plan,
              ElementsAre("add sink s", "set the targets", "set the routes", "load module http", "load module dns"));
  EXPECT_EQ(engine().snapshot()->state, Wanted());
}

TEST_F(EngineTest, AFailedApplyIsUndoneInReverse) {
  script().Fail("Start dns");
  const std::string before = Hash();
  const auto reply = engine().Apply(context_, Wanted());
  ASSERT_FALSE(reply.ok());
  const std::vector<std::string> calls = script().Take();
  const auto failed = std::find(calls.begin(), calls.end(), "Start dns 1");
  ASSERT_NE(failed, calls.end());
  EXPECT_THAT(std::vector<std::string>(failed + 1, calls.end()),
              ElementsAre("AbortPrepared dns", "Destroy dns", "Close dns", "Quiesce http", "Drain http", "Destroy http",
                          "Close http", "SetRoutes 0", "SetTargets 0", "Delete s"));
  EXPECT_EQ(Hash(), before);
}

TEST_F(EngineTest, AnUndoThatFailsIsInTheError) {
  script().Fail("Start dns");
  script().Fail("SetRoutes 0");
  const auto reply = engine().Apply(context_, Wanted());
  EXPECT_THAT(std::string(Message(reply.status())), HasSubstr("could not take back: set the routes"));
  EXPECT_THAT(script().calls, Contains("Delete s")) << "the rest is taken back all the same";
}

TEST_F(EngineTest, AStateThatCannotBeStoredIsTakenBack) {
  const StateStore store("/nonexistent/directory/state");
  FakeWorld world(&store);
  world.modules.Add("http");
  const auto reply = world.engine.LoadModule(context_, "http", "{}");
  EXPECT_EQ(ReasonOf(reply.status()), "STATE_NOT_SAVED");
  EXPECT_THAT(world.script.calls, Contains("Close http"));
  EXPECT_THAT(world.engine.snapshot()->state.modules, IsEmpty());
}

TEST_F(EngineTest, ChangesSurviveARestart) {
  const auto path = std::filesystem::temp_directory_path() / ("probed_engine_test_" + std::to_string(getpid()));
  const StateStore store(path.string());
  {
    FakeWorld world(&store);
    world.modules.Add("http");
    world.engine.Start({});
    ASSERT_TRUE(world.engine.LoadModule(context_, "http", R"({"a":1})").ok());
  }
  FakeWorld world(&store);
  world.modules.Add("http");
  const auto stored = store.Load();
  ASSERT_TRUE(stored.ok());
  EXPECT_THAT(world.engine.Start(ChooseStart(*stored, std::nullopt)), IsEmpty());
  const SnapshotPtr now = world.engine.snapshot();
  EXPECT_EQ(FindModule(*now, "http")->standing.phase, Phase::kRunning);
  EXPECT_EQ(now->generation, (*stored)->generation);
  std::filesystem::remove(path);
}

TEST_F(EngineTest, WhatFailsAtStartStaysWantedAndCanBeRepaired) {
  script().Fail("Put s");
  script().Fail("LoadKernel http");
  StartState start;
  start.stored.state = Wanted();
  const auto problems = engine().Start(start);
  EXPECT_EQ(problems.size(), 2U);
  EXPECT_EQ(PhaseOf("http"), Phase::kFailed);
  EXPECT_EQ(PhaseOf("dns"), Phase::kRunning);
  EXPECT_EQ(engine().snapshot()->state, Wanted());
  EXPECT_EQ(engine().snapshot()->sinks.at(0).status.state, "failing");
  EXPECT_TRUE(engine().LoadModule(context_, "http", "{}").ok());
  EXPECT_TRUE(engine().PutSink(context_, OtlpSink("s")).ok());
  EXPECT_EQ(PhaseOf("http"), Phase::kRunning);
  EXPECT_NE(engine().snapshot()->sinks.at(0).status.state, "failing");
}

TEST_F(EngineTest, OnlyAUsersLoadForgivesCrashes) {
  script().Fail("Open http", MakeStatus(absl::StatusCode::kFailedPrecondition, "it crashed the daemon"));
  StartState start;
  start.stored.state.modules = {{"http"}, {"dns"}};
  engine().Start(start);
  engine().Rescan();
  EXPECT_THAT(world_.modules.forgiven, ::testing::IsEmpty());
  EXPECT_EQ(PhaseOf("http"), Phase::kFailed);
  EXPECT_EQ(PhaseOf("dns"), Phase::kRunning);
  MutationContext asking = context_;
  asking.validate_only = true;
  EXPECT_TRUE(engine().LoadModule(asking, "http", "{}").ok());
  EXPECT_THAT(world_.modules.forgiven, ::testing::IsEmpty());
  EXPECT_TRUE(engine().LoadModule(context_, "http", "{}").ok());
  EXPECT_THAT(world_.modules.forgiven, ::testing::ElementsAre("http"));
}

TEST_F(EngineTest, AWantedModuleIsLoadedWhenItsFileAppears) {
  StartState start;
  start.stored.state.modules = {{"kafka"}};
  script().Fail("Open kafka", MakeStatus(absl::StatusCode::kNotFound, "no file"));
  engine().Start(start);
  EXPECT_EQ(PhaseOf("kafka"), Phase::kFailed);
  world_.modules.Add("kafka");
  engine().Rescan();
  EXPECT_EQ(PhaseOf("kafka"), Phase::kRunning);
}

TEST_F(EngineTest, AFileThatFailedIsNotTriedAgainUntilItChanges) {
  StartState start;
  start.stored.state.modules = {{"http"}};
  script().Fail("Create http");
  engine().Start(start);
  script().Take();
  engine().Rescan();
  EXPECT_THAT(script().calls, IsEmpty());
  world_.modules.found[0].digest = "d2";
  engine().Rescan();
  EXPECT_EQ(PhaseOf("http"), Phase::kRunning);
}

TEST_F(EngineTest, WatchersSeePhasesAndCanResume) {
  engine().Rescan();
  const std::uint64_t since = engine().snapshot()->version;
  ASSERT_TRUE(engine().LoadModule(context_, "http", "{}").ok());
  std::vector<Phase> phases;
  for (const auto& event : engine().change_log().After(since, 100).events) {
    phases.push_back(std::get<ModuleView>(event->what).standing.phase);
  }
  EXPECT_THAT(phases, ElementsAre(Phase::kVerifying, Phase::kLoading, Phase::kRunning, Phase::kRunning));
  EXPECT_TRUE(engine().change_log().CheckResume(since).ok());
  EXPECT_EQ(engine().snapshot()->version, engine().change_log().version());
}

TEST_F(EngineTest, WatchersHearOfRemovals) {
  ASSERT_TRUE(engine().PutSink(context_, OtlpSink("s")).ok());
  const std::uint64_t since = engine().snapshot()->version;
  ASSERT_TRUE(engine().DeleteSink(context_, "s").ok());
  const auto events = engine().change_log().After(since, 10).events;
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(std::get<RemovedResource>(events[0]->what).name, "s");
}

TEST_F(EngineTest, ConditionsOfTheStepsReachReaders) {
  ASSERT_TRUE(engine().LoadModule(context_, "http", "{}").ok());
  world_.modules.conditions["http"] = {{"Degraded", "ATTACH_REFUSED", "a hook is missing", 5}};
  engine().Refresh();
  const SnapshotPtr now = engine().snapshot();
  EXPECT_EQ(FindModule(*now, "http")->standing.conditions.at(0).reason, "ATTACH_REFUSED");
}

TEST_F(EngineTest, TestSinkGivesTheReceiversAnswer) {
  ASSERT_TRUE(engine().PutSink(context_, OtlpSink("s")).ok());
  script().Fail("Test s", MakeStatus(absl::StatusCode::kUnavailable, "refused"));
  const auto answer = engine().TestSink(std::string("s"));
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(answer->status.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(ReasonOf(engine().TestSink(std::string("none")).status()), "SINK_NOT_FOUND");
  EXPECT_EQ(ReasonOf(engine().TestSink(OtlpSink("x", "nonsense")).status()), "SINK_INVALID");
}

TEST_F(EngineTest, StopUnloadsInReverseAndKeepsWhatIsWanted) {
  ASSERT_TRUE(engine().Apply(context_, Wanted()).ok());
  script().Take();
  engine().Stop();
  EXPECT_EQ(script().calls.front(), "Quiesce dns");
  EXPECT_EQ(script().calls.back(), "Close http");
  EXPECT_EQ(engine().snapshot()->state, Wanted());
}

}  // namespace
}  // namespace probed::state
