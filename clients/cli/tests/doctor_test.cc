// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// doctor and ledger.
#include <nlohmann/json.hpp>

#include "clients/cli/tests/verb_test.h"

namespace probed::cli {
namespace {

using nlohmann::json;
using testing::HasSubstr;

/// Results of the checks that concern the daemon, whatever this host is like.
json Findings(const Ran& ran, const std::string& check) {
  json found = json::array();
  for (const json& item : json::parse(ran.out)) {
    if (item.at("check") == check) found.push_back(item);
  }
  return found;
}

TEST_F(VerbTest, DoctorAsksTheDaemon) {
  const Ran ran = Run({"doctor", "-o", "json"});
  EXPECT_EQ(Findings(ran, "daemon").at(0).at("result"), "ok");
  EXPECT_EQ(Findings(ran, "backend").at(0).at("finding"), "fexit");
  EXPECT_EQ(Findings(ran, "ledger").at(0).at("result"), "ok");
  EXPECT_EQ(Findings(ran, "module http").at(0).at("finding"), "running");
}

TEST_F(VerbTest, DoctorFailsWhenTheLedgerDoesNotClose) {
  daemon.ledger.set_closes(false);
  v1::LedgerLine* line = daemon.ledger.add_lines();
  line->set_scope("module:http");
  line->set_imbalance("submitted 10 != consumed 9");
  const Ran ran = Run({"doctor", "-o", "json"});
  EXPECT_EQ(ran.code, 7);
  EXPECT_EQ(Findings(ran, "ledger module:http").at(0).at("advice"), "submitted 10 != consumed 9");
}

TEST_F(VerbTest, DoctorFailsWhenSomethingIsDegraded) {
  v1::Condition* condition = daemon.modules["http"].mutable_status()->add_conditions();
  condition->set_type("Degraded");
  condition->set_reason("ATTACH_REFUSED");
  condition->set_message("no SSL_write");
  const Ran ran = Run({"doctor", "-o", "json"});
  EXPECT_EQ(ran.code, 7);
  EXPECT_EQ(Findings(ran, "module http").at(0).at("advice"), "no SSL_write");
}

TEST_F(VerbTest, DoctorOnlyWarnsOfWhatDoesNotApply) {
  v1::Condition* condition = daemon.modules["http"].mutable_status()->add_conditions();
  condition->set_type("NotApplicable");
  condition->set_reason("NO_SYMBOLS");
  condition->set_message("java (pid 7)");
  const Ran ran = Run({"doctor", "-o", "json"});
  EXPECT_EQ(ran.code, 0);
  EXPECT_EQ(Findings(ran, "module http").at(0).at("advice"), "java (pid 7)");
  EXPECT_EQ(Findings(ran, "module http").at(0).at("result"), "warn");
}

TEST_F(VerbTest, DoctorFailsWithoutABackendOrWithAFailingSink) {
  daemon.sinks["collector"].mutable_status()->set_health(v1::SINK_HEALTH_FAILING);
  EXPECT_EQ(Run({"doctor"}).code, 7);
  daemon.sinks.clear();
  daemon.info.mutable_platform()->clear_backend();
  EXPECT_EQ(Run({"doctor"}).code, 7);
}

TEST_F(VerbTest, DoctorWorksWithoutTheDaemon) {
  const Ran ran = RunProbectlOn(folder.Path("none"), {"doctor", "-o", "json"});
  EXPECT_EQ(ran.code, 6);
  EXPECT_EQ(Findings(ran, "kernel").size(), 1U);
  EXPECT_THAT(Findings(ran, "daemon").at(0).at("finding").get<std::string>(), HasSubstr("No such file"));
  EXPECT_NE(RunProbectlOn(folder.Path("none"), {"doctor", "--offline"}).code, 6);
}

TEST_F(VerbTest, LedgerShowsCountersAndWhetherTheyClose) {
  v1::LedgerLine* line = daemon.ledger.add_lines();
  line->set_scope("kernel");
  (*line->mutable_counters())["hooked"] = 10;
  (*line->mutable_counters())["error"] = 0;
  EXPECT_THAT(Out({"ledger"}), HasSubstr("kernel  yes     hooked=10\n"));
  EXPECT_THAT(Out({"ledger", "-o", "wide"}), HasSubstr("error=0 hooked=10"));
  EXPECT_EQ(json::parse(Out({"ledger", "-o", "json"})).at("lines").at(0).at("counters").at("hooked"), 10);
  line->set_imbalance("hooked 10 != submitted 9");
  daemon.ledger.set_closes(false);
  const Ran ran = Run({"ledger"});
  EXPECT_EQ(ran.code, 7);
  EXPECT_THAT(ran.out, HasSubstr("kernel: hooked 10 != submitted 9\n"));
}

TEST_F(VerbTest, ALedgerThatCannotBeReadIsAFailure) {
  daemon.FailNext(MakeFailure(grpc::StatusCode::UNAVAILABLE, "it stops", "SHUTTING_DOWN"));
  EXPECT_EQ(Run({"ledger"}).code, 1);
}

}  // namespace
}  // namespace probed::cli
