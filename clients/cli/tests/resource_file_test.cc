// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "clients/cli/lib/resource_file.h"

#include <gmock/gmock.h>

#include <cstdlib>

#include "clients/cli/lib/proto_json.h"

namespace probed::cli {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

template <typename T>
std::string Message(const absl::StatusOr<T>& result) {
  return std::string(result.status().message());
}

TEST(ParseSinks, ReadsAWholeSink) {
  const auto file = ParseSinks(R"(
sinks:
  - name: collector
    type: otlp_grpc
    endpoint: 127.0.0.1:4317
    headers: {authorization: "Bearer x"}
    compression: gzip
    timeout: 1m30s
    insecure: false
    queue_batches: 50
    rotate_bytes: 2MiB
    temporality: delta
    retry: {enabled: true, initial_interval: 200ms, multiplier: 2.5}
)");
  ASSERT_TRUE(file.ok()) << file.status();
  const v1::Sink& sink = file->items.at(0);
  EXPECT_EQ(sink.name(), "collector");
  EXPECT_EQ(sink.spec().type(), v1::SINK_TYPE_OTLP_GRPC);
  EXPECT_EQ(sink.spec().headers().at("authorization"), "Bearer x");
  EXPECT_EQ(sink.spec().compression(), v1::COMPRESSION_GZIP);
  EXPECT_EQ(sink.spec().timeout().seconds(), 90);
  EXPECT_TRUE(sink.spec().has_insecure());
  EXPECT_FALSE(sink.spec().insecure());
  EXPECT_EQ(sink.spec().queue_batches(), 50U);
  EXPECT_EQ(sink.spec().rotate_bytes(), 2U << 20U);
  EXPECT_EQ(sink.spec().retry().initial_interval().nanos(), 200'000'000);
  EXPECT_DOUBLE_EQ(sink.spec().retry().multiplier(), 2.5);
  EXPECT_FALSE(sink.spec().has_rotate_keep());
}

TEST(ParseSinks, TakesOneSinkAListAndJson) {
  EXPECT_EQ(ParseSinks("{name: a, type: console}")->items.at(0).name(), "a");
  EXPECT_EQ(ParseSinks("[{name: a, type: console}, {name: b, type: file}]")->items.at(1).name(), "b");
  EXPECT_EQ(ParseSinks(R"({"sinks":[{"name":"a","type":"file","path":"/x"}]})")->items.at(0).spec().path(), "/x");
  EXPECT_TRUE(ParseSinks("sinks: []")->items.empty());
}

TEST(ParseSinks, TakesBackWhatIsPrinted) {
  v1::Sink sink;
  sink.set_name("c");
  sink.set_etag("e1");
  sink.mutable_spec()->set_type(v1::SINK_TYPE_FILE);
  sink.mutable_spec()->set_path("/tmp/12");
  sink.mutable_spec()->mutable_timeout()->set_seconds(5);
  sink.mutable_status()->set_health(v1::SINK_HEALTH_OK);
  const auto file = ParseSinks(DumpYaml(SinkToJson(sink)));
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(file->etag, "e1");
  EXPECT_EQ(file->items.at(0).spec().SerializeAsString(), sink.spec().SerializeAsString());
}

TEST(ParseSinks, NamesEveryWrongPlace) {
  const std::string text = Message(ParseSinks(R"(
sinks:
  - {name: a, type: otlp_grcp, tiemout: 5s, insecure: maybe}
  - {name: b, type: file, timeout: soon, retry: {initial_intervall: 5s}, queue_batches: many, headers: [1]}
)"));
  EXPECT_THAT(text, HasSubstr("sinks[0].type: \"otlp_grcp\" is none of otlp_grpc"));
  EXPECT_THAT(text, HasSubstr("did you mean otlp_grpc?"));
  EXPECT_THAT(text, HasSubstr("sinks[0].tiemout: unknown key, did you mean timeout?"));
  EXPECT_THAT(text, HasSubstr("sinks[0].insecure: \"maybe\" is neither true nor false"));
  EXPECT_THAT(text, HasSubstr("sinks[1].timeout: \"soon\" is no duration"));
  EXPECT_THAT(text, HasSubstr("sinks[1].retry.initial_intervall: unknown key, did you mean initial_interval?"));
  EXPECT_THAT(text, HasSubstr("sinks[1].queue_batches: \"many\" is no whole number"));
  EXPECT_THAT(text, HasSubstr("sinks[1].headers: expected keys and values"));
}

TEST(ParseSinks, RefusesTheShapeOfTheWire) {
  EXPECT_THAT(Message(ParseSinks("{name: a, spec: {type: file}}")), HasSubstr("sinks[0].spec: unknown key"));
  EXPECT_THAT(Message(ParseSinks("{name: a, name: b}")), HasSubstr("sinks[0].name: given twice"));
}

TEST(ParseSinks, SaysWhereYamlIsBroken) { EXPECT_THAT(Message(ParseSinks("a: [")), HasSubstr("line")); }

TEST(ParseSinks, ResolvesTheEnvironment) {
  ::setenv("PROBECTL_TEST_TOKEN", "s3cret", 1);
  const auto file = ParseSinks(
      "{name: a, type: otlp_http, headers: {k: '${env:PROBECTL_TEST_TOKEN}', d: '${env:PROBECTL_NONE:-x}', p: "
      "'a$$b'}}");
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(file->items[0].spec().headers().at("k"), "s3cret");
  EXPECT_EQ(file->items[0].spec().headers().at("d"), "x");
  EXPECT_EQ(file->items[0].spec().headers().at("p"), "a$b");
  EXPECT_THAT(Message(ParseSinks("{name: '${env:PROBECTL_NONE}'}")), HasSubstr("PROBECTL_NONE is not set"));
  EXPECT_THAT(Message(ParseSinks("{name: '${env:PROBECTL'}")), HasSubstr("not closed"));
}

TEST(ParseRoutes, ReadsListsOfEnums) {
  const auto file = ParseRoutes(R"(
daemon: {log_level: info}
routes:
  - {name: errors, modules: [http], signals: [traces, metrics], kinds: [server], sinks: [a, b]}
  - {name: rest, drop: true}
)");
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_THAT(file->items.at(0).signals(), ElementsAre(v1::SIGNAL_TRACES, v1::SIGNAL_METRICS));
  EXPECT_THAT(file->items.at(0).kinds(), ElementsAre(v1::SPAN_KIND_SERVER));
  EXPECT_TRUE(file->items.at(1).drop());
}

TEST(ParseRoutes, SuggestsTheSection) {
  EXPECT_THAT(Message(ParseRoutes("rutes: []")), HasSubstr("rutes: unknown key, did you mean routes?"));
  EXPECT_THAT(Message(ParseRoutes("text")), HasSubstr("routes: expected a list"));
  EXPECT_THAT(Message(ParseRoutes("[{name: a, sinks: b}]")), HasSubstr("routes[0].sinks: expected a list"));
}

TEST(ParseTargets, ReadsNumbers) {
  const auto file = ParseTargets("[{name: web, ports: [80, 443], pids: [1], exe: [/usr/sbin/nginx], exclude: false}]");
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_THAT(file->items.at(0).ports(), ElementsAre(80, 443));
  EXPECT_THAT(Message(ParseTargets("[{name: web, ports: [80x]}]")), HasSubstr("targets[0].ports[0]: \"80x\""));
  EXPECT_THAT(Message(ParseTargets("[{name: web, pids: [-1]}]")), HasSubstr("targets[0].pids[0]: \"-1\""));
}

}  // namespace
}  // namespace probed::cli
