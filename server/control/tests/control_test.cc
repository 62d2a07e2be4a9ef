// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Changes and reads over the socket: replies, error details, idempotency, audit.
#include "server/control/service_context.h"
#include "server/control/tests/control_fixture.h"

namespace probed::control {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST_F(ControlTest, SaysWhoItIsAndWhoCalls) {
  v1::GetInfoResponse info;
  ASSERT_TRUE(Control()->GetInfo(Deadline().get(), {}, &info).ok());
  EXPECT_EQ(info.version(), "1.2.3");
  EXPECT_EQ(info.caller().uid(), ::geteuid());
  EXPECT_EQ(info.pid(), static_cast<std::uint32_t>(::getpid()));
}

TEST_F(ControlTest, ACallWhoseConnectionIsGoneIsNobodys) {
  PeerTable peers;
  Calls calls;
  const Audit audit;
  const ServiceContext context{
      world_.engine, ledger_, tail_, io_.get_executor(), {.own_uid = ::geteuid(), .group = {}}, peers,
      calls,         audit,   {}};
  const grpc::CallbackServerContext call;
  const grpc::Status refused = ToGrpc(Admit(context, call).status());
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::UNAUTHENTICATED);
  EXPECT_EQ(ReasonOf(refused), "UNAUTHENTICATED");
  calls.EndStreams();
  EXPECT_EQ(ReasonOf(ToGrpc(Admit(context, call).status())), "SHUTTING_DOWN");
}

TEST_F(ControlTest, LoadsConfiguresAndUnloads) {
  const auto stub = Control();
  v1::LoadModuleResponse loaded;
  ASSERT_TRUE(Load(*stub, "http", "{}", &loaded).ok());
  EXPECT_EQ(loaded.module().status().phase(), v1::MODULE_PHASE_RUNNING);
  EXPECT_GT(loaded.outcome().version(), 0U);

  v1::ConfigureModuleRequest configure;
  v1::ConfigureModuleResponse configured;
  configure.set_name("http");
  configure.set_config_json(R"({"a":1})");
  ASSERT_TRUE(stub->ConfigureModule(Deadline().get(), configure, &configured).ok());
  EXPECT_EQ(configured.outcome().receipt().new_generation(), 2U);

  v1::UnloadModuleRequest unload;
  v1::UnloadModuleResponse unloaded;
  unload.set_name("http");
  ASSERT_TRUE(stub->UnloadModule(Deadline().get(), unload, &unloaded).ok());
  EXPECT_EQ(unloaded.module().spec().mode(), v1::DESIRED_MODE_DISABLED);
  EXPECT_EQ(unloaded.left_behind_size(), 0);
}

TEST_F(ControlTest, ListsModulesWithTheirManifestOnDemand) {
  const auto stub = Control();
  ASSERT_TRUE(Load(*stub, "http", "{}").ok());
  v1::ListModulesRequest list;
  v1::ListModulesResponse all;
  ASSERT_TRUE(stub->ListModules(Deadline().get(), list, &all).ok());
  ASSERT_EQ(all.modules_size(), 2);
  EXPECT_EQ(all.modules(0).name(), "dns");
  EXPECT_TRUE(all.modules(1).description().manifest_json().empty());
  list.set_loaded_only(true);
  v1::ListModulesResponse loaded;
  ASSERT_TRUE(stub->ListModules(Deadline().get(), list, &loaded).ok());
  ASSERT_EQ(loaded.modules_size(), 1);
  v1::GetModuleRequest get;
  v1::GetModuleResponse one;
  get.set_name("http");
  ASSERT_TRUE(stub->GetModule(Deadline().get(), get, &one).ok());
  EXPECT_FALSE(one.module().description().manifest_json().empty());
  get.set_name("none");
  EXPECT_EQ(ReasonOf(stub->GetModule(Deadline().get(), get, &one)), "MODULE_NOT_FOUND");
}

TEST_F(ControlTest, ErrorsCarryFieldPaths) {
  const grpc::Status status = Load(*Control(), "http", R"({"bad":1})");
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(ReasonOf(status), "CONFIG_INVALID");
  google::rpc::Status whole;
  google::rpc::BadRequest request;
  ASSERT_TRUE(whole.ParseFromString(status.error_details()));
  for (const auto& detail : whole.details()) detail.UnpackTo(&request);
  ASSERT_EQ(request.field_violations_size(), 1);
  EXPECT_EQ(request.field_violations(0).field(), "config.bad");
}

TEST_F(ControlTest, RefusesModesAndRequestIdsItDoesNotTake) {
  const auto stub = Control();
  v1::LoadModuleRequest request;
  v1::LoadModuleResponse response;
  request.mutable_spec()->set_name("http");
  request.mutable_spec()->set_mode(v1::DESIRED_MODE_SHADOW);
  EXPECT_EQ(ReasonOf(stub->LoadModule(Deadline().get(), request, &response)), "REQUEST_INVALID");
  request.mutable_spec()->set_mode(v1::DESIRED_MODE_ACTIVE);
  request.mutable_options()->set_request_id(std::string(129, 'r'));
  EXPECT_EQ(ReasonOf(stub->LoadModule(Deadline().get(), request, &response)), "REQUEST_INVALID");
}

