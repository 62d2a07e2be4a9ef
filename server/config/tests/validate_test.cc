// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/config/validate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace probed::config {
namespace {

using ::testing::Contains;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

Sink Otlp(const std::string& name, const std::string& endpoint) {
  Sink sink;
  sink.name = name;
  sink.endpoint = endpoint;
  return sink;
}

TEST(Validate, Names) {
  for (const char* good : {"a", "http", "my-sink_2.eu", "0"}) EXPECT_TRUE(IsName(good)) << good;
  for (const char* bad : {"", "-a", "Http", "a b", "a/b", "../x", "ä"}) EXPECT_FALSE(IsName(bad)) << bad;
  EXPECT_FALSE(IsName(std::string(64, 'a')));
}

TEST(Validate, Globs) {
  for (const char* good : {"/usr/*/nginx", "[ab]x", "[!a]", "[]]", "a\\*", "a\\[b"}) EXPECT_TRUE(IsGlob(good)) << good;
  for (const char* bad : {"", "[", "[]", "a[b", "a\\"}) EXPECT_FALSE(IsGlob(bad)) << bad;
}

TEST(Validate, HostPorts) {
  for (const char* good : {"localhost:4317", "127.0.0.1:0", "[::1]:80", ":9464"}) EXPECT_TRUE(IsHostPort(good)) << good;
  for (const char* bad : {"", "localhost", "a:b", "a:65536", "::1:80", "[::1:80", "a b:1"}) {
    EXPECT_FALSE(IsHostPort(bad)) << bad;
  }
}

TEST(Validate, EndpointsByTransport) {
  Sink sink = Otlp("s", "localhost:4317");
  EXPECT_THAT(ValidateSink(sink, "s"), IsEmpty());
  sink.endpoint = "http://localhost:4317";
  EXPECT_THAT(ValidateSink(sink, "s"), IsEmpty());
  sink.endpoint = "localhost";
  EXPECT_EQ(ValidateSink(sink, "s").size(), 1U);
  sink.type = SinkType::kOtlpHttp;
  EXPECT_EQ(ValidateSink(sink, "s").size(), 1U);
  sink.endpoint = "https://otel.example/v1";
  EXPECT_THAT(ValidateSink(sink, "s"), IsEmpty());
  sink.type = SinkType::kFile;
  EXPECT_THAT(ValidateSink(sink, "s"), Contains(Field(&FieldViolation::path, "s.path")));
}

TEST(Validate, RefusesWhatDoesNotApplyToTheType) {
  Sink sink;
  sink.name = "s";
  sink.type = SinkType::kConsole;
  EXPECT_THAT(ValidateSink(sink, ""), IsEmpty());
  sink.endpoint = "a:1";
  sink.path = "/x";
  sink.insecure = false;
  EXPECT_EQ(ValidateSink(sink, "").size(), 3U);
}

TEST(Validate, HeadersCannotSmuggleLines) {
  Sink sink = Otlp("s", "localhost:4317");
  sink.headers["x"] = "a\r\nb: c";
  EXPECT_THAT(ValidateSink(sink, ""), Contains(Field(&FieldViolation::path, "headers.x")));
}

TEST(Validate, RoutesNameExistingSinks) {
  State state;
  state.sinks = {Otlp("collector", "localhost:4317")};
  state.routes = {{.name = "r", .modules = {}, .services = {}, .signals = {}, .kinds = {}, .sinks = {"colector"}}};
  const Violations found = ValidateState(state);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].path, "routes[0].sinks[0]");
  EXPECT_THAT(found[0].description, HasSubstr("did you mean \"collector\""));
}

TEST(Validate, RefusesDuplicatesInEveryList) {
  State state;
  state.modules = {{"http"}, {"http"}};
  Target target;
  target.name = "t";
  state.targets = {target, target};
  state.sinks = {Otlp("s", "a:1"), Otlp("s", "a:1")};
  Route route;
  route.name = "r";
  route.drop = true;
  state.routes = {route, route};
  const Violations found = ValidateState(state);
  for (const char* path : {"modules[1].name", "targets[1].name", "sinks[1].name", "routes[1].name"}) {
    EXPECT_THAT(found, Contains(Field(&FieldViolation::path, path)));
  }
}

TEST(Validate, AnExcludingTargetMustSaySomething) {
  Target target;
  target.name = "none";
  target.exclude = true;
  EXPECT_EQ(ValidateTarget(target, "t").size(), 1U);
  target.ports = {22};
  EXPECT_THAT(ValidateTarget(target, "t"), IsEmpty());
}

TEST(Validate, TargetsStayBelowTheirRoots) {
  Target target;
  target.name = "t";
  target.exe = {"nginx"};
  target.cgroups = {"a/../../b"};
  target.pids = {0};
  EXPECT_EQ(ValidateTarget(target, "t").size(), 3U);
}

TEST(Validate, RingSizesArePowersOfTwo) {
  Daemon daemon;
  EXPECT_THAT(ValidateDaemon(daemon), IsEmpty());
  daemon.ring_bytes = 5000;
  daemon.log_level = "inf";
  EXPECT_EQ(ValidateDaemon(daemon).size(), 2U);
}

TEST(Validate, StatusCarriesAllViolationsAndNamesTheFirst) {
  const Status status = ToStatus({{"a", "x"}, {"b", "y"}}, "bad");
  EXPECT_EQ(Message(status), "bad: a: x (and 1 more)");
  EXPECT_EQ(GetErrorDetails(status).fields.size(), 2U);
  EXPECT_TRUE(ToStatus({}, "fine").ok());
}

}  // namespace
}  // namespace probed::config
