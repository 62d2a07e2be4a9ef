// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "clients/cli/lib/settings.h"

#include <gmock/gmock.h>

#include "clients/cli/lib/proto_json.h"
#include "clients/cli/tests/fake_daemon.h"

namespace probed::cli {
namespace {

std::string Set(const std::vector<std::string>& assignments, const std::string& start = "{}") {
  Json object = Json::parse(start);
  for (const std::string& assignment : assignments) EXPECT_TRUE(ApplySet(object, assignment).ok()) << assignment;
  return object.dump();
}

TEST(ApplySet, TakesJsonValuesAndElseText) {
  EXPECT_EQ(Set({"a=1"}), R"({"a":1})");
  EXPECT_EQ(Set({"a=1.50"}), R"({"a":1.5})");
  EXPECT_EQ(Set({"a=true", "b=null"}), R"({"a":true,"b":null})");
  EXPECT_EQ(Set({"a=[\"x\",2]"}), R"({"a":["x",2]})");
  EXPECT_EQ(Set({"a=\"1\""}), R"({"a":"1"})");
  EXPECT_EQ(Set({"a=hello world"}), R"({"a":"hello world"})");
  EXPECT_EQ(Set({"a=/users/{id}"}), R"({"a":"/users/{id}"})");
  EXPECT_EQ(Set({"a="}), R"({"a":""})");
  EXPECT_EQ(Set({"a=b=c"}), R"({"a":"b=c"})");
  EXPECT_EQ(Set({"a=18446744073709551615"}), R"({"a":18446744073709551615})");
}

TEST(ApplySet, NestsAtDots) {
  EXPECT_EQ(Set({"a.b.c=1", "a.d=2"}), R"({"a":{"b":{"c":1},"d":2}})");
  EXPECT_EQ(Set({"a\\.b=1"}), R"({"a.b":1})");
  EXPECT_EQ(Set({"a.b=1"}, R"({"a":5})"), R"({"a":{"b":1}})");
  EXPECT_EQ(Set({"a=2"}, R"({"a":1,"b":3})"), R"({"a":2,"b":3})");
}

TEST(ApplySet, RefusesWhatIsNoAssignment) {
  Json object = Json::object();
  for (const char* text : {"a", "=1", "", "a..b=1", ".a=1", "a.=1"}) {
    EXPECT_FALSE(ApplySet(object, text).ok()) << text;
  }
  EXPECT_TRUE(object.empty());
}

TEST(ApplyUnset, RemovesAKeyAndNothingElse) {
  Json object = Json::parse(R"({"a":{"b":1,"c":2},"d":3})");
  EXPECT_TRUE(ApplyUnset(object, "a.b").ok());
  EXPECT_TRUE(ApplyUnset(object, "x.y").ok());
  EXPECT_TRUE(ApplyUnset(object, "d.e").ok());
  EXPECT_EQ(object.dump(), R"({"a":{"c":2},"d":3})");
  EXPECT_FALSE(ApplyUnset(object, "a..b").ok());
}

TEST(ParseObject, ReadsYamlWithItsTypes) {
  const auto value = ParseObject("a: 1\nb: \"1\"\nc: [x, true, 1.5]\nd:\n  e: ~\nf: 0.0.0.0\ng: inf\n", "file");
  ASSERT_TRUE(value.ok()) << value.status();
  EXPECT_EQ(value->dump(), R"({"a":1,"b":"1","c":["x",true,1.5],"d":{"e":null},"f":"0.0.0.0","g":"inf"})");
}

TEST(ParseObject, ReadsJsonAndNothing) {
  EXPECT_EQ(ParseObject(R"({"a":12345678901234567890})", "f")->dump(), R"({"a":12345678901234567890})");
  EXPECT_EQ(ParseObject("", "f")->dump(), "{}");
}

TEST(ParseObject, NamesTheFileInErrors) {
  EXPECT_THAT(std::string(ParseObject("[1]", "my.yaml").status().message()), testing::HasSubstr("my.yaml"));
  EXPECT_THAT(std::string(ParseObject("a: [", "my.yaml").status().message()), testing::HasSubstr("my.yaml"));
}

TEST(ReadFile, SaysWhyItCannot) {
  const TempFolder folder;
  EXPECT_EQ(*ReadFile(folder.Write("a", "text\n")), "text\n");
  EXPECT_THAT(std::string(ReadFile(folder.Path("none")).status().message()), testing::HasSubstr("No such file"));
}

TEST(DumpYaml, QuotesWhatWouldBeReadAsSomethingElse) {
  const Json value{{"a", "true"}, {"b", "12"}, {"c", "plain"}, {"d", "x\x1b[2J"}, {"e", 12}, {"f", ""}};
  const std::string yaml = DumpYaml(value);
  EXPECT_EQ(ParseObject(yaml, "f")->dump(), value.dump());
  EXPECT_THAT(yaml, testing::Not(testing::HasSubstr("\x1b")));
}

}  // namespace
}  // namespace probed::cli