TEST_F(ControlTest, ARetryWithTheSameRequestIdGetsTheFirstAnswer) {
  v1::ChangeOptions options;
  options.set_request_id("4a1f");
  v1::LoadModuleResponse first;
  v1::LoadModuleResponse second;
  ASSERT_TRUE(Load(*Control(), "http", "{}", &first, options).ok());
  ASSERT_TRUE(Load(*Control(), "http", "{}", &second, options).ok());
  EXPECT_FALSE(first.outcome().replayed());
  EXPECT_TRUE(second.outcome().replayed());
  EXPECT_EQ(first.outcome().version(), second.outcome().version());
  EXPECT_EQ(ReasonOf(Load(*Control(), "dns", "{}", nullptr, options)), "REQUEST_ID_REUSED");
}

TEST_F(ControlTest, AStaleEtagIsAborted) {
  v1::ChangeOptions options;
  options.set_etag("stale");
  const grpc::Status status = Load(*Control(), "http", "{}", nullptr, options);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::ABORTED);
  EXPECT_EQ(ReasonOf(status), "ETAG_MISMATCH");
}

v1::PutSinkRequest PutCollector() {
  v1::PutSinkRequest put;
  put.mutable_sink()->set_name("collector");
  put.mutable_sink()->mutable_spec()->set_type(v1::SINK_TYPE_OTLP_GRPC);
  put.mutable_sink()->mutable_spec()->set_endpoint("localhost:4317");
  (*put.mutable_sink()->mutable_spec()->mutable_headers())["authorization"] = "Bearer secret";
  return put;
}

TEST_F(ControlTest, PutsSinksAndReadsThemBack) {
  const auto stub = Control();
  v1::PutSinkResponse created;
  ASSERT_TRUE(stub->PutSink(Deadline().get(), PutCollector(), &created).ok());
  EXPECT_TRUE(created.created());
  EXPECT_EQ(created.sink().spec().timeout().seconds(), 10) << "defaults are shown";
  state::SinkStatus numbers{.name = "collector", .state = "ok", .last_error = {}, .sent_items = 5};
  OnControl([&] { world_.sinks.statuses = {numbers}; });
  v1::ListSinksResponse sinks;
  ASSERT_TRUE(stub->ListSinks(Deadline().get(), {}, &sinks).ok());
  ASSERT_EQ(sinks.sinks_size(), 1);
  EXPECT_EQ(sinks.sinks(0).status().sent_items(), 5U) << "numbers are fresh";
  v1::PutSinkResponse again;
  v1::PutSinkRequest put;
  *put.mutable_sink() = sinks.sinks(0);
  ASSERT_TRUE(stub->PutSink(Deadline().get(), put, &again).ok());
  EXPECT_TRUE(again.outcome().unchanged()) << "what was read can be put again";
}

TEST_F(ControlTest, RefusesSinksWithTheFieldThatIsWrong) {
  v1::PutSinkRequest put = PutCollector();
  v1::PutSinkResponse response;
  put.mutable_sink()->mutable_spec()->set_type(v1::SINK_TYPE_UNSPECIFIED);
  EXPECT_EQ(ReasonOf(Control()->PutSink(Deadline().get(), put, &response)), "SINK_INVALID");
  put = PutCollector();
  put.mutable_sink()->mutable_spec()->mutable_timeout()->set_seconds(-1);
  EXPECT_THAT(Control()->PutSink(Deadline().get(), put, &response).error_message(), HasSubstr("sink.timeout"));
}

