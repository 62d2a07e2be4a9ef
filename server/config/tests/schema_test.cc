// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/config/schema.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace probed::config {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const json& Schema() {
  static const json schema = json::parse(R"({
    "type": "object",
    "properties": {
      "capture_bytes": {"type": "integer", "minimum": 64, "maximum": 16384, "default": 4096, "x-reload": "live"},
      "mode": {"type": "string", "enum": ["full", "head"], "default": "head"},
      "known_methods": {"type": "array", "items": {"type": "string", "pattern": "^[A-Z]+$"}, "minItems": 1},
      "token": {"type": "string", "x-sensitive": true},
      "limits": {"type": "object", "properties": {"streams": {"type": "integer", "default": 10}}}
    },
    "additionalProperties": false
  })");
  return schema;
}

FieldViolation OnlyViolation(const json& value) {
  const SchemaOutcome outcome = ApplySchema(Schema(), value, "config");
  EXPECT_EQ(outcome.violations.size(), 1U) << value;
  return outcome.violations.empty() ? FieldViolation{} : outcome.violations.front();
}

TEST(Schema, FillsInDefaultsAlsoOfNestedObjects) {
  const SchemaOutcome outcome = ApplySchema(Schema(), json::object(), "config");
  EXPECT_THAT(outcome.violations, IsEmpty());
  EXPECT_EQ(outcome.value, json::parse(R"({"capture_bytes":4096,"mode":"head","limits":{"streams":10}})"));
}

TEST(Schema, KeepsWhatTheUserGave) {
  const SchemaOutcome outcome = ApplySchema(Schema(), {{"capture_bytes", 128}, {"mode", "full"}}, "config");
  EXPECT_EQ(outcome.value["capture_bytes"], 128);
  EXPECT_EQ(outcome.value["mode"], "full");
}

TEST(Schema, NamesTheNearestKey) {
  const FieldViolation violation = OnlyViolation({{"capture_byts", 100}});
  EXPECT_EQ(violation.path, "config.capture_byts");
  EXPECT_THAT(violation.description, HasSubstr("did you mean \"capture_bytes\""));
}

struct BadValue {
  const char* json_text;
  const char* path;
  const char* says;
};

class SchemaRefuses : public ::testing::TestWithParam<BadValue> {};

TEST_P(SchemaRefuses, WithThePathOfTheField) {
  const FieldViolation violation = OnlyViolation(json::parse(GetParam().json_text));
  EXPECT_EQ(violation.path, GetParam().path);
  EXPECT_THAT(violation.description, HasSubstr(GetParam().says));
}

INSTANTIATE_TEST_SUITE_P(
    Values, SchemaRefuses,
    ::testing::Values(BadValue{R"({"capture_bytes":"many"})", "config.capture_bytes", "of type integer"},
                      BadValue{R"({"capture_bytes":1.5})", "config.capture_bytes", "of type integer"},
                      BadValue{R"({"capture_bytes":63})", "config.capture_bytes", "at least 64"},
                      BadValue{R"({"capture_bytes":16385})", "config.capture_bytes", "at most 16384"},
                      BadValue{R"({"mode":"ful"})", "config.mode", "did you mean \"full\""},
                      BadValue{R"({"known_methods":[]})", "config.known_methods", "at least 1"},
                      BadValue{R"({"known_methods":["GET","get"]})", "config.known_methods[1]", "must match"},
                      BadValue{R"({"known_methods":"GET"})", "config.known_methods", "of type array"},
                      BadValue{R"({"limits":{"strems":1}})", "config.limits.strems", "did you mean \"streams\""},
                      BadValue{R"([])", "config", "of type object"}));

TEST(Schema, ReportsEveryViolation) {
  EXPECT_EQ(ApplySchema(Schema(), {{"capture_bytes", 1}, {"mode", 7}, {"x", 1}}, "c").violations.size(), 3U);
}

TEST(Schema, ChecksRequiredKeys) {
  const json schema = {{"type", "object"}, {"required", {"name"}}, {"properties", {{"name", {{"type", "string"}}}}}};
  const SchemaOutcome outcome = ApplySchema(schema, json::object(), "config");
  ASSERT_EQ(outcome.violations.size(), 1U);
  EXPECT_EQ(outcome.violations[0].path, "config.name");
}

TEST(Schema, AllowsUnnamedKeysWhereTheSchemaDoes) {
  const json schema = {{"type", "object"}, {"additionalProperties", {{"type", "integer"}}}};
  EXPECT_THAT(ApplySchema(schema, {{"a", 1}}, "c").violations, IsEmpty());
  EXPECT_EQ(ApplySchema(schema, {{"a", "x"}}, "c").violations.size(), 1U);
}

TEST(CompleteConfig, GivesTheTextForTheModule) {
  const auto text = CompleteConfig(Schema().dump(), R"({"capture_bytes":128})");
  ASSERT_TRUE(text.ok());
  EXPECT_EQ(json::parse(*text)["mode"], "head");
}

TEST(CompleteConfig, CarriesViolationsInTheError) {
  const auto text = CompleteConfig(Schema().dump(), R"({"capture_bytes":1})");
  ASSERT_EQ(text.status().code(), absl::StatusCode::kInvalidArgument);
  const ErrorDetails details = GetErrorDetails(text.status());
  EXPECT_EQ(details.reason, "CONFIG_INVALID");
  ASSERT_EQ(details.fields.size(), 1U);
  EXPECT_EQ(details.fields[0].path, "config.capture_bytes");
  EXPECT_FALSE(CompleteConfig(Schema().dump(), "{not json").ok());
}

TEST(CheckSchema, AcceptsTheSubsetAndNamesTheRest) {
  EXPECT_THAT(CheckSchema(Schema()), IsEmpty());
  EXPECT_EQ(CheckSchema({{"type", "object"}, {"oneOf", json::array()}}).size(), 1U);
  EXPECT_EQ(CheckSchema({{"type", "text"}}).size(), 1U);
  EXPECT_EQ(CheckSchema({{"pattern", "["}}).size(), 1U);
  EXPECT_EQ(CheckSchema({{"type", "integer"}, {"default", "x"}}).size(), 1U);
}

TEST(Redacted, HidesSensitiveValuesOnly) {
  const json out = Redacted(Schema(), {{"token", "secret"}, {"mode", "full"}, {"tokn", "secret"}});
  EXPECT_EQ(out["token"], "[redacted]");
  EXPECT_EQ(out["mode"], "full");
  EXPECT_EQ(out["tokn"], "[redacted]") << "a mistyped secret is one all the same";
}

}  // namespace
}  // namespace probed::config
