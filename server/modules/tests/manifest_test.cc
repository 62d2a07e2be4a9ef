// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/modules/manifest.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>
#include <random>

#include "server/base/error_details.h"
#include "server/modules/reasons.h"

namespace probed::modules {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

constexpr std::string_view kFull = R"({
  "name": "http", "version": "0.1.0", "abi": {"major": 1, "min_minor": 2}, "description": "HTTP/1", "license": "Apache-2.0",
  "status": "stable", "priority": 10, "protocols": ["http/1.0", "http/1.1"], "dependencies": ["tls"],
  "programs": [
    {"name": "http_classify", "kind": "classify"},
    {"name": "sched", "kind": "event", "required": false, "attach": "tp_btf/sched_switch"}],
  "bpf_objects": [{"section": ".probed.bpf.0", "prototype": "sock",
                   "sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"}],
  "maps": [{"name": "http_conns", "size": "max_streams"}, {"name": "streams", "scope": "shared"}],
  "requirements": {"kernel": "6.1", "kernel_features": ["btf"], "capabilities": ["CAP_BPF"]},
  "signals": {"metrics": [
    {"name": "http.server.request.duration", "unit": "s", "instrument": "histogram", "description": "d",
     "buckets": [0.005, 0.01, 1], "attributes": ["http.route"]},
    {"name": "runq.latency", "unit": "s", "instrument": "histogram", "map": "runq", "value": "slots",
     "key": {"cpu": "cpu.id"}, "buckets": "log2", "scale": 1e-6}],
  "spans": [{"name": "{method} {route}", "kind": "server", "attributes": ["url.path"]}]},
  "table": {"server": "yes"},
  "config": {"type": "object", "properties": {"capture_bytes": {"type": "integer", "default": 4096}}},
  "from_next_year": 1})";

TEST(Manifest, ReadsEveryField) {
  const auto manifest = ParseManifest(kFull);
  ASSERT_TRUE(manifest.ok()) << manifest.status();
  EXPECT_EQ(manifest->name, "http");
  EXPECT_EQ(manifest->version, "0.1.0");
  EXPECT_EQ(manifest->abi_major, 1U);
  EXPECT_EQ(manifest->abi_minor_min, 2U);
  EXPECT_EQ(ModuleStatusName(manifest->status), "stable");
  EXPECT_EQ(manifest->priority, 10U);
  EXPECT_THAT(manifest->protocols, ElementsAre("http/1.0", "http/1.1"));
  EXPECT_THAT(manifest->dependencies, ElementsAre("tls"));
  ASSERT_EQ(manifest->programs.size(), 2U);
  EXPECT_EQ(manifest->programs[0].kind, ProgramKind::kClassify);
  EXPECT_TRUE(manifest->programs[0].required);
  EXPECT_EQ(manifest->programs[1].attach, "tp_btf/sched_switch");
  EXPECT_FALSE(manifest->programs[1].required);
  ASSERT_EQ(manifest->bpf_objects.size(), 1U);
  EXPECT_EQ(manifest->bpf_objects[0].prototype, "sock");
  EXPECT_FALSE(manifest->maps[0].shared);
  EXPECT_TRUE(manifest->maps[1].shared);
  EXPECT_THAT(manifest->requirements.capabilities, ElementsAre("CAP_BPF"));
  EXPECT_THAT(manifest->spans[0].attributes, ElementsAre("url.path"));
  EXPECT_THAT(manifest->unknown_keys, ElementsAre("from_next_year"));
  EXPECT_EQ(nlohmann::json::parse(manifest->config_schema)["properties"]["capture_bytes"]["default"], 4096);
  EXPECT_EQ(manifest->table, R"({"server":"yes"})");
  EXPECT_EQ(manifest->raw, kFull);
}

