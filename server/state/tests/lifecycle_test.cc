// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/state/lifecycle.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/base/error_details.h"

namespace probed::state {
namespace {

using ::testing::ElementsAre;
using ::testing::ElementsAreArray;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const Status kBroken = MakeStatus(absl::StatusCode::kInternal, "broken");

/// Feeds results until the command ends; steps in `failing` fail. Returns the steps asked for.
struct Driven {
  std::vector<Step> steps;
  Action end;
};

Driven Drive(Lifecycle& machine, Action action, const std::vector<Step>& failing = {}, const Status& error = kBroken,
             const std::vector<std::string>& left_behind = {}) {
  Driven run;
  while (action.kind == Action::Kind::kStep) {
    run.steps.push_back(action.step);
    const bool fails = std::find(failing.begin(), failing.end(), action.step) != failing.end();
    StepResult result{fails ? error : OkStatus(), {}, {}};
    if (!fails && action.step == Step::kCommit) result.receipt = Receipt{};
    if (!fails && action.step == Step::kClose) result.unload = UnloadReport{left_behind};
    action = machine.OnResult(result);
  }
  run.end = action;
  return run;
}

Lifecycle Running() {
  Lifecycle machine;
  Drive(machine, machine.Load("{}"));
  return machine;
}

TEST(Lifecycle, LoadsInOrder) {
  Lifecycle machine;
  const Driven run = Drive(machine, machine.Load("{}"));
  EXPECT_THAT(run.steps, ElementsAre(Step::kOpen, Step::kLoadKernel, Step::kCreate, Step::kPrepare, Step::kStart));
  EXPECT_EQ(run.end.kind, Action::Kind::kDone);
  EXPECT_EQ(machine.phase(), Phase::kRunning);
  EXPECT_EQ(machine.generation(), 1U);
}

TEST(Lifecycle, ShowsThePhaseOfEachStep) {
  Lifecycle machine;
  machine.MarkPending();
  EXPECT_EQ(machine.phase(), Phase::kPending);
  EXPECT_EQ(machine.Load("{}").step, Step::kOpen);
  EXPECT_EQ(machine.phase(), Phase::kVerifying);
  machine.OnResult({});
  EXPECT_EQ(machine.phase(), Phase::kLoading);
}

struct Failure {
  Step at;
  std::vector<Step> undo;
};

class LoadFails : public ::testing::TestWithParam<Failure> {};

TEST_P(LoadFails, UndoesExactlyWhatWasDoneInReverse) {
  const std::vector<Step> forward = {Step::kOpen, Step::kLoadKernel, Step::kCreate, Step::kPrepare, Step::kStart};
  Lifecycle machine;
  const Driven run = Drive(machine, machine.Load("{}"), {GetParam().at});
  std::vector<Step> expected;
  for (const Step step : forward) {
    expected.push_back(step);
    if (step == GetParam().at) break;
  }
  expected.insert(expected.end(), GetParam().undo.begin(), GetParam().undo.end());
  EXPECT_THAT(run.steps, ElementsAreArray(expected));
  EXPECT_EQ(run.end.kind, Action::Kind::kFailed);
  EXPECT_EQ(run.end.error, kBroken);
  EXPECT_EQ(machine.phase(), Phase::kFailed);
  EXPECT_EQ(machine.generation(), 0U);
  ASSERT_EQ(machine.conditions().size(), 1U);
  EXPECT_THAT(machine.conditions()[0].message, HasSubstr(std::string(StepName(GetParam().at))));
  EXPECT_EQ(machine.conditions()[0].reason, "LOAD_FAILED");
}

TEST_P(LoadFails, AndCanBeTriedAgain) {
  Lifecycle machine;
  Drive(machine, machine.Load("{}"), {GetParam().at});
  EXPECT_EQ(Drive(machine, machine.Load("{}")).end.kind, Action::Kind::kDone);
  EXPECT_EQ(machine.phase(), Phase::kRunning);
  EXPECT_THAT(machine.conditions(), IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(EachStep, LoadFails,
                         ::testing::Values(Failure{Step::kOpen, {}}, Failure{Step::kLoadKernel, {Step::kClose}},
                                           Failure{Step::kCreate, {Step::kDestroy, Step::kClose}},
                                           Failure{Step::kPrepare, {Step::kDestroy, Step::kClose}},
                                           Failure{Step::kStart,
                                                   {Step::kAbortPrepared, Step::kDestroy, Step::kClose}}));

TEST(Lifecycle, AnUndoThatFailsIsSaid) {
  Lifecycle machine;
  const Driven run = Drive(machine, machine.Load("{}"), {Step::kCreate, Step::kClose});
  EXPECT_EQ(run.steps.back(), Step::kClose);
  ASSERT_EQ(machine.conditions().size(), 2U);
  EXPECT_EQ(machine.conditions()[1].type, "UnloadIncomplete");
}

TEST(Lifecycle, NothingIsClosedUnderCodeThatCouldNotBeDestroyed) {
  Lifecycle machine;
  const Driven run = Drive(machine, machine.Load("{}"), {Step::kStart, Step::kDestroy});
  EXPECT_EQ(run.steps.back(), Step::kDestroy);
  EXPECT_EQ(GetErrorDetails(machine.Load("{}").error).reason, "MODULE_STUCK");
}

TEST(Lifecycle, ConfiguresUnderTheNextGeneration) {
  Lifecycle machine = Running();
  Action action = machine.Configure(R"({"a":1})");
  EXPECT_EQ(action.step, Step::kPrepare);
  EXPECT_EQ(action.config_json, R"({"a":1})");
  action = machine.OnResult({});
  EXPECT_EQ(action.step, Step::kCommit);
  EXPECT_EQ(action.generation, 2U);
  EXPECT_EQ(machine.OnResult({OkStatus(), Receipt{}, {}}).kind, Action::Kind::kDone);
  EXPECT_EQ(machine.generation(), 2U);
  EXPECT_TRUE(machine.receipt().has_value());
}

TEST(Lifecycle, AFailedConfigureLeavesTheOldOneRunning) {
  for (const Step step : {Step::kPrepare, Step::kCommit}) {
    Lifecycle machine = Running();
    const Driven run = Drive(machine, machine.Configure("{}"), {step});
    EXPECT_EQ(run.end.kind, Action::Kind::kFailed);
    EXPECT_EQ(run.steps.back(), step == Step::kCommit ? Step::kAbortPrepared : Step::kPrepare);
    EXPECT_EQ(machine.phase(), Phase::kRunning);
    EXPECT_EQ(machine.generation(), 1U) << "a generation that never ran is not used up";
    EXPECT_FALSE(machine.receipt().has_value());
  }
}

TEST(Lifecycle, UnloadsInOrder) {
  Lifecycle machine = Running();
  Action action = machine.Unload();
  EXPECT_EQ(machine.phase(), Phase::kDraining);
  const Driven run = Drive(machine, action);
  EXPECT_THAT(run.steps, ElementsAre(Step::kQuiesce, Step::kDrain, Step::kDestroy, Step::kClose));
  EXPECT_EQ(machine.phase(), Phase::kUnloaded);
  EXPECT_THAT(machine.conditions(), IsEmpty());
}

TEST(Lifecycle, WhatAnUnloadLeavesBehindIsACondition) {
  Lifecycle machine = Running();
  Drive(machine, machine.Unload(), {}, kBroken, {"a mapping of http.so"});
  EXPECT_THAT(machine.left_behind(), ElementsAre("a mapping of http.so"));
  ASSERT_EQ(machine.conditions().size(), 1U);
  EXPECT_EQ(machine.conditions()[0].reason, "LEFT_BEHIND");
}

TEST(Lifecycle, AnUnloadGoesOnAfterAFailureThatTouchesNoCode) {
  for (const Step step : {Step::kQuiesce, Step::kDrain, Step::kClose}) {
    Lifecycle machine = Running();
    const Driven run = Drive(machine, machine.Unload(), {step});
    EXPECT_EQ(run.steps.back(), Step::kClose);
    EXPECT_EQ(run.end.kind, Action::Kind::kDone);
    EXPECT_FALSE(machine.left_behind().empty()) << StepName(step);
  }
}

TEST(Lifecycle, AStuckDecoderQuarantinesTheModule) {
  Lifecycle machine = Running();
  const Driven run = Drive(machine, machine.Unload(), {Step::kDrain},
                           MakeStatus(absl::StatusCode::kDeadlineExceeded, "a shard is still inside"));
  EXPECT_EQ(run.steps.back(), Step::kDrain) << "nothing may be taken from under it";
  EXPECT_EQ(machine.phase(), Phase::kFailed);
  EXPECT_EQ(machine.conditions().at(0).type, "Quarantined");
  EXPECT_EQ(machine.Load("{}").kind, Action::Kind::kFailed);
}

TEST(Lifecycle, GenerationsAreNotReusedAfterAReload) {
  Lifecycle machine = Running();
  Drive(machine, machine.Unload());
  EXPECT_EQ(machine.generation(), 0U);
  Drive(machine, machine.Load("{}"));
  EXPECT_EQ(machine.generation(), 2U);
}

TEST(Lifecycle, RefusesCommandsThePhaseDoesNotAllow) {
  Lifecycle machine;
  EXPECT_EQ(GetErrorDetails(machine.Configure("{}").error).reason, "MODULE_NOT_LOADED");
  EXPECT_EQ(GetErrorDetails(machine.Unload().error).reason, "MODULE_NOT_LOADED");
  machine = Running();
  EXPECT_EQ(GetErrorDetails(machine.Load("{}").error).reason, "MODULE_ALREADY_LOADED");
  EXPECT_EQ(machine.phase(), Phase::kRunning);
}

}  // namespace
}  // namespace probed::state
