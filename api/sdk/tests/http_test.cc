// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// The pure parts of HTTP semantics.
#include <gmock/gmock.h>

#include <string>

#include "api/sdk/http/address.h"
#include "api/sdk/http/methods.h"
#include "api/sdk/http/redaction.h"
#include "api/sdk/http/routes.h"
#include "api/sdk/http/target.h"

namespace probed::sdk::http {
namespace {

TEST(Methods, AreThoseOfTheEnvironmentIfItNamesAny) {
  ASSERT_EQ(setenv(kKnownMethodsVariable, " GET,PROPFIND , ,m-search", 1), 0);
  EXPECT_THAT(DefaultKnownMethods(), ::testing::ElementsAre("GET", "PROPFIND", "m-search"));
  EXPECT_TRUE(MethodTable().IsKnown("PROPFIND"));
  EXPECT_FALSE(MethodTable().IsKnown("POST"));
  for (const char* empty : {"", " ,", ","}) {
    ASSERT_EQ(setenv(kKnownMethodsVariable, empty, 1), 0);
    EXPECT_TRUE(MethodTable().IsKnown("POST")) << empty;
  }
  ASSERT_EQ(unsetenv(kKnownMethodsVariable), 0);
  EXPECT_THAT(DefaultKnownMethods(), ::testing::Contains("TRACE"));
  EXPECT_FALSE(MethodTable().IsKnown("PROPFIND"));
}

TEST(Routes, TheFirstPatternThatMatchesWins) {
  const RouteTable routes({"/users/me", "/users/{id}", "/users/{id}/posts/*", "/static/*", "/a/*/c", "/dir/", "/"});
  EXPECT_EQ(routes.Match("/users/me"), "/users/me");
  EXPECT_EQ(routes.Match("/users/7"), "/users/{id}");
  EXPECT_EQ(routes.Match("/users/7/"), "");
  EXPECT_EQ(routes.Match("/users/"), "");
  EXPECT_EQ(routes.Match("/users/7/posts/1/2"), "/users/{id}/posts/*");
  EXPECT_EQ(routes.Match("/static/css/x.css"), "/static/*");
  EXPECT_EQ(routes.Match("/static"), "/static/*");
  EXPECT_EQ(routes.Match("/a/b/c"), "/a/*/c");
  EXPECT_EQ(routes.Match("/a/c"), "");
  EXPECT_EQ(routes.Match("/dir/"), "/dir/");
  EXPECT_EQ(routes.Match("/dir"), "");
  EXPECT_EQ(routes.Match("/"), "/");
  EXPECT_EQ(routes.Match("*"), "");
  EXPECT_EQ(routes.Match(""), "");
}

TEST(Routes, NameWhatIsWrongWithAPattern) {
  for (const char* good : {"/", "/a/{b}", "/*", "/a/"}) EXPECT_EQ(RouteTable::Problem(good), "") << good;
  for (const char* bad : {"", "a", "/a?b", "/a{b}", "/{a", "/{}", "/{a}{b}"})
    EXPECT_NE(RouteTable::Problem(bad), "") << bad;
}

TEST(Address, SplitsHostAndPort) {
  struct Row {
    std::string_view text, host;
    std::uint16_t port;
  };
  for (const Row& row :
       {Row{"h", "h", 0}, Row{"h:80", "h", 80}, Row{"127.0.0.1", "127.0.0.1", 0},
        Row{"127.0.0.1:8080", "127.0.0.1", 8080}, Row{"[::1]", "::1", 0}, Row{"[::1]:9", "::1", 9},
        Row{"::1", "::1", 0}, Row{"2001:db8::7", "2001:db8::7", 0}, Row{"u:p@h:1", "h", 1}, Row{"u@[::2]:3", "::2", 3},
        Row{"a:1@h", "h", 0}, Row{"[h]", "h", 0}, Row{"[x:", "[x", 0}, Row{"[::1]:x", "::1", 0}, Row{"h:", "h", 0},
        Row{"h:99999", "h", 0}, Row{"h:x", "h", 0}, Row{"", "", 0}, Row{":80", "", 0}}) {
    const HostPort out = SplitHostPort(row.text);
    EXPECT_EQ(out.host, row.host) << row.text;
    EXPECT_EQ(out.port, row.port) << row.text;
  }
}

TEST(Address, ReadsTheFirstElementOfForwarded) {
  const std::string_view header = "For=\"[2001:db8::1]:47011\" ; host=\"h.example:1\";proto=https , for=10.0.0.1;by=x";
  EXPECT_EQ(ForwardedParameter(header, "for"), "[2001:db8::1]:47011");
  EXPECT_EQ(ForwardedParameter(header, "host"), "h.example:1");
  EXPECT_EQ(ForwardedParameter(header, "proto"), "https");
  EXPECT_EQ(ForwardedParameter(header, "by"), "");
  for (const char* odd : {"", ";", "for", "for=\"open", "=x", ",for=1", "for==;"}) ForwardedParameter(odd, "host");
}

TEST(Target, KnowsTheFourForms) {
  EXPECT_EQ(ParseTarget("/p?q=1?").query, "q=1?");
  EXPECT_EQ(ParseTarget("*").path, "*");
  EXPECT_EQ(ParseTarget("h:443").authority, "h:443");
  const Target target = ParseTarget("https://u@h:1/p/?q");
  EXPECT_EQ(target.scheme, "https");
  EXPECT_EQ(target.authority, "u@h:1");
  EXPECT_EQ(target.path, "/p/");
  EXPECT_EQ(target.query, "q");
}

TEST(Redaction, KeepsKeysAndHidesValues) {
  Scratch out;
  out.Start();
  QueryRedactor({"sig"}).Append("a=1&sig=secret&SIG=kept&sig&&sig=", out);
  EXPECT_EQ(out.Finish(), "a=1&sig=REDACTED&SIG=kept&sig&&sig=REDACTED");
}

}  // namespace
}  // namespace probed::sdk::http
