// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/export/otlp_settings.h"

#include <gmock/gmock.h>

namespace probed::exporter {
namespace {

using config::Signal;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;
using Variables = std::map<std::string, std::string>;

Environment Fake(const Variables& variables) {
  return [variables](std::string_view name) -> std::optional<std::string> {
    const auto found = variables.find(std::string(name));
    if (found == variables.end() || found->second.empty()) return std::nullopt;
    return found->second;
  };
}

config::Sink MakeConfig(config::SinkType type, std::string endpoint = "") {
  config::Sink sink;
  sink.name = "s";
  sink.type = type;
  sink.endpoint = std::move(endpoint);
  return sink;
}

OtlpSettings Resolved(const config::Sink& sink, const Variables& variables = {}, Signal signal = Signal::kTraces) {
  const auto settings = ResolveOtlpSettings(sink, Fake(variables));
  EXPECT_TRUE(settings.ok()) << settings.status();
  return settings.ok() ? (*settings)[SignalIndex(signal)] : OtlpSettings{};
}

struct EndpointCase {
  config::SinkType type;
  const char* text;
  OtlpEndpoint expected;
};

TEST(OtlpSettings, Endpoints) {
  constexpr auto kHttp = config::SinkType::kOtlpHttp;
  constexpr auto kGrpc = config::SinkType::kOtlpGrpc;
  const EndpointCase cases[] = {
      {kHttp, "", {false, "localhost", "4318", "/v1/traces"}},
      {kHttp, "collector", {false, "collector", "4318", "/v1/traces"}},
      {kHttp, "collector:1", {false, "collector", "1", "/v1/traces"}},
      {kHttp, "http://c", {false, "c", "80", "/v1/traces"}},
      {kHttp, "https://c/", {true, "c", "443", "/v1/traces"}},
      {kHttp, "HTTPS://c:8443/api/otlp", {true, "c", "8443", "/api/otlp/v1/traces"}},
      {kHttp, "http://c:1/base/", {false, "c", "1", "/base/v1/traces"}},
      {kHttp, "[::1]:4318", {false, "::1", "4318", "/v1/traces"}},
      {kHttp, "http://[::1]", {false, "::1", "80", "/v1/traces"}},
      {kGrpc, "", {false, "localhost", "4317", ""}},
      {kGrpc, "collector", {false, "collector", "4317", ""}},
      {kGrpc, "https://c", {true, "c", "443", ""}},
      {kGrpc, "http://c:9/ignored", {false, "c", "9", ""}},
      {kGrpc, "unix:/run/otel.sock", {false, "unix:/run/otel.sock", "", ""}},
  };
  for (const EndpointCase& row : cases) {
    const OtlpEndpoint actual = Resolved(MakeConfig(row.type, row.text)).endpoint;
    EXPECT_EQ(actual, row.expected) << row.text << " gave " << actual.tls << " " << actual.Authority() << actual.target;
  }
  EXPECT_EQ(Resolved(MakeConfig(kHttp, "[::1]:1")).endpoint.Authority(), "[::1]:1");
  EXPECT_EQ(Resolved(MakeConfig(kHttp, "c:1"), {}, Signal::kLogs).endpoint.target, "/v1/logs");
  EXPECT_EQ(Resolved(MakeConfig(kHttp, "c:1"), {}, Signal::kMetrics).endpoint.target, "/v1/metrics");
}

TEST(OtlpSettings, RefusesWhatIsNoEndpoint) {
  for (const char* text : {"ftp://c", "c:port", "c:0", "c:70000", "http://", "user:pw@c:1", "[::1", "a:1:2"}) {
    EXPECT_EQ(ResolveOtlpSettings(MakeConfig(config::SinkType::kOtlpHttp, text), Fake({})).status().code(),
              absl::StatusCode::kInvalidArgument)
        << text;
  }
  EXPECT_FALSE(ResolveOtlpSettings(MakeConfig(config::SinkType::kOtlpHttp, "unix:/x"), Fake({})).ok());
}

TEST(OtlpSettings, TlsWithoutASchemeFollowsInsecureAndTheFiles) {
  config::Sink sink = MakeConfig(config::SinkType::kOtlpGrpc, "c:1");
  EXPECT_FALSE(Resolved(sink).endpoint.tls);
  sink.insecure = false;
  EXPECT_TRUE(Resolved(sink).endpoint.tls);
  sink.endpoint = "http://c:1";
  EXPECT_FALSE(Resolved(sink).endpoint.tls);
  sink = MakeConfig(config::SinkType::kOtlpGrpc, "c:1");
  sink.ca_file = "/ca.pem";
  EXPECT_TRUE(Resolved(sink).endpoint.tls);
}

TEST(OtlpSettings, ASignalsOwnVariableIsUsedAsItIs) {
  const config::Sink sink = MakeConfig(config::SinkType::kOtlpHttp);
  const Variables variables = {{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://general:1/base"},
                               {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://own:2/in/take"},
                               {"OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "http://own:3"}};
  EXPECT_EQ(Resolved(sink, variables).endpoint, (OtlpEndpoint{false, "own", "2", "/in/take"}));
  EXPECT_EQ(Resolved(sink, variables, Signal::kLogs).endpoint, (OtlpEndpoint{false, "own", "3", "/"}));
  EXPECT_EQ(Resolved(sink, variables, Signal::kMetrics).endpoint,
            (OtlpEndpoint{false, "general", "1", "/base/v1/metrics"}));
  EXPECT_EQ(Resolved(MakeConfig(config::SinkType::kOtlpHttp, "c:1"), variables).endpoint.host, "c");
}

TEST(OtlpSettings, InsecureVariableSpeaksForVariablesWithoutScheme) {
  const config::Sink sink = MakeConfig(config::SinkType::kOtlpGrpc);
  Variables variables = {{"OTEL_EXPORTER_OTLP_ENDPOINT", "c:1"}};
  EXPECT_TRUE(Resolved(sink, variables).endpoint.tls);
  variables["OTEL_EXPORTER_OTLP_INSECURE"] = "True";
  EXPECT_FALSE(Resolved(sink, variables).endpoint.tls);
}

TEST(OtlpSettings, HeadersFromBothSides) {
  config::Sink sink = MakeConfig(config::SinkType::kOtlpHttp);
  const Variables variables = {{"OTEL_EXPORTER_OTLP_HEADERS", "Api-Key=a%20b%3D, x = y ,=bad,none"}};
  EXPECT_THAT(Resolved(sink, variables).headers, ElementsAre(Pair("api-key", "a b="), Pair("x", "y")));
  sink.headers = {{"Authorization", "Bearer t"}};
  EXPECT_THAT(Resolved(sink, variables).headers, ElementsAre(Pair("authorization", "Bearer t")));
}

TEST(OtlpSettings, RefusesHeadersThatCouldSmuggle) {
  config::Sink sink = MakeConfig(config::SinkType::kOtlpHttp);
  sink.headers = {{"a", "b\r\nc: d"}};
  EXPECT_THAT(std::string(Message(ResolveOtlpSettings(sink, Fake({})).status())), HasSubstr("header a"));
  sink.headers = {{"a b", "c"}};
  EXPECT_FALSE(ResolveOtlpSettings(sink, Fake({})).ok());
}

TEST(OtlpSettings, TheRestFromVariables) {
  config::Sink sink = MakeConfig(config::SinkType::kOtlpHttp);
  const Variables variables = {{"OTEL_EXPORTER_OTLP_TIMEOUT", "2500"},
                               {"OTEL_EXPORTER_OTLP_METRICS_TIMEOUT", "nonsense"},
                               {"OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"},
                               {"OTEL_EXPORTER_OTLP_CERTIFICATE", "/ca"},
                               {"OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", "/cert"},
                               {"OTEL_EXPORTER_OTLP_CLIENT_KEY", "/key"}};
  const OtlpSettings settings = Resolved(sink, variables);
  EXPECT_EQ(settings.timeout, std::chrono::milliseconds(2500));
  EXPECT_EQ(settings.compression, config::Compression::kGzip);
  EXPECT_EQ(settings.ca_file, "/ca");
  EXPECT_EQ(settings.cert_file, "/cert");
  EXPECT_EQ(settings.key_file, "/key");
  EXPECT_EQ(Resolved(sink, variables, Signal::kMetrics).timeout, std::chrono::seconds(10));
  sink.timeout = std::chrono::seconds(3);
  sink.ca_file = "/other";
  EXPECT_EQ(Resolved(sink, variables).timeout, std::chrono::seconds(3));
  EXPECT_EQ(Resolved(sink, variables).ca_file, "/other");
  sink.cert_file = "/only";
  EXPECT_FALSE(ResolveOtlpSettings(sink, Fake({})).ok());
}

}  // namespace
}  // namespace probed::exporter