TEST_F(ControlTest, ASinksRefusalIsAnAnswer) {
  const auto stub = Control();
  v1::PutSinkResponse created;
  ASSERT_TRUE(stub->PutSink(Deadline().get(), PutCollector(), &created).ok());
  OnControl([&] { world_.script.Fail("Test", MakeStatus(absl::StatusCode::kUnavailable, "connection refused")); });
  v1::TestSinkRequest test;
  v1::TestSinkResponse answer;
  test.set_name("collector");
  ASSERT_TRUE(stub->TestSink(Deadline().get(), test, &answer).ok());
  EXPECT_FALSE(answer.accepted());
  EXPECT_EQ(answer.code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(answer.message(), "connection refused");
  test.set_name("none");
  EXPECT_EQ(ReasonOf(stub->TestSink(Deadline().get(), test, &answer)), "SINK_NOT_FOUND");
}

TEST_F(ControlTest, RoutesAndTargetsRoundTrip) {
  const auto stub = Control();
  v1::PutSinkResponse created;
  ASSERT_TRUE(stub->PutSink(Deadline().get(), PutCollector(), &created).ok());
  v1::PutRoutesRequest put;
  v1::PutRoutesResponse routes;
  v1::Route& route = *put.mutable_table()->add_routes();
  route.set_name("servers");
  route.add_signals(v1::SIGNAL_TRACES);
  route.add_kinds(v1::SPAN_KIND_SERVER);
  route.add_sinks("collector");
  ASSERT_TRUE(stub->PutRoutes(Deadline().get(), put, &routes).ok());
  v1::GetRoutesResponse read;
  ASSERT_TRUE(stub->GetRoutes(Deadline().get(), {}, &read).ok());
  EXPECT_EQ(read.table().routes(0).SerializeAsString(), route.SerializeAsString());
  EXPECT_EQ(read.table().etag(), routes.table().etag());

  v1::DeleteSinkRequest drop;
  v1::DeleteSinkResponse dropped;
  drop.set_name("collector");
  EXPECT_EQ(ReasonOf(stub->DeleteSink(Deadline().get(), drop, &dropped)), "SINK_IN_USE");

  v1::PutTargetsRequest put_targets;
  v1::PutTargetsResponse targets;
  v1::Target& target = *put_targets.mutable_table()->add_targets();
  target.set_name("web");
  target.add_ports(70000);
  EXPECT_EQ(ReasonOf(stub->PutTargets(Deadline().get(), put_targets, &targets)), "TARGETS_INVALID");
  target.set_ports(0, 80);
  ASSERT_TRUE(stub->PutTargets(Deadline().get(), put_targets, &targets).ok());
  v1::GetTargetsResponse read_targets;
  ASSERT_TRUE(stub->GetTargets(Deadline().get(), {}, &read_targets).ok());
  EXPECT_EQ(read_targets.table().targets(0).SerializeAsString(), target.SerializeAsString());
}

TEST_F(ControlTest, TheStateIsOneDocument) {
  const auto stub = Control();
  v1::PutSinkResponse created;
  ASSERT_TRUE(stub->PutSink(Deadline().get(), PutCollector(), &created).ok());
  ASSERT_TRUE(Load(*stub, "http", "{}").ok());
  v1::GetStateResponse state;
  ASSERT_TRUE(stub->GetState(Deadline().get(), {}, &state).ok());
  EXPECT_EQ(state.state().modules(0).name(), "http");
  EXPECT_EQ(state.state().sinks(0).name(), "collector");
  EXPECT_EQ(state.state().hash().size(), 64U);
  EXPECT_EQ(state.modules(0).status().phase(), v1::MODULE_PHASE_RUNNING);
  EXPECT_GT(state.version(), 0U);
}

TEST_F(ControlTest, EveryChangeIsAuditedWithoutSecrets) {
  const auto stub = Control();
  ASSERT_TRUE(Load(*stub, "http", R"({"token":"hunter2"})").ok());
  v1::PutSinkResponse created;
  ASSERT_TRUE(stub->PutSink(Deadline().get(), PutCollector(), &created).ok());
  EXPECT_FALSE(Load(*stub, "none", "{}").ok());
  const auto lines = AuditLines();
  ASSERT_EQ(lines.size(), 3U);
  EXPECT_EQ(lines[0]["call"], "LoadModule");
  EXPECT_EQ(lines[0]["subject"], "http");
  EXPECT_EQ(lines[0]["uid"], ::geteuid());
  EXPECT_EQ(lines[0]["pid"], ::getpid());
  EXPECT_EQ(lines[0]["result"], "OK");
  EXPECT_EQ(lines[0]["new_generation"], lines[0]["old_generation"].get<int>() + 1);
  EXPECT_EQ(lines[2]["reason"], "MODULE_NOT_FOUND");
  for (const auto& line : lines) {
    EXPECT_THAT(line.dump(), Not(HasSubstr("hunter2")));
    EXPECT_THAT(line.dump(), Not(HasSubstr("Bearer")));
  }
}

TEST_F(ControlTest, TheLedgerSaysWhetherItCloses) {
  OnControl([this] { ledger_.lines = {{"kernel", {{"hooked", 7}}, ""}, {"module:http", {{"spans", 3}}, "off by 1"}}; });
  v1::GetLedgerResponse ledger;
  ASSERT_TRUE(Observe()->GetLedger(Deadline().get(), {}, &ledger).ok());
  ASSERT_EQ(ledger.lines_size(), 2);
  EXPECT_EQ(ledger.lines(0).counters().at("hooked"), 7U);
  EXPECT_FALSE(ledger.closes());
}

TEST_F(ControlTest, ReadingDoesNotWaitForAChange) {
  std::promise<void> release;
  std::promise<void> entered;
  boost::asio::post(io_, [&] {
    entered.set_value();
    release.get_future().wait();
  });
  entered.get_future().wait();
  v1::GetRoutesResponse routes;
  EXPECT_TRUE(Control()->GetRoutes(Deadline().get(), {}, &routes).ok());
  release.set_value();
}

}  // namespace
}  // namespace probed::control
