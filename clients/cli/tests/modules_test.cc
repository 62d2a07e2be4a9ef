// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// modules, load, configure, unload.
#include <nlohmann/json.hpp>

#include "clients/cli/tests/verb_test.h"
#include "google/rpc/error_details.pb.h"

namespace probed::cli {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::Not;

TEST_F(VerbTest, ModulesAreListedWithPhaseAndProblem) {
  const std::string out = Out({"modules"});
  EXPECT_THAT(out, HasSubstr("http  running   3    1.2.3"));
  EXPECT_THAT(out, HasSubstr("needs ABI 2.0"));
  EXPECT_EQ(out, Out({"modules", "list"}));
}

TEST_F(VerbTest, ModulesFitTheTerminal) {
  const Ran ran = Run({"modules", "-o", "wide"}, 60);
  std::stringstream lines(ran.out);
  for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 100U);
  EXPECT_THAT(Out({"modules", "-o", "wide"}), HasSubstr(R"({"capture_bytes":4096,"known_methods":["GET"]})"));
}

TEST_F(VerbTest, ModulesInEveryFormat) {
  EXPECT_EQ(Out({"modules", "-o", "name"}), "dns\nhttp\nold\n");
  EXPECT_EQ(Out({"-o", "name", "modules", "--loaded"}), "http\n");
  const json modules = json::parse(Out({"modules", "-o", "json"}));
  EXPECT_EQ(modules.at(1).at("status").at("phase"), "running");
  EXPECT_EQ(modules.at(1).at("spec").at("config").at("capture_bytes"), 4096);
  EXPECT_THAT(Out({"modules", "-o", "yaml"}), HasSubstr("phase: running"));
}

TEST_F(VerbTest, OneModuleInFull) {
  daemon.modules["http"].mutable_description()->set_manifest_json(R"({"name":"http"})");
  EXPECT_THAT(Out({"modules", "get", "http"}), HasSubstr("description: Traces http"));
  EXPECT_EQ(json::parse(Out({"modules", "get", "http", "-o", "json"})).at("description").at("manifest").at("name"),
            "http");
  EXPECT_EQ(Run({"modules", "get", "none"}).code, 3);
}

TEST_F(VerbTest, RescanFindsNewModules) { EXPECT_THAT(Out({"modules", "rescan", "-o", "name"}), HasSubstr("fresh")); }

TEST_F(VerbTest, LoadSendsNameConfigAndOptions) {
  EXPECT_EQ(Out({"load", "dns", "--set", "a.b=1", "--set", "c=x", "--request-id", "r1"}),
            "dns running (generation 1)\n");
  EXPECT_EQ(daemon.load_request.spec().name(), "dns");
  EXPECT_EQ(daemon.load_request.spec().config_json(), R"({"a":{"b":1},"c":"x"})");
  EXPECT_EQ(daemon.load_request.options().request_id(), "r1");
  EXPECT_FALSE(daemon.load_request.options().validate_only());
}

TEST_F(VerbTest, LoadMakesARequestIdOfItsOwn) {
  Out({"load", "dns"});
  const std::string first = daemon.load_request.options().request_id();
  EXPECT_THAT(first, testing::MatchesRegex("[0-9a-f-]{36}"));
  Out({"load", "dns"});
  EXPECT_NE(daemon.load_request.options().request_id(), first);
}

TEST_F(VerbTest, LoadSendsAJsonFileAsItStands) {
  const std::string text = "{ \"ratio\": 0.10000000000000000000001 }";
  Out({"load", "dns", "--config", File(text)});
  EXPECT_EQ(daemon.load_request.spec().config_json(), text);
}

TEST_F(VerbTest, LoadTakesYamlWithSettingsOnTop) {
  Out({"load", "dns", "--config", File("a: 1\nb: [x]\n"), "--set", "a=2"});
  EXPECT_EQ(daemon.load_request.spec().config_json(), R"({"a":2,"b":["x"]})");
}

TEST_F(VerbTest, LoadValidatesOnly) {
  EXPECT_THAT(Out({"load", "dns", "--validate-only"}), HasSubstr("valid; nothing was changed"));
  EXPECT_TRUE(daemon.load_request.options().validate_only());
}

TEST_F(VerbTest, LoadShowsWarnings) {
  daemon.outcome.add_warnings("ring is small");
  EXPECT_THAT(Run({"load", "dns"}).err, HasSubstr("warning: ring is small"));
}

TEST_F(VerbTest, LoadFailsWithTheDetailsOfTheError) {
  google::rpc::BadRequest bad;
  bad.add_field_violations()->set_field("config.capture_byte");
  bad.mutable_field_violations(0)->set_description("unknown key");
  daemon.FailNext(
      MakeFailure(grpc::StatusCode::INVALID_ARGUMENT, "the configuration is wrong", "CONFIG_INVALID", {&bad}));
  const Ran ran = Run({"load", "dns"});
  EXPECT_EQ(ran.code, 2);
  EXPECT_EQ(ran.out, "");
  EXPECT_EQ(ran.err,
            "probectl: cannot load module dns: the configuration is wrong [CONFIG_INVALID]\n"
            "  config.capture_byte: unknown key\n");
}

