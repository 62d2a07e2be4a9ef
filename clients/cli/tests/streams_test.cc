// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// tail, watch, --watch, Ctrl-C.
#include <nlohmann/json.hpp>
#include <thread>

#include "clients/cli/tests/verb_test.h"

namespace probed::cli {
namespace {

using nlohmann::json;
using testing::HasSubstr;

void AddSpan(v1::TailResponse& response, const std::string& name) {
  v1::TailItem* item = response.add_items();
  item->set_signal(v1::SIGNAL_TRACES);
  item->set_module("http");
  item->set_service("shop");
  item->set_json(R"({"resource":{},"span":{"name":")" + name + R"(","kind":2}})");
}

TEST_F(VerbTest, TailPrintsOneLinePerSpan) {
  AddSpan(daemon.tail.emplace_back(), "GET /a");
  AddSpan(daemon.tail.back(), "GET /b");
  daemon.Script({}, true);
  EXPECT_THAT(Out({"tail"}), testing::MatchesRegex(".* shop SERVER GET /a .*\n.* shop SERVER GET /b .*\n"));
}

TEST_F(VerbTest, TailSendsItsFilters) {
  daemon.Script({}, true);
  Out({"tail", "--module", "http", "--module", "dns", "--service", "shop", "--signal", "metrics"});
  EXPECT_EQ(daemon.tail_request.modules_size(), 2);
  EXPECT_EQ(daemon.tail_request.services(0), "shop");
  EXPECT_EQ(daemon.tail_request.signals(0), v1::SIGNAL_METRICS);
  EXPECT_EQ(Run({"tail", "--signal", "smoke"}).code, 2);
}

TEST_F(VerbTest, TailEndsAfterItsCount) {
  for (const char* name : {"a", "b", "c"}) AddSpan(daemon.tail.emplace_back(), name);
  const std::string out = Out({"tail", "-n", "2", "-o", "json"});
  EXPECT_EQ(out,
            "{\"resource\":{},\"span\":{\"name\":\"a\",\"kind\":2}}\n"
            "{\"resource\":{},\"span\":{\"name\":\"b\",\"kind\":2}}\n");
}

TEST_F(VerbTest, TailTellsWhatWasLost) {
  AddSpan(daemon.tail.emplace_back(), "a");
  daemon.tail.back().mutable_loss()->set_lost(17);
  const Ran ran = Run({"tail", "-n", "1"});
  EXPECT_THAT(ran.err, HasSubstr("lost 17 items"));
}

TEST_F(VerbTest, TailKeepsControlCharactersAwayInEveryFormat) {
  AddSpan(daemon.tail.emplace_back(), "\u009b2J\x7f");
  for (const char* format : {"table", "wide", "json", "yaml"}) {
    const std::string out = Out({"tail", "-n", "1", "-o", format});
    EXPECT_THAT(out, testing::Not(HasSubstr("\u009b"))) << format;
  }
}

TEST_F(VerbTest, TailLastsAsLongAsTheTimeout) {
  EXPECT_EQ(Run({"tail", "--timeout", "100ms"}).code, 0);
  EXPECT_EQ(Run({"tail", "--timeout", "100ms", "-n", "1"}).code, 1);
}

TEST_F(VerbTest, TailPassesErrorsOn) {
  daemon.FailNext(MakeFailure(grpc::StatusCode::PERMISSION_DENIED, "tail shows traffic", "PERMISSION_DENIED"));
  EXPECT_EQ(Run({"tail"}).code, 5);
}

TEST_F(VerbTest, WatchPrintsEvents) {
  v1::WatchResponse loss;
  loss.mutable_loss()->set_lost(3);
  v1::WatchResponse removed;
  removed.mutable_removed()->set_kind(v1::RESOURCE_KIND_SINK);
  removed.mutable_removed()->set_name("collector");
  daemon.Script({ModuleEvent("dns", v1::MODULE_PHASE_RUNNING, 9), loss, removed}, true);
  const std::string out = Out({"watch", "--since", "8", "--kind", "modules"});
  EXPECT_THAT(out, HasSubstr(" 9 module dns running generation 0\n"));
  EXPECT_THAT(out, HasSubstr("3 events lost"));
  EXPECT_THAT(out, HasSubstr("sink collector removed"));
  EXPECT_EQ(daemon.watch_request.since_version(), 8U);
  EXPECT_EQ(daemon.watch_request.kinds(0), v1::RESOURCE_KIND_MODULE);
}

TEST_F(VerbTest, WatchGivesOneJsonPerLine) {
  daemon.Script({ModuleEvent("dns", v1::MODULE_PHASE_RUNNING, 9)}, false);
  std::stringstream lines(Out({"watch", "-n", "1", "-o", "json"}));
  std::string line;
  std::getline(lines, line);
  EXPECT_TRUE(json::parse(line).contains("started"));
  std::getline(lines, line);
  EXPECT_EQ(json::parse(line).at("module").at("name"), "dns");
}

TEST_F(VerbTest, WatchCannotResumeFromTheDistantPast) {
  daemon.FailNext(MakeFailure(grpc::StatusCode::OUT_OF_RANGE, "version 1 is gone", "VERSION_EXPIRED"));
  const Ran ran = Run({"watch", "--since", "1"});
  EXPECT_EQ(ran.code, 1);
  EXPECT_THAT(ran.err, HasSubstr("VERSION_EXPIRED"));
}

TEST_F(VerbTest, ListsAreShownAgainAfterEachChange) {
  daemon.Script({ModuleEvent("dns", v1::MODULE_PHASE_RUNNING, 9)}, true);
  EXPECT_EQ(Out({"modules", "--watch", "-o", "name"}), "dns\nhttp\nold\ndns\nhttp\nold\n");
  EXPECT_THAT(Out({"sinks", "list", "--watch", "-o", "name"}), HasSubstr("collector\n"));
  EXPECT_EQ(daemon.watch_request.kinds(0), v1::RESOURCE_KIND_SINK);
  Out({"state", "--watch"});
  EXPECT_EQ(daemon.watch_request.kinds_size(), 0);
}

TEST_F(VerbTest, CtrlCEndsAStreamQuietly) {
  Interrupt interrupt;
  std::thread presser([&] {
    daemon.AwaitWatch();
    interrupt.Fire();
  });
  const Ran ran = RunProbectlOn(socket, {"watch"}, 0, false, &interrupt);
  presser.join();
  EXPECT_EQ(ran.code, 0);
  EXPECT_EQ(ran.err, "");
}

TEST_F(VerbTest, CtrlCFailsACall) {
  Interrupt interrupt;
  interrupt.Fire();
  const Ran ran = RunProbectlOn(socket, {"modules"}, 0, false, &interrupt);
  EXPECT_EQ(ran.code, 1);
  EXPECT_EQ(ran.err, "probectl: interrupted\n");
}

}  // namespace
}  // namespace probed::cli
