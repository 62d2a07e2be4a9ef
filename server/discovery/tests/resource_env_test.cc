// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/discovery/resource_env.h"

#include <gmock/gmock.h>

#include <string>

namespace probed::discovery {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Optional;
using ::testing::Pair;

TEST(ResourceEnv, DecodesPercentAndTrims) {
  EXPECT_THAT(
      ParseResourceAttributes("a=1, b%2Cc = x%20y%3D ,deployment.environment.name=Z%C3%BCrich"),
      Optional(ElementsAre(Pair("a", "1"), Pair("b,c", "x y="), Pair("deployment.environment.name", "Z\xc3\xbcrich"))));
}

TEST(ResourceEnv, ValueMayHoldEqualsAndLastKeyWins) {
  EXPECT_THAT(ParseResourceAttributes("a=1=2,b=3,a=4"), Optional(ElementsAre(Pair("a", "4"), Pair("b", "3"))));
}

TEST(ResourceEnv, AnyErrorDiscardsAll) {
  for (const char* text : {"a=1,b", "a=1,", ",a=1", "a=1,=2", "a=1,b=%2", "a=1,b=%zz", "a=1,b=%+1", "a=%ff", "a=%c0%80",
                           "a=%ed%a0%80", "a=1,,b=2"}) {
    EXPECT_EQ(ParseResourceAttributes(text), std::nullopt) << text;
  }
}

TEST(ResourceEnv, NothingIsNoError) {
  EXPECT_THAT(ParseResourceAttributes(""), Optional(IsEmpty()));
  EXPECT_THAT(ParseResourceAttributes("  "), Optional(IsEmpty()));
}

TEST(ResourceEnv, FindsBothVariablesInAnEnviron) {
  using std::string_literals::operator""s;
  const std::string text = "PATH=/bin\0OTEL_SERVICE_NAME=shop\0XOTEL_SERVICE_NAME=no\0OTEL_RESOURCE_ATTRIBUTES=a=b\0"s;
  const ResourceEnv env = ParseEnviron(text);
  EXPECT_EQ(env.service_name, "shop");
  EXPECT_THAT(env.attributes, ElementsAre(Pair("a", "b")));
}

TEST(ResourceEnv, BadAttributesLeaveTheNameAlone) {
  const ResourceEnv env = ParseEnviron(std::string("OTEL_RESOURCE_ATTRIBUTES=a=%\0OTEL_SERVICE_NAME=shop", 51));
  EXPECT_EQ(env.service_name, "shop");
  EXPECT_THAT(env.attributes, IsEmpty());
}

}  // namespace
}  // namespace probed::discovery
