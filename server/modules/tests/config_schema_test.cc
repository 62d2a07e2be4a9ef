// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/modules/config_schema.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "server/base/error_details.h"
#include "server/modules/reasons.h"

namespace probed::modules {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

constexpr std::string_view kSchema = R"({
  "type": "object",
  "required": ["zone"],
  "properties": {
    "zone": {"type": "string", "minLength": 1, "maxLength": 8},
    "capture_bytes": {"type": "integer", "default": 4096, "minimum": 64, "maximum": 16384},
    "ratio": {"type": "number", "minimum": 0, "maximum": 1},
    "mode": {"type": "string", "enum": ["fast", "exact"], "default": "fast"},
    "headers": {"type": "array", "items": {"type": "string"}, "maxItems": 2, "uniqueItems": true, "default": []},
    "limits": {"type": "object", "default": {}, "properties": {"depth": {"type": "integer", "default": 3}}},
    "labels": {"type": "object", "additionalProperties": {"type": "string"}},
    "either": {"type": ["string", "null"]}
  }})";

TEST(CompleteConfig, FillsInDefaultsAtEveryLevel) {
  const auto config = CompleteConfig(kSchema, R"({"zone": "eu"})");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(json::parse(*config), json::parse(R"({"zone": "eu", "capture_bytes": 4096, "mode": "fast",
                                                  "headers": [], "limits": {"depth": 3}})"));
}

TEST(CompleteConfig, KeepsWhatIsGiven) {
  constexpr std::string_view kGiven = R"({"zone": "eu", "capture_bytes": 64, "ratio": 0.5, "mode": "exact",
    "headers": ["a", "b"], "limits": {"depth": 1}, "labels": {"any": "text"}, "either": null})";
  const auto config = CompleteConfig(kSchema, kGiven);
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(json::parse(*config), json::parse(kGiven));
}

struct BadConfig {
  const char* patch;
  const char* path;
  const char* words;
};

class WrongField : public ::testing::TestWithParam<BadConfig> {};

TEST_P(WrongField, IsNamedWithWhatItMayBe) {
  json config = {{"zone", "eu"}};
  config.merge_patch(json::parse(GetParam().patch));
  const auto completed = CompleteConfig(kSchema, config.dump());
  ASSERT_FALSE(completed.ok());
  EXPECT_TRUE(absl::IsInvalidArgument(completed.status()));
  const ErrorDetails details = GetErrorDetails(completed.status());
  EXPECT_EQ(details.reason, kConfigInvalid);
  ASSERT_EQ(details.fields.size(), 1U);
  EXPECT_EQ(details.fields[0].path, GetParam().path);
  EXPECT_THAT(details.fields[0].description, HasSubstr(GetParam().words));
}

INSTANTIATE_TEST_SUITE_P(
    Each, WrongField,
    ::testing::Values(BadConfig{R"({"zone": null})", "zone", "is missing"},
                      BadConfig{R"({"zone": ""})", "zone", "at least 1 bytes"},
                      BadConfig{R"({"zone": "123456789"})", "zone", "at most 8 bytes"},
                      BadConfig{R"({"zone": 7})", "zone", "must be of type string, not number"},
                      BadConfig{R"({"capture_bytes": 63})", "capture_bytes", "at least 64"},
                      BadConfig{R"({"capture_bytes": 16385})", "capture_bytes", "at most 16384"},
                      BadConfig{R"({"capture_bytes": 100.5})", "capture_bytes", "type integer"},
                      BadConfig{R"({"ratio": 1.01})", "ratio", "at most 1"},
                      BadConfig{R"({"mode": "slow"})", "mode", R"(one of ["fast","exact"])"},
                      BadConfig{R"({"headers": ["a", 1]})", "headers[1]", "type string"},
                      BadConfig{R"({"headers": ["a", "a"]})", "headers", "twice"},
                      BadConfig{R"({"headers": ["a", "b", "c"]})", "headers", "at most 2 items"},
                      BadConfig{R"({"limits": {"dept": 1}})", "limits.dept", "did you mean depth?"},
                      BadConfig{R"({"labels": {"a": 1}})", "labels.a", "type string"},
                      BadConfig{R"({"either": 1})", "either", "string or null"},
                      BadConfig{R"({"capture_byte": 1})", "capture_byte", "did you mean capture_bytes?"},
                      BadConfig{R"({"wholly_unknown_thing": 1})", "wholly_unknown_thing", "no known key"}));

TEST(CompleteConfig, RefusesTextsThatAreNoObject) {
  for (const char* text : {"", "[]", "1", "{", "null", "{\"zone\": \"\xff\"}"}) {
    EXPECT_EQ(GetErrorDetails(CompleteConfig(kSchema, text).status()).reason, kConfigInvalid) << text;
  }
  EXPECT_FALSE(CompleteConfig(kSchema, std::string(300000, '[')).ok());
}

TEST(CompleteConfig, RefusesEveryKeyWithoutASchemaForIt) {
  EXPECT_EQ(*CompleteConfig("{}", "{}"), "{}");
  EXPECT_FALSE(CompleteConfig("{}", R"({"a": 1})").ok());
  EXPECT_TRUE(CompleteConfig(R"({"additionalProperties": true})", R"({"a": 1})").ok());
}

TEST(CompleteConfig, SurvivesASchemaThatIsNonsense) {
  for (const char* schema : {R"({"type": 1, "properties": 2, "required": 3, "enum": 4, "minimum": "x"})",
                             R"({"properties": {"a": 1, "b": {"items": 5, "maxItems": "y", "type": []}}})"}) {
    static_cast<void>(CompleteConfig(schema, R"({"a": [1], "b": [2]})").ok());
    EXPECT_TRUE(CompleteConfig(schema, "{}").ok()) << schema;
  }
}

}  // namespace
}  // namespace probed::modules
