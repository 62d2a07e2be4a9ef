// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "api/sdk/trace_context.h"

#include <gmock/gmock.h>

#include <string>

namespace probed::sdk {
namespace {

const std::string kIds = "12345678901234567890123456789012-1234567890123456";

bool Accepts(const std::string& text) {
  probe_trace_context_t out{};
  const bool accepted = ParseTraceparent(text, &out);
  EXPECT_EQ(accepted, out.valid == 1);
  return accepted;
}

TEST(Traceparent, ReadsItsFields) {
  probe_trace_context_t out{};
  ASSERT_TRUE(ParseTraceparent(" \t00-" + kIds + "-ff ", &out));
  EXPECT_EQ(out.trace_id[0], 0x12);
  EXPECT_EQ(out.span_id[7], 0x56);
  EXPECT_EQ(out.flags, 0x03);
}

TEST(Traceparent, LaterVersionsMayGoOnAfterADash) {
  EXPECT_TRUE(Accepts("cc-" + kIds + "-01"));
  EXPECT_TRUE(Accepts("cc-" + kIds + "-01-what-the-future-brings"));
  EXPECT_FALSE(Accepts("cc-" + kIds + "-01.future"));
  EXPECT_FALSE(Accepts("00-" + kIds + "-01-x"));
}

TEST(Traceparent, RefusesWhatIsNotExact) {
  for (const std::string& text :
       {std::string(), "ff-" + kIds + "-01", "0-" + kIds + "-01", "00-" + kIds + "-0", "00-" + kIds + "-0G",
        "00_" + kIds + "-01", std::string("00-1234567890123456789012345678901A-1234567890123456-01"),
        std::string("00-00000000000000000000000000000000-1234567890123456-01"),
        std::string("00-12345678901234567890123456789012-0000000000000000-01")}) {
    EXPECT_FALSE(Accepts(text)) << text;
  }
}

std::string Members(int count) {
  std::string out;
  for (int i = 0; i < count; ++i) out += (i == 0 ? "k" : ",k") + std::to_string(i) + "=v";
  return out;
}

TEST(Tracestate, AcceptsAListOfMembers) {
  for (const std::string& text : {std::string("a=1"), std::string("a=1, b=2 ,\tc=3"), std::string("a=1,,b=2,"),
                                  std::string("tenant@sys/x-y_z*=v v"), std::string("0k=v"), Members(32)}) {
    EXPECT_TRUE(IsTracestate(text)) << text;
  }
}

TEST(Tracestate, RefusesTheWholeListForOneBadMember) {
  for (const std::string& text :
       {std::string(), std::string(" , "), std::string("a"), std::string("=1"), std::string("A=1"),
        std::string("a=1,a=2"), std::string("a=b=c"), std::string("a="), Members(33), "a=" + std::string(257, 'x'),
        std::string(257, 'k') + "=1", std::string("a=\x01")}) {
    EXPECT_FALSE(IsTracestate(text)) << text;
  }
}

}  // namespace
}  // namespace probed::sdk
