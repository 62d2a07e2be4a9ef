// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Values over the wire and back: through bytes, so that what a message does not carry is lost here as it would be
// there.
#include "server/control/convert.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/control/errors.h"

namespace probed::control {
namespace {

using std::chrono::milliseconds;
using ::testing::ElementsAre;

template <typename Proto>
Proto Received(const Proto& sent) {
  Proto received;
  EXPECT_TRUE(received.ParseFromString(sent.SerializeAsString()));
  return received;
}

template <typename T>
std::vector<std::string> BadFields(const Result<T>& result, std::string_view reason) {
  EXPECT_EQ(result.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(GetErrorDetails(result.status()).reason, reason);
  std::vector<std::string> out;
  for (const FieldViolation& field : GetErrorDetails(result.status()).fields) out.push_back(field.path);
  return out;
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

config::Sink FullSink() {
  config::Sink sink;
  sink.name = "collector";
  sink.type = config::SinkType::kOtlpHttp;
  sink.endpoint = "https://collector:4318";
  sink.path = "/var/log/spans.jsonl";
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
  sink.rotate_bytes = 0;
  sink.rotate_keep = 0;
  return sink;
}

config::Sink ThroughWire(const config::Sink& sink) {
  v1::Sink proto;
  ToProto(state::SinkView{.sink = sink, .status = {}, .etag = {}}, proto);
  return FromProto(Received(proto)).value();
}

TEST(ConvertSink, ComesBackWithEveryField) { EXPECT_EQ(ThroughWire(FullSink()), FullSink()); }

TEST(ConvertSink, ComesBackOfEachType) {
  for (const auto type : {config::SinkType::kOtlpGrpc, config::SinkType::kOtlpHttp, config::SinkType::kFile,
                          config::SinkType::kConsole, config::SinkType::kPrometheus}) {
    config::Sink sink;
    sink.type = type;
    EXPECT_EQ(ThroughWire(sink), sink) << config::SinkTypeName(type);
  }
}

TEST(ConvertSink, AbsentFieldsTakeTheDefaults) {
  v1::Sink proto;
  proto.set_name("c");
  proto.mutable_spec()->set_type(v1::SINK_TYPE_OTLP_GRPC);
  config::Sink expected;
  expected.name = "c";
  EXPECT_EQ(FromProto(proto).value(), expected);
}

TEST(ConvertSink, ExplicitZeroIsNotAbsence) {
  v1::Sink proto;
  proto.mutable_spec()->set_type(v1::SINK_TYPE_FILE);
  proto.mutable_spec()->set_rotate_bytes(0);
  proto.mutable_spec()->mutable_retry()->mutable_max_elapsed();
  const config::Sink sink = FromProto(proto).value();
  EXPECT_EQ(sink.rotate_bytes, 0U);
  EXPECT_EQ(sink.rotate_keep, 3U);
  EXPECT_EQ(sink.retry.max_elapsed, milliseconds(0));
  EXPECT_EQ(sink.retry.max_interval, milliseconds(30000));
}

TEST(ConvertSink, NamesEverythingThatIsWrong) {
  v1::Sink proto;
  v1::SinkSpec& spec = *proto.mutable_spec();
  spec.set_compression(static_cast<v1::Compression>(9));
  spec.set_temporality(static_cast<v1::Temporality>(9));
  spec.mutable_timeout()->set_seconds(-1);
  spec.mutable_retry()->mutable_initial_interval()->set_nanos(-1);
  EXPECT_THAT(
      BadFields(FromProto(proto), "SINK_INVALID"),
      ElementsAre("sink.type", "sink.compression", "sink.temporality", "sink.timeout", "sink.retry.initial_interval"));
}

TEST(ConvertSink, StatusHasAHealth) {
  for (const auto& [word, health] : {std::pair("ok", v1::SINK_HEALTH_OK),
                                     {"retrying", v1::SINK_HEALTH_RETRYING},
                                     {"idle", v1::SINK_HEALTH_IDLE},
                                     {"failing", v1::SINK_HEALTH_FAILING}}) {
    v1::Sink proto;
    ToProto(state::SinkView{.sink = {}, .status = {"c", word, "refused \xFF", 1, 2, 3, 4}, .etag = "e"}, proto);
    const v1::Sink received = Received(proto);
    EXPECT_EQ(received.status().health(), health) << word;
    EXPECT_EQ(received.status().last_error(), "refused \xEF\xBF\xBD");
    EXPECT_EQ(received.status().queued_items(), 1U);
    EXPECT_EQ(received.status().sent_items(), 2U);
    EXPECT_EQ(received.status().rejected_items(), 3U);
    EXPECT_EQ(received.status().dropped_items(), 4U);
    EXPECT_EQ(received.etag(), "e");
  }
}

TEST(ConvertTables, TargetsComeBackInOrder) {
  config::Target second;
  second.name = "a";
  const state::TargetsView view{{FullTarget(), second}, "e"};
  v1::TargetTable proto;
  ToProto(view, proto);
  EXPECT_EQ(proto.etag(), "e");
  EXPECT_EQ(FromProto(Received(proto)).value(), view.targets);
}

TEST(ConvertTables, RoutesComeBackInOrder) {
  config::Route second;
  second.name = "a";
  const state::RoutesView view{{FullRoute(), second}, "e"};
  v1::RouteTable proto;
  ToProto(view, proto);
  EXPECT_EQ(proto.etag(), "e");
  EXPECT_EQ(FromProto(Received(proto)).value(), view.routes);
}

TEST(ConvertTables, NamePortsOutOfRange) {
  v1::TargetTable table;
  table.add_targets()->add_ports(80);
  table.mutable_targets(0)->add_ports(65536);
  table.add_targets()->add_ports(4'000'000'000U);
  EXPECT_THAT(BadFields(FromProto(table), "TARGETS_INVALID"),
              ElementsAre("targets[0].ports[1]", "targets[1].ports[0]"));
}

TEST(ConvertTables, NameUnknownEnumsOfRoutes) {
  v1::RouteTable table;
  v1::Route& route = *table.add_routes();
  route.add_signals(v1::SIGNAL_TRACES);
  route.add_signals(v1::SIGNAL_UNSPECIFIED);
  route.add_kinds(static_cast<v1::SpanKind>(42));
  EXPECT_THAT(BadFields(FromProto(table), "ROUTES_INVALID"), ElementsAre("routes[0].signals[1]", "routes[0].kinds[0]"));
}

TEST(ConvertTailRequest, MeansTracesWhenItSaysNothing) {
  const state::TailFilter filter = FromProto(v1::TailRequest()).value();
  EXPECT_TRUE(filter.traces);
  EXPECT_FALSE(filter.metrics);
  EXPECT_FALSE(filter.logs);
}

TEST(ConvertTailRequest, TakesWhatIsNamed) {
  v1::TailRequest request;
  request.add_modules("http");
  request.add_services("shop");
  request.add_signals(v1::SIGNAL_METRICS);
  request.add_signals(v1::SIGNAL_LOGS);
  const state::TailFilter filter = FromProto(request).value();
  EXPECT_THAT(filter.modules, ElementsAre("http"));
  EXPECT_THAT(filter.services, ElementsAre("shop"));
  EXPECT_FALSE(filter.traces);
  EXPECT_TRUE(filter.metrics);
  EXPECT_TRUE(filter.logs);
}

TEST(ConvertTailRequest, NamesUnknownSignals) {
  v1::TailRequest request;
  request.add_signals(v1::SIGNAL_TRACES);
  request.add_signals(static_cast<v1::Signal>(77));
  EXPECT_THAT(BadFields(FromProto(request), "FILTER_INVALID"), ElementsAre("signals[1]"));
}

TEST(ConvertTailItem, CarriesAnyBytesOfTraffic) {
  v1::TailItem proto;
  ToProto(
      state::TailItem{
          .lost = 0, .signal = config::Signal::kLogs, .module = "http", .service = "s\xFF", .json = "{\xC3}"},
      proto);
  const v1::TailItem received = Received(proto);
  EXPECT_EQ(received.signal(), v1::SIGNAL_LOGS);
  EXPECT_EQ(received.module(), "http");
  EXPECT_EQ(received.service(), "s\xEF\xBF\xBD");
  EXPECT_EQ(received.json(), "{\xEF\xBF\xBD}");
}

TEST(ConvertModule, CarriesTheManifestOnlyWhenAsked) {
  state::ModuleView view;
  view.name = "http";
  view.config_json = "{}";
  view.description.emplace();
  view.description->version = "1.2\xFF";
  view.description->problem = "writable by others";
  view.description->manifest_json = "{}";
  v1::Module brief;
  ToProto(view, Manifest::kWithout, brief);
  EXPECT_EQ(brief.spec().mode(), v1::DESIRED_MODE_DISABLED);
  EXPECT_EQ(Received(brief).description().version(), "1.2\xEF\xBF\xBD");
  EXPECT_EQ(brief.description().problem(), "writable by others");
  EXPECT_EQ(brief.description().manifest_json(), "");
  view.desired = true;
  v1::Module whole;
  ToProto(view, Manifest::kWith, whole);
  EXPECT_EQ(whole.spec().mode(), v1::DESIRED_MODE_ACTIVE);
  EXPECT_EQ(whole.description().manifest_json(), "{}");
}

TEST(ConvertOutcome, CarriesTheReceipt) {
  state::Outcome outcome;
  outcome.version = 9;
  outcome.warnings = {"careful"};
  outcome.receipt = state::Receipt{1, 2, 3, 4, 5, 6, 7, 8};
  outcome.replayed = true;
  v1::ChangeOutcome proto;
  ToProto(outcome, proto);
  EXPECT_EQ(proto.version(), 9U);
  EXPECT_THAT(proto.warnings(), ElementsAre("careful"));
  EXPECT_TRUE(proto.replayed());
  EXPECT_FALSE(proto.unchanged());
  const v1::Receipt& receipt = proto.receipt();
  EXPECT_EQ(receipt.old_generation(), 1U);
  EXPECT_EQ(receipt.new_generation(), 2U);
  EXPECT_EQ(receipt.submitted_old(), 3U);
  EXPECT_EQ(receipt.submitted_new(), 4U);
  EXPECT_EQ(receipt.consumed_old(), 5U);
  EXPECT_EQ(receipt.consumed_new(), 6U);
  EXPECT_EQ(receipt.lost(), 7U);
  EXPECT_EQ(receipt.doubled(), 8U);
}

TEST(ConvertCondition, HasATimeOnlyIfItIsKnown) {
  v1::Condition known;
  ToProto(state::Condition{"Degraded", "ATTACH_REFUSED", "no symbol", 2'000'000'001}, known);
  EXPECT_EQ(known.type(), "Degraded");
  EXPECT_EQ(known.reason(), "ATTACH_REFUSED");
  EXPECT_EQ(known.message(), "no symbol");
  EXPECT_EQ(known.since().seconds(), 2);
  EXPECT_EQ(known.since().nanos(), 1);
  v1::Condition unknown;
  ToProto(state::Condition{"Degraded", "ATTACH_REFUSED", "no symbol", 0}, unknown);
  EXPECT_FALSE(unknown.has_since());
}

TEST(Utf8, LeavesGoodTextAloneAndReplacesTheRest) {
  for (const std::string text : {"", "plain \"quoted\" \\ \n\t", "gr\u00fc\u00df", "\U0001F600"}) {
    EXPECT_EQ(Utf8(text), text);
  }
  EXPECT_EQ(Utf8("a\x80z"), "a\xEF\xBF\xBDz");
}

}  // namespace
}  // namespace probed::control