TEST(Manifest, ReadsInstrumentsOfBothKinds) {
  const auto manifest = ParseManifest(kFull);
  ASSERT_TRUE(manifest.ok());
  const ManifestInstrument* spans = manifest->FindInstrument("http.server.request.duration");
  ASSERT_NE(spans, nullptr);
  EXPECT_EQ(InstrumentKindName(spans->instrument), "histogram");
  EXPECT_THAT(spans->buckets, ElementsAre(0.005, 0.01, 1.0));
  const ManifestInstrument* map = manifest->FindInstrument("runq.latency");
  ASSERT_NE(map, nullptr);
  EXPECT_EQ(map->bucket_scheme, "log2");
  EXPECT_EQ(map->key[0].attribute, "cpu.id");
  EXPECT_DOUBLE_EQ(map->scale, 1e-6);
  EXPECT_EQ(manifest->FindInstrument("none"), nullptr);
}

struct BadCase {
  const char* description;
  const char* patch;  // JSON merge patch over the full manifest
  const char* path;   // of the violation
};

class ManifestField : public ::testing::TestWithParam<BadCase> {};

TEST_P(ManifestField, IsNamedWhenItIsWrong) {
  nlohmann::json json = nlohmann::json::parse(kFull);
  json.merge_patch(nlohmann::json::parse(GetParam().patch));
  const auto manifest = ParseManifest(json.dump());
  ASSERT_FALSE(manifest.ok()) << GetParam().description;
  const ErrorDetails details = GetErrorDetails(manifest.status());
  EXPECT_EQ(details.reason, kManifestInvalid);
  ASSERT_EQ(details.fields.size(), 1U) << manifest.status();
  EXPECT_EQ(details.fields[0].path, GetParam().path);
  EXPECT_THAT(std::string(Message(manifest.status())), HasSubstr(GetParam().path));
}

INSTANTIATE_TEST_SUITE_P(
    Each, ManifestField,
    ::testing::Values(
        BadCase{"no name", R"({"name": null})", "name"}, BadCase{"a path as name", R"({"name": "../x"})", "name"},
        BadCase{"upper case", R"({"name": "Http"})", "name"}, BadCase{"number as name", R"({"name": 1})", "name"},
        BadCase{"no version", R"({"version": null})", "version"},
        BadCase{"empty version", R"({"version": ""})", "version"},
        BadCase{"negative", R"({"abi": {"major": -1}})", "abi.major"},
        BadCase{"too large", R"({"abi": {"major": 65536}})", "abi.major"},
        BadCase{"fraction", R"({"abi": {"min_minor": 1.5}})", "abi.min_minor"},
        BadCase{"no abi", R"({"abi": null})", "abi"}, BadCase{"no license", R"({"license": null})", "license"},
        BadCase{"status", R"({"status": "great"})", "status"},
        BadCase{"protocols no array", R"({"protocols": "http"})", "protocols"},
        BadCase{"protocol no text", R"({"protocols": ["a", 2]})", "protocols[1]"},
        BadCase{"program no object", R"({"programs": [1]})", "programs[0]"},
        BadCase{"program kind", R"({"programs": [{"name": "a", "kind": "b"}]})", "programs[0].kind"},
        BadCase{"program name", R"({"programs": [{"name": "a b", "kind": "event"}]})", "programs[0].name"},
        BadCase{"twice", R"({"programs": [{"name": "a", "kind": "event"}, {"name": "a", "kind": "event"}]})",
                "programs[1].name"},
        BadCase{"required", R"({"programs": [{"name": "a", "kind": "event", "required": 1}]})", "programs[0].required"},
        BadCase{"digest", R"({"bpf_objects": [{"section": "s", "prototype": "p", "sha256": "12"}]})",
                "bpf_objects[0].sha256"},
        BadCase{"scope", R"({"maps": [{"name": "m", "scope": "world"}]})", "maps[0].scope"},
        BadCase{"requirements", R"({"requirements": []})", "requirements"},
        BadCase{"instrument", R"({"metrics": [{"name": "m", "instrument": "ruler"}]})", "metrics[0].instrument"},
        BadCase{"instrument name", R"({"metrics": [{"name": "1m", "instrument": "gauge"}]})", "metrics[0].name"},
        BadCase{"buckets", R"({"metrics": [{"name": "m", "instrument": "gauge", "buckets": [2, 1]}]})",
                "metrics[0].buckets"},
        BadCase{"equal buckets", R"({"metrics": [{"name": "m", "instrument": "gauge", "buckets": [1, 1]}]})",
                "metrics[0].buckets"},
        BadCase{"bucket scheme", R"({"metrics": [{"name": "m", "instrument": "gauge", "buckets": "log3"}]})",
                "metrics[0].buckets"},
        BadCase{"key", R"({"metrics": [{"name": "m", "instrument": "gauge", "key": {"cpu": 1}}]})",
                "metrics[0].key.cpu"},
        BadCase{"span kind", R"({"signals": {"spans": [{"name": "m", "kind": "x"}]}})", "signals.spans[0].kind"},
        BadCase{"schema", R"({"config": 1})", "config"},
        BadCase{"schema type", R"({"config": {"type": "array"}})", "config"}));

