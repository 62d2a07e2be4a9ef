// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/config/yaml.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

namespace probed::config {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::optional<std::string> FakeVariable(const std::string& name) {
  if (name == "HOST") return "collector.example";
  if (name == "TRICKY") return "a: [b]\n- c";
  return std::nullopt;
}

Result<File> Parse(std::string_view text) { return ParseYaml(text, FakeVariable); }

std::vector<FieldViolation> ViolationsOf(std::string_view text) {
  const Result<File> file = Parse(text);
  EXPECT_FALSE(file.ok());
  return GetErrorDetails(file.status()).fields;
}

constexpr const char* kFull = R"(
daemon: {socket: /tmp/p.sock, ring_bytes: 4MiB, metric_interval: 10s, module_dirs: [/usr/lib/probed/modules]}
modules:
  - name: http
    config: {capture_bytes: 4096, ignored_paths: [/healthz], strict: "true", ratio: 0.5, nothing: null}
targets:
  - {name: web, exe: [/usr/sbin/nginx], ports: [80, 443], pids: [7], cgroups: [system.slice], service_name: shop}
routes:
  - {name: r, modules: [http], signals: [traces, metrics], kinds: [server], sinks: [collector]}
sinks:
  - name: collector
    type: otlp_grpc
    endpoint: ${env:HOST}:4317
    headers: {authorization: "Bearer x$$y"}
    compression: gzip
    timeout: 3s
    retry: {enabled: false, multiplier: 2}
    temporality: delta
)";

TEST(Yaml, ReadsEverySection) {
  const auto file = Parse(kFull);
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(file->daemon.ring_bytes, 4U << 20U);
  EXPECT_EQ(file->daemon.metric_interval, std::chrono::seconds(10));
  EXPECT_THAT(file->daemon.module_dirs, ElementsAre("/usr/lib/probed/modules"));
  EXPECT_THAT(file->state.targets.at(0).ports, ElementsAre(80, 443));
  EXPECT_THAT(file->state.routes.at(0).signals, ElementsAre(Signal::kTraces, Signal::kMetrics));
  const Sink& sink = file->state.sinks.at(0);
  EXPECT_EQ(sink.endpoint, "collector.example:4317");
  EXPECT_EQ(sink.headers.at("authorization"), "Bearer x$y");
  EXPECT_EQ(sink.compression, Compression::kGzip);
  EXPECT_EQ(sink.temporality, Temporality::kDelta);
  EXPECT_FALSE(sink.retry.enabled);
}

TEST(Yaml, KeepsTheTypesOfAModulesConfiguration) {
  const auto config = nlohmann::json::parse(Parse(kFull)->state.modules.at(0).config_json);
  EXPECT_EQ(config, nlohmann::json::parse(R"({"capture_bytes":4096,"ignored_paths":["/healthz"],"strict":"true",
                                              "ratio":0.5,"nothing":null})"));
}

TEST(Yaml, AnEmptyFileIsAllDefaults) {
  for (const char* text : {"", "# nothing\n", "modules:\n", "{}"}) {
    const auto file = Parse(text);
    ASSERT_TRUE(file.ok()) << text;
    EXPECT_EQ(file->state, State{});
    EXPECT_EQ(file->daemon, Daemon{});
  }
}

struct BadFile {
  const char* text;
  const char* path;
  const char* says;
};

class YamlRefuses : public ::testing::TestWithParam<BadFile> {};

TEST_P(YamlRefuses, WithThePathOfTheField) {
  const auto fields = ViolationsOf(GetParam().text);
  ASSERT_EQ(fields.size(), 1U);
  EXPECT_EQ(fields[0].path, GetParam().path);
  EXPECT_THAT(fields[0].description, HasSubstr(GetParam().says));
}

