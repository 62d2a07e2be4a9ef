// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/state/planner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/state/tests/fakes.h"

namespace probed::state {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<std::string> Described(const config::State& from, const config::State& to) {
  std::vector<std::string> out;
  for (const Change& change : Plan(from, to)) out.push_back(Describe(change));
  return out;
}

config::State Full() {
  config::State state;
  state.modules = {{"http", R"({"a":1})"}, {"dns"}};
  state.sinks = {OtlpSink("collector")};
  state.routes = {RouteTo("all", "collector")};
  config::Target target;
  target.name = "web";
  state.targets = {target};
  return state;
}

TEST(Planner, NothingToDoForEqualStates) { EXPECT_THAT(Described(Full(), Full()), IsEmpty()); }

TEST(Planner, BuildsSinksBeforeRoutesAndModulesLast) {
  EXPECT_THAT(Described({}, Full()), ElementsAre("add sink collector", "set the targets", "set the routes",
                                                 "load module http", "load module dns"));
}

TEST(Planner, TakesDownModulesBeforeSinks) {
  EXPECT_THAT(Described(Full(), {}), ElementsAre("set the targets", "set the routes", "unload module http",
                                                 "unload module dns", "delete sink collector"));
}

TEST(Planner, SeesChangesInPlace) {
  config::State next = Full();
  next.modules[0].config_json = R"({"a":2})";
  next.sinks[0].endpoint = "other:4317";
  EXPECT_THAT(Described(Full(), next), ElementsAre("change sink collector", "configure module http"));
}

TEST(Planner, TheSpellingOfAConfigurationIsNoChange) {
  config::State next = Full();
  next.modules[0].config_json = R"({ "a" : 1 })";
  EXPECT_THAT(Described(Full(), next), IsEmpty());
}

}  // namespace
}  // namespace probed::state