TEST_F(VerbTest, EveryClassOfErrorHasItsExitCode) {
  const std::vector<std::pair<grpc::StatusCode, int>> cases{{grpc::StatusCode::INTERNAL, 1},
                                                            {grpc::StatusCode::NOT_FOUND, 3},
                                                            {grpc::StatusCode::ALREADY_EXISTS, 4},
                                                            {grpc::StatusCode::PERMISSION_DENIED, 5},
                                                            {grpc::StatusCode::UNAVAILABLE, 1}};
  for (const auto& [code, expected] : cases) {
    daemon.FailNext(MakeFailure(code, "no", "REASON"));
    EXPECT_EQ(Run({"load", "dns"}).code, expected) << code;
  }
}

TEST_F(VerbTest, LoadWaitsUntilItRuns) {
  daemon.after_load = v1::MODULE_PHASE_PENDING;
  daemon.outcome.set_version(5);
  daemon.Script({ModuleEvent("http", v1::MODULE_PHASE_FAILED, 6), ModuleEvent("dns", v1::MODULE_PHASE_LOADING, 7),
                 ModuleEvent("dns", v1::MODULE_PHASE_RUNNING, 8)},
                false);
  EXPECT_THAT(Out({"load", "dns", "--wait"}), HasSubstr("dns running"));
  EXPECT_EQ(daemon.watch_request.since_version(), 5U);
}

TEST_F(VerbTest, WaitingEndsWithFailureDegradationOrTimeout) {
  daemon.after_load = v1::MODULE_PHASE_PENDING;
  daemon.Script({ModuleEvent("dns", v1::MODULE_PHASE_FAILED, 6)}, false);
  EXPECT_EQ(Run({"load", "dns", "--wait"}).code, 1);
  daemon.Script({}, false);
  const Ran late = Run({"load", "dns", "--wait", "--timeout", "200ms"});
  EXPECT_EQ(late.code, 1);
  EXPECT_THAT(late.err, HasSubstr("wait for module dns"));
  daemon.after_load = v1::MODULE_PHASE_RUNNING;
  daemon.conditions_after_load.emplace_back().set_type("Degraded");
  EXPECT_EQ(Run({"load", "dns", "--wait"}).code, 7);
  EXPECT_EQ(Run({"load", "dns"}).code, 0);
}

TEST_F(VerbTest, ProgressNeedsSomebodyWhoWatches) {
  daemon.Script({ModuleEvent("dns", v1::MODULE_PHASE_LOADING, 7)}, false);
  EXPECT_EQ(Run({"load", "dns"}, 0, /*progress=*/true).code, 0);
  EXPECT_THAT(Run({"load", "dns"}, 0, /*progress=*/false).err, Not(HasSubstr("loading")));
}

TEST_F(VerbTest, ConfigureChangesTheConfigurationThereIs) {
  const std::string out = Out({"configure", "http", "--set", "capture_bytes=8192", "--unset", "known_methods"});
  EXPECT_EQ(daemon.configure_request.config_json(), R"({"capture_bytes":8192})");
  EXPECT_EQ(daemon.configure_request.options().etag(), "http-1");
  EXPECT_THAT(out, HasSubstr("generation 3 -> 4: lost 0, doubled 0"));
}

TEST_F(VerbTest, ConfigureReplacesItFromAFile) {
  Out({"configure", "http", "--config", File("{}")});
  EXPECT_EQ(daemon.configure_request.config_json(), "{}");
  EXPECT_EQ(daemon.configure_request.options().etag(), "");
  const json answer = json::parse(Out({"configure", "http", "--config", File("{}"), "-o", "json"}));
  EXPECT_EQ(answer.at("outcome").at("receipt").at("lost"), 0);
}

TEST_F(VerbTest, ConfigureBeginsAgainWhenItWasOvertaken) {
  daemon.overtaken = 2;
  Out({"configure", "http", "--set", "a=1"});
  EXPECT_EQ(daemon.configure_calls, 3);
  EXPECT_EQ(daemon.configure_request.options().etag(), "http-1++");
  daemon.overtaken = 100;
  const Ran ran = Run({"configure", "http", "--set", "a=1"});
  EXPECT_EQ(ran.code, 4);
  EXPECT_THAT(ran.err, HasSubstr("ETAG_MISMATCH"));
}

TEST_F(VerbTest, ConfigureRespectsAnEtagOfTheUser) {
  EXPECT_EQ(Run({"configure", "http", "--set", "a=1", "--etag", "stale"}).code, 4);
  EXPECT_EQ(daemon.configure_calls, 1);
}

TEST_F(VerbTest, ConfigureRefusesNothingAndNonsense) {
  EXPECT_EQ(Run({"configure", "http"}).code, 2);
  EXPECT_EQ(Run({"configure", "http", "--set", "a"}).code, 2);
  EXPECT_EQ(Run({"configure", "none", "--set", "a=1"}).code, 3);
  EXPECT_EQ(daemon.configure_calls, 0);
}

TEST_F(VerbTest, UnloadReportsWhatStayed) {
  EXPECT_EQ(Out({"unload", "http", "--wait"}), "http unloaded (generation 3)\n");
  const Ran again = Run({"unload", "http"});
  EXPECT_EQ(again.code, 4);
  EXPECT_THAT(again.err, HasSubstr("[MODULE_NOT_LOADED]"));
  daemon.modules["http"].mutable_status()->set_phase(v1::MODULE_PHASE_RUNNING);
  daemon.left_behind = {"library still mapped"};
  const Ran stuck = Run({"unload", "http"});
  EXPECT_EQ(stuck.code, 7);
  EXPECT_THAT(stuck.err, HasSubstr("left behind: library still mapped"));
}

}  // namespace
}  // namespace probed::cli