INSTANTIATE_TEST_SUITE_P(
    Files, YamlRefuses,
    ::testing::Values(
        BadFile{"modlues: []", "modlues", "did you mean \"modules\""},
        BadFile{"daemon: {sokcet: /x}", "daemon.sokcet", "did you mean \"socket\""},
        BadFile{"sinks: [{name: a, type: console, retry: {enbled: true}}]", "sinks[0].retry.enbled", "\"enabled\""},
        BadFile{"daemon: 5", "daemon", "must be a mapping"}, BadFile{"modules: {a: b}", "modules", "must be a list"},
        BadFile{"modules: [http]", "modules[0]", "must be a mapping"},
        BadFile{"modules: [{name: http, config: [1]}]", "modules[0].config", "must be a mapping"},
        BadFile{"modules: [{name: [x]}]", "modules[0].name", "must be a single value"},
        BadFile{"modules: [{config: {}}]", "modules[0].name", "is required"},
        BadFile{"targets: [{name: t, ports: [80, http]}]", "targets[0].ports[1]", "whole number from 0 to 65535"},
        BadFile{"targets: [{name: t, ports: [65536]}]", "targets[0].ports[0]", "65535"},
        BadFile{"targets: [{name: t, exclude: maybe}]", "targets[0].exclude", "none of true, false"},
        BadFile{"daemon: {metric_interval: 10}", "daemon.metric_interval", "is not a duration"},
        BadFile{"daemon: {ring_bytes: big}", "daemon.ring_bytes", "is not a size"},
        BadFile{"sinks: [{name: a, type: otlp-grpc, endpoint: 'a:1'}]", "sinks[0].type", "did you mean \"otlp_grpc\""},
        BadFile{"sinks: [{name: a, type: console}, {name: a, type: console}]", "sinks[1].name", "used twice"},
        BadFile{"daemon: {socket: /a, socket: /b}", "daemon.socket", "given twice"},
        BadFile{"modules: [{name: m, config: {a: 1, a: 2}}]", "modules[0].config.a", "given twice"},
        BadFile{"daemon: {backend: \"${env:MISSING}\"}", "daemon.backend", "MISSING is not set"},
        BadFile{"daemon: {backend: \"${env:OPEN\"}", "daemon.backend", "not closed"},
        BadFile{"routes: [{name: r, sinks: [nowhere]}]", "routes[0].sinks[0]", "names no sink"},
        BadFile{"routes: [{name: r, kinds: [servr], drop: true}]", "routes[0].kinds[0]", "did you mean \"server\""}));

TEST(Yaml, ReportsAllProblemsAtOnce) {
  const auto fields = ViolationsOf("daemon: {sokcet: 1, ring_bytes: x}\nmodules: 7\nfoo: 1\n");
  for (const char* path : {"daemon.sokcet", "daemon.ring_bytes", "modules", "foo"}) {
    EXPECT_THAT(fields, Contains(Field(&FieldViolation::path, path)));
  }
  EXPECT_EQ(fields.size(), 4U);
}

TEST(Yaml, SaysWhereTheSyntaxBreaks) {
  const auto file = Parse("modules:\n  - name: [http\n");
  EXPECT_EQ(GetErrorDetails(file.status()).reason, "CONFIG_SYNTAX");
  EXPECT_THAT(std::string(Message(file.status())), HasSubstr("line "));
}

TEST(Yaml, RefusesSeveralDocuments) {
  EXPECT_EQ(GetErrorDetails(Parse("daemon: {}\n---\ndaemon: {}\n").status()).reason, "CONFIG_SYNTAX");
}

TEST(Yaml, AliasesCannotMultiplyWithoutEnd) {
  std::string text = "modules:\n  - name: m\n    config:\n      a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 9; ++i) {
    const std::string before = "*a" + std::to_string(i - 1);
    text += "      a" + std::to_string(i) + ": &a" + std::to_string(i) + " [";
    for (int j = 0; j < 10; ++j) text += (j == 0 ? "" : ", ") + before;
    text += "]\n";
  }
  EXPECT_THAT(ViolationsOf(text), Contains(Field(&FieldViolation::description, HasSubstr("too large"))));
}

TEST(Yaml, VariablesCannotAddStructure) {
  const auto file = Parse("modules: [{name: m, config: {a: \"${env:TRICKY}\", b: \"${env:NONE:-fallback}\"}}]");
  ASSERT_TRUE(file.ok()) << file.status();
  const auto config = nlohmann::json::parse(file->state.modules[0].config_json);
  EXPECT_EQ(config["a"], "a: [b]\n- c");
  EXPECT_EQ(config["b"], "fallback");
}

TEST(Yaml, WritesWhatReadsBackEqual) {
  State state = Parse(kFull)->state;
  state.modules[0].config_json =
      nlohmann::json::parse(R"({"a":"${env:X}","b":"yes","c":"1","d":[{"e":null}],"f":1e300,"g":{}})").dump();
  state.targets[0].service_name = "quote\" and \u00e4: #";
  const std::string text = ToYaml(state);
  const auto again = Parse(text);
  ASSERT_TRUE(again.ok()) << again.status() << text;
  EXPECT_EQ(again->state, state) << text;
}

TEST(Yaml, WritesAnEmptyState) {
  const auto again = Parse(ToYaml({}));
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again->state, State{});
}

TEST(YamlFile, SaysWhichFileIsWrong) {
  const auto path = std::filesystem::temp_directory_path() / ("probed_yaml_test_" + std::to_string(getpid()));
  std::ofstream(path) << "foo: 1\n";
  const auto file = LoadYamlFile(path.string(), FakeVariable);
  std::filesystem::remove(path);
  EXPECT_THAT(std::string(Message(file.status())), HasSubstr(path.string()));
  EXPECT_EQ(GetErrorDetails(file.status()).fields.size(), 1U);
  EXPECT_EQ(LoadYamlFile(path.string(), FakeVariable).status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace probed::config