TEST(Manifest, ReportsEverythingThatIsWrongAtOnce) {
  const auto manifest = ParseManifest(R"({"abi": "1"})");
  std::vector<std::string> paths;
  for (const auto& field : GetErrorDetails(manifest.status()).fields) paths.push_back(field.path);
  EXPECT_THAT(paths, UnorderedElementsAre("name", "version", "abi", "license"));
}

TEST(Manifest, RefusesTextsThatAreNoObject) {
  for (const std::string_view text : {"", "[]", "1", "null", "{", "{\"name\": \"\xff\"}", "\xef\xbb\xbf", "{}{}"}) {
    EXPECT_EQ(GetErrorDetails(ParseManifest(text).status()).reason, kManifestInvalid) << text;
  }
}

TEST(Manifest, RefusesEveryTruncation) {
  for (std::size_t size = 0; size < kFull.size(); ++size)
    EXPECT_FALSE(ParseManifest(kFull.substr(0, size)).ok()) << size;
}

TEST(Manifest, BoundsSizeAndNesting) {
  EXPECT_THAT(std::string(Message(ParseManifest(std::string(kMaxManifestBytes + 1, ' ')).status())),
              HasSubstr("more than 1048576 bytes"));
  EXPECT_THAT(std::string(Message(ParseManifest(std::string(500000, '[')).status())), HasSubstr("nests deeper"));
  const std::string brackets =
      R"({"name": "http", "version": "1", "abi": {"major": 1}, "license": "x", "description": ")" +
      std::string(200, '[') + R"(\"["})";
  EXPECT_TRUE(ParseManifest(brackets).ok()) << "brackets in a string are no nesting";
}

TEST(Manifest, BoundsTheNumberOfViolations) {
  std::string text = R"({"programs": [)";
  for (int i = 0; i < 1000; ++i) text += "1,";
  const auto fields = GetErrorDetails(ParseManifest(text + "1]}").status()).fields;
  EXPECT_LE(fields.size(), 64U);
  EXPECT_THAT(fields, ::testing::Not(IsEmpty()));
}

TEST(Manifest, SurvivesAnyDamage) {
  std::mt19937 random(7);
  int accepted = 0;
  for (int round = 0; round < 5000; ++round) {
    std::string text(kFull);
    for (int i = 0; i < 3; ++i) text[random() % text.size()] = static_cast<char>(random());
    accepted += ParseManifest(text).ok() ? 1 : 0;
  }
  EXPECT_LT(accepted, 5000);
}

TEST(ModuleName, IsNoPath) {
  for (const char* name : {"a", "http", "http2", "a_b", "a2345678901234567890123456789012"}) {
    EXPECT_TRUE(IsModuleName(name)) << name;
  }
  for (const char* name :
       {"", "A", "1a", "_a", "a-b", "a.b", "a/b", "..", "a b", "a23456789012345678901234567890123"}) {
    EXPECT_FALSE(IsModuleName(name)) << name;
  }
}

}  // namespace
}  // namespace probed::modules
