// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include <vector>

#include "api/sdk/generations.h"
#include "api/sdk/testing/drive.h"

extern "C" const probe_module_entry_t probe_module_entry;

namespace probed::mod::ping {
namespace {

using sdk::testing::Driver;
using sdk::testing::Received;
using sdk::testing::Sent;
using sdk::testing::Step;
using sdk::testing::StreamDriver;

const std::vector<Step> kTwoPings = {Received("PING one\n"), Sent("OK one\n"), Received("PING two\n"),
                                     Sent("ERR no\n")};

void ExpectTwoPings(const std::vector<Step>& steps) {
  Driver driver(probe_module_entry);
  StreamDriver stream = driver.NewStream();
  stream.Open();
  for (const Step& step : steps) stream.Feed(step);
  stream.Close(PROBE_CLOSE_PEER);
  ASSERT_EQ(driver.host.spans.size(), 2U);
  EXPECT_EQ(driver.host.spans[0].kind, std::uint32_t{PROBE_SPAN_SERVER});
  EXPECT_EQ(driver.host.spans[0].Get("ping.word"), "one");
  EXPECT_EQ(driver.host.spans[0].error_type, "");
  EXPECT_EQ(driver.host.spans[1].error_type, "ping_error");
  EXPECT_EQ(driver.host.LedgerProblem(), "");
  EXPECT_EQ(driver.host.bytes(), 0U);
}

TEST(PingDecoder, YieldsASpanPerPing) { ExpectTwoPings(kTwoPings); }

TEST(PingDecoder, YieldsTheSameSplitAtEveryByte) { ExpectTwoPings(sdk::testing::SplitAtEveryByte(kTwoPings)); }

TEST(PingDecoder, ClosesItsLedgerWithAHoleAnywhere) {
  for (std::size_t at = 0; at < sdk::testing::TotalBytes(kTwoPings); ++at) {
    Driver driver(probe_module_entry);
    StreamDriver stream = driver.NewStream();
    stream.Open();
    sdk::testing::FeedWithHole(stream, kTwoPings, at, 3);
    stream.Close(PROBE_CLOSE_PEER);
    EXPECT_EQ(driver.host.LedgerProblem(), "") << at;
    EXPECT_EQ(driver.host.in_flight(), 0U) << at;
    EXPECT_EQ(driver.OldestGeneration(), sdk::Pins::kNone) << at;
  }
}

TEST(PingDecoder, AnUnansweredPingEndsWithTheConnection) {
  Driver driver(probe_module_entry);
  StreamDriver stream = driver.NewStream();
  stream.Open();
  stream.Send("PING x\n");
  stream.Close(PROBE_CLOSE_RESET);
  ASSERT_EQ(driver.host.spans.size(), 1U);
  EXPECT_EQ(driver.host.spans[0].kind, std::uint32_t{PROBE_SPAN_CLIENT});
  EXPECT_EQ(driver.host.spans[0].error_type, "connection_reset");
}

TEST(PingDecoder, CountsWhatItCannotRead) {
  Driver driver(probe_module_entry);
  StreamDriver stream = driver.NewStream();
  stream.Open();
  stream.Receive("HELLO\n");
  EXPECT_EQ(driver.host.Counted(PROBE_UNDECODABLE_MALFORMED), 1U);
}

TEST(PingConfig, LeavesTheWordOutWhenTold) {
  Driver driver(probe_module_entry, R"({"capture_word":false})");
  StreamDriver stream = driver.NewStream();
  stream.Receive("PING x\n");
  stream.Send("OK x\n");
  ASSERT_EQ(driver.host.spans.size(), 1U);
  EXPECT_FALSE(driver.host.spans[0].Has("ping.word"));
  EXPECT_EQ(driver.Check(R"({"capture_words":1})").count("capture_words"), 1U);
}

}  // namespace
}  // namespace probed::mod::ping
