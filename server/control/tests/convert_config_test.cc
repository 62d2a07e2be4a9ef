// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/control/convert_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/config/validate.h"
#include "server/control/convert_enums.h"

namespace probed::control {
namespace {

using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::vector<std::string> Paths(const Violations& violations) {
  std::vector<std::string> out;
  for (const FieldViolation& violation : violations) out.push_back(violation.path);
  return out;
}

/// Over the wire and back: through bytes, so that what a proto does not carry is lost here as it would be there.
template <typename Model, typename Proto = decltype(ToProto(Model()))>
Model ThroughWire(const Model& model) {
  Proto received;
  EXPECT_TRUE(received.ParseFromString(ToProto(model).SerializeAsString()));
  Violations violations;
  const Model back = FromProto(received, "x", violations);
  EXPECT_THAT(Paths(violations), IsEmpty());
  return back;
}

config::Target FullTarget() {
  return {.name = "web",
          .exclude = true,
          .exe = {"/usr/sbin/nginx", "/opt/*/bin/app"},
          .ports = {1, 80, 65535},
          .pids = {1, 4'000'000'000U},
          .cgroups = {"/system.slice"},
          .service_name = "shop"};
}

config::Route FullRoute() {
  return {.name = "all",
          .modules = {"http"},
          .services = {"shop", "cart"},
          .signals = {config::Signal::kTraces, config::Signal::kMetrics, config::Signal::kLogs},
          .kinds = {"server", "client", "internal", "producer", "consumer"},
          .sinks = {"collector"},
          .drop = true};
}

config::Sink OtlpSink() {
  config::Sink sink;
  sink.name = "collector";
  sink.type = config::SinkType::kOtlpHttp;
  sink.endpoint = "https://collector:4318";
  sink.headers = {{"authorization", "secret"}, {"x-tenant", "7"}};
  sink.compression = config::Compression::kGzip;
  sink.timeout = milliseconds(1500);
  sink.insecure = false;
  sink.ca_file = "/etc/ca.pem";
  sink.cert_file = "/etc/cert.pem";
  sink.key_file = "/etc/key.pem";
  sink.queue_batches = 7;
  sink.retry = {false, milliseconds(1), milliseconds(2), milliseconds(0), 2.5, 0.25};
  sink.temporality = config::Temporality::kDelta;
  return sink;
}

config::Sink FileSink() {
  config::Sink sink;
  sink.name = "disk";
  sink.type = config::SinkType::kFile;
  sink.path = "/var/log/spans.jsonl";
  sink.rotate_bytes = 0;
  sink.rotate_keep = 0;
  return sink;
}

TEST(ConvertConfig, ModuleComesBack) {
  const config::Module module{.name = "http", .config_json = R"({"capture_bytes":16384})"};
  EXPECT_EQ(ThroughWire(module), module);
  EXPECT_EQ(ToProto(module).mode(), v1::DESIRED_MODE_ACTIVE);
}

TEST(ConvertConfig, TargetComesBack) {
  EXPECT_EQ(ThroughWire(FullTarget()), FullTarget());
  EXPECT_EQ(ThroughWire(config::Target{}), config::Target{});
}

TEST(ConvertConfig, RouteComesBack) {
  EXPECT_EQ(ThroughWire(FullRoute()), FullRoute());
  EXPECT_EQ(ThroughWire(config::Route{}), config::Route{});
}

TEST(ConvertConfig, SinksOfEachTypeComeBack) {
  EXPECT_EQ(ThroughWire(OtlpSink()), OtlpSink());
  EXPECT_EQ(ThroughWire(FileSink()), FileSink());
  for (const auto type : {config::SinkType::kOtlpGrpc, config::SinkType::kConsole, config::SinkType::kPrometheus}) {
    config::Sink sink;
    sink.name = "s";
    sink.type = type;
    EXPECT_EQ(ThroughWire(sink), sink) << config::SinkTypeName(type);
  }
}

TEST(ConvertConfig, TablesKeepTheirOrder) {
  const std::vector<config::Target> targets = {FullTarget(), {.name = "b"}, {.name = "a"}};
  EXPECT_EQ(ThroughWire(targets), targets);
  const std::vector<config::Route> routes = {FullRoute(), {.name = "b"}, {.name = "a"}};
  EXPECT_EQ(ThroughWire(routes), routes);
}

TEST(ConvertConfig, StateShowsAllItsParts) {
  const config::State state{
      .modules = {{.name = "http"}}, .targets = {FullTarget()}, .routes = {FullRoute()}, .sinks = {FileSink()}};
  const v1::State proto = ToProto(state);
  EXPECT_EQ(proto.modules(0).name(), "http");
  EXPECT_EQ(proto.targets(0).name(), "web");
  EXPECT_EQ(proto.routes(0).name(), "all");
  EXPECT_EQ(proto.sinks(0).name(), "disk");
  EXPECT_FALSE(proto.sinks(0).has_status());
}

TEST(ConvertConfig, AbsentFieldsTakeTheDefaults) {
  v1::Sink proto;
  proto.set_name("c");
  proto.mutable_spec()->set_type(v1::SINK_TYPE_OTLP_GRPC);
  Violations violations;
  config::Sink expected;
  expected.name = "c";
  EXPECT_EQ(FromProto(proto, "sink", violations), expected);
  EXPECT_THAT(violations, IsEmpty());
}

TEST(ConvertConfig, ExplicitZeroIsNotAbsence) {
  v1::Sink proto;
  proto.mutable_spec()->set_type(v1::SINK_TYPE_FILE);
  proto.mutable_spec()->set_rotate_bytes(0);
  proto.mutable_spec()->mutable_retry()->mutable_max_elapsed();
  Violations violations;
  const config::Sink sink = FromProto(proto, "sink", violations);
  EXPECT_EQ(sink.rotate_bytes, 0U);
  EXPECT_EQ(sink.rotate_keep, 3U);
  EXPECT_EQ(sink.retry.max_elapsed, milliseconds(0));
  EXPECT_EQ(sink.retry.max_interval, milliseconds(30000));
}

TEST(ConvertConfig, EmptyModuleConfigIsAnEmptyObject) {
  Violations violations;
  EXPECT_EQ(FromProto(v1::ModuleSpec(), "spec", violations).config_json, "{}");
  EXPECT_THAT(violations, IsEmpty());
}

TEST(ConvertConfig, OnlyActiveModulesAreTaken) {
  v1::ModuleSpec spec;
  for (const v1::DesiredMode mode :
       {v1::DESIRED_MODE_SHADOW, v1::DESIRED_MODE_DISABLED, static_cast<v1::DesiredMode>(9)}) {
    spec.set_mode(mode);
    Violations violations;
    FromProto(spec, "spec", violations);
    EXPECT_THAT(Paths(violations), ElementsAre("spec.mode")) << mode;
  }
}

TEST(ConvertConfig, NamesPortsOutOfRange) {
  v1::TargetTable table;
  table.add_targets()->add_ports(80);
  table.mutable_targets(0)->add_ports(65536);
  table.add_targets()->add_ports(4'000'000'000U);
  Violations violations;
  FromProto(table, "table", violations);
  EXPECT_THAT(Paths(violations), ElementsAre("table.targets[0].ports[1]", "table.targets[1].ports[0]"));
}

TEST(ConvertConfig, NamesUnknownEnumsOfRoutes) {
  v1::RouteTable table;
  v1::Route& route = *table.add_routes();
  route.add_signals(v1::SIGNAL_TRACES);
  route.add_signals(v1::SIGNAL_UNSPECIFIED);
  route.add_kinds(static_cast<v1::SpanKind>(42));
  Violations violations;
  FromProto(table, "table", violations);
  EXPECT_THAT(Paths(violations), ElementsAre("table.routes[0].signals[1]", "table.routes[0].kinds[0]"));
  EXPECT_THAT(violations[0].description, HasSubstr("is required"));
  EXPECT_THAT(violations[1].description, AllOf(HasSubstr("42"), HasSubstr("SPAN_KIND_SERVER")));
}

TEST(ConvertConfig, NamesWhatIsWrongInASink) {
  v1::Sink proto;
  v1::SinkSpec& spec = *proto.mutable_spec();
  spec.set_compression(static_cast<v1::Compression>(9));
  spec.set_temporality(static_cast<v1::Temporality>(9));
  spec.mutable_timeout()->set_seconds(-1);
  spec.mutable_retry()->mutable_initial_interval()->set_nanos(1);
  Violations violations;
  FromProto(proto, "sink", violations);
  EXPECT_THAT(Paths(violations), ElementsAre("sink.spec.type", "sink.spec.compression", "sink.spec.temporality",
                                             "sink.spec.timeout", "sink.spec.retry.initial_interval"));
}

TEST(ConvertConfig, EveryProtoEnumValueIsKnown) {
  Violations violations;
  for (int i = 1; i <= v1::SinkType_MAX; ++i) FromProto(static_cast<v1::SinkType>(i), "t", violations);
  for (int i = 0; i <= v1::Compression_MAX; ++i) FromProto(static_cast<v1::Compression>(i), "c", violations);
  for (int i = 0; i <= v1::Temporality_MAX; ++i) FromProto(static_cast<v1::Temporality>(i), "m", violations);
  for (int i = 1; i <= v1::Signal_MAX; ++i) FromProto(static_cast<v1::Signal>(i), "s", violations);
  for (int i = 1; i <= v1::SpanKind_MAX; ++i) SpanKindFromProto(static_cast<v1::SpanKind>(i), "k", violations);
  EXPECT_THAT(Paths(violations), IsEmpty());
}

TEST(ConvertConfig, ValidationSpeaksOfTheRequest) {
  config::Sink sink = FileSink();
  sink.name = "";
  sink.path = "relative";
  EXPECT_THAT(Paths(SinkPathsOfRequest("sink", config::ValidateSink(sink, ""))),
              ElementsAre("sink.name", "sink.spec.path"));
  EXPECT_THAT(Paths(ModulePathsOfRequest("spec", config::ValidateModule({.name = "", .config_json = "[]"}, ""))),
              ElementsAre("spec.name", "spec.config_json"));
}

}  // namespace
}  // namespace probed::control
