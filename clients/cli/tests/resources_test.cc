// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// sinks, routes, targets, state, info.
#include <nlohmann/json.hpp>

#include "clients/cli/tests/verb_test.h"

namespace probed::cli {
namespace {

using nlohmann::json;
using testing::HasSubstr;

TEST_F(VerbTest, SinksAreListed) {
  EXPECT_THAT(Out({"sinks"}),
              HasSubstr("collector  otlp_grpc  ok      12    0       0         0        127.0.0.1:4317"));
  EXPECT_EQ(Out({"sinks", "list", "-o", "name"}), "collector\n");
  EXPECT_EQ(json::parse(Out({"sinks", "-o", "json"})).at("sinks").at(0).at("type"), "otlp_grpc");
}

TEST_F(VerbTest, NoSinksSaySo) {
  daemon.sinks.clear();
  EXPECT_THAT(Run({"sinks"}).err, HasSubstr("no sinks"));
}

TEST_F(VerbTest, ASinkGoesOutAndComesBack) {
  const std::string yaml = Out({"sinks", "get", "collector", "-o", "yaml"});
  EXPECT_EQ(Out({"sinks", "put", "-f", File(yaml)}), "collector: changed\n");
  EXPECT_EQ(daemon.put_sink_request.options().etag(), "sink-1");
  EXPECT_EQ(daemon.put_sink_request.sink().spec().endpoint(), "127.0.0.1:4317");
  EXPECT_EQ(Run({"sinks", "get", "none"}).code, 3);
}

TEST_F(VerbTest, SinksArePutFromAFile) {
  EXPECT_EQ(Out({"sinks", "put", "-f", File("sinks: [{name: a, type: console}, {name: b, type: file, path: /x}]")}),
            "a: created\nb: created\n");
  EXPECT_EQ(daemon.sinks.size(), 3U);
  const Ran wrong = Run({"sinks", "put", "-f", File("sinks: [{name: a, tpye: console}]")});
  EXPECT_EQ(wrong.code, 2);
  EXPECT_THAT(wrong.err, HasSubstr("  sinks[0].tpye: unknown key, did you mean type?\n"));
  EXPECT_EQ(Run({"sinks", "put", "-f", folder.Path("none")}).code, 2);
  EXPECT_EQ(Run({"sinks", "put", "-f", File("[{name: a}, {name: b}]"), "--etag", "x"}).code, 2);
}

TEST_F(VerbTest, SinksPutRespectsTheEtag) {
  const std::string file = File("{name: collector, type: console}");
  const Ran ran = Run({"sinks", "put", "-f", file, "--etag", "stale"});
  EXPECT_EQ(ran.code, 4);
  EXPECT_THAT(ran.err, HasSubstr("read it again"));
  EXPECT_THAT(Out({"sinks", "put", "-f", file, "--validate-only"}), HasSubstr("valid; nothing was changed"));
}

TEST_F(VerbTest, SinksAreDeleted) {
  EXPECT_EQ(Out({"sinks", "delete", "collector"}), "collector: deleted\n");
  EXPECT_EQ(Run({"sinks", "delete", "collector"}).code, 3);
}

TEST_F(VerbTest, SinksAreTested) {
  daemon.test_answer.set_accepted(true);
  EXPECT_EQ(Out({"sinks", "test", "collector"}), "collector: accepted\n");
  EXPECT_EQ(daemon.test_request.name(), "collector");
  daemon.test_answer.set_accepted(false);
  daemon.test_answer.set_message("connection refused\x1b[2J");
  const Ran refused = Run({"sinks", "test", "-f", File("{name: new, type: otlp_http, endpoint: 'http://x'}")});
  EXPECT_EQ(refused.code, 1);
  EXPECT_EQ(refused.out, "new: refused: connection refused\\x1b[2J\n");
  EXPECT_EQ(daemon.test_request.sink().spec().endpoint(), "http://x");
  EXPECT_EQ(Run({"sinks", "test"}).code, 2);
}

TEST_F(VerbTest, RoutesGoOutAndComeBack) {
  EXPECT_THAT(Run({"routes"}).err, HasSubstr("no routes"));
  const std::string file = File("routes: [{name: r, signals: [traces], kinds: [server, client], sinks: [collector]}]");
  EXPECT_THAT(Out({"routes", "put", "-f", file}), HasSubstr("traces   server,client  collector"));
  EXPECT_EQ(daemon.put_routes_request.table().routes_size(), 1);
  daemon.routes.set_etag("r-7");
  const std::string yaml = Out({"routes", "get", "-o", "yaml"});
  Out({"routes", "put", "-f", File(yaml)});
  EXPECT_EQ(daemon.put_routes_request.options().etag(), "r-7");
  EXPECT_EQ(daemon.put_routes_request.table().routes(0).kinds_size(), 2);
}

TEST_F(VerbTest, AnEmptyTableGoesOutAndComesBack) {
  const std::string yaml = Out({"routes", "-o", "yaml"});
  Out({"routes", "put", "-f", File(yaml)});
  EXPECT_EQ(daemon.put_routes_request.table().routes_size(), 0);
}

TEST_F(VerbTest, TargetsGoOutAndComeBack) {
  Out({"targets", "put", "-f",
       File("[{name: web, ports: [80], service_name: shop}, {name: me, exclude: true, pids: [7]}]")});
  EXPECT_EQ(daemon.targets.targets_size(), 2);
  EXPECT_THAT(Out({"targets"}), HasSubstr("me    exclude  -    -      7"));
  const std::string before = daemon.targets.SerializeAsString();
  Out({"targets", "put", "-f", File(Out({"targets", "-o", "json"}))});
  EXPECT_EQ(daemon.targets.SerializeAsString(), before);
}

TEST_F(VerbTest, StateIsADocument) {
  EXPECT_THAT(Out({"state"}), HasSubstr("generation 7  hash abcdef012345"));
  EXPECT_THAT(Out({"state"}), HasSubstr("file won: sinks.old: removed by the file"));
  const json state = json::parse(Out({"state", "-o", "json"}));
  EXPECT_EQ(state.at("modules").at(0).at("config").at("capture_bytes"), 4096);
  EXPECT_EQ(state.at("version"), 41);
  // Its sections are what put takes.
  Out({"routes", "put", "-f", File(R"({"sinks":[],"routes":[]})")});
}

TEST_F(VerbTest, InfoShowsTheHost) {
  daemon.info.mutable_platform()->add_missing_features("no kfuncs");
  EXPECT_THAT(Out({"info"}), HasSubstr("backend: fexit\n"));
  EXPECT_THAT(Out({"info"}), HasSubstr("missing: no kfuncs\n"));
  EXPECT_EQ(json::parse(Out({"info", "-o", "json"})).at("version"), "0.1.0");
}

}  // namespace
}  // namespace probed::cli
