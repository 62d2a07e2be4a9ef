// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Every conversation of vectors.cc, through the module's exported table: whole, byte by byte, with a hole at every
// place; on both layers; from the server's and from the client's side.
#include "modules/http/tests/vectors.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cstddef>
#include <sstream>
#include <string>
#include <tuple>
#include <vector>

#include "api/sdk/generations.h"
#include "api/sdk/http/target.h"

extern "C" const probe_module_entry_t probe_module_entry;

namespace probed::mod::http::testing {
namespace {

using sdk::testing::Driver;
using sdk::testing::FeedWithHole;
using sdk::testing::RecordedSpan;
using sdk::testing::SplitAtEveryByte;
using sdk::testing::Step;
using sdk::testing::StreamDriver;
using ::testing::ElementsAreArray;

/// The raw target is not an attribute: it is put together again from url.full or from path, query and Host.
std::string Summary(const RecordedSpan& span, const std::string& target) {
  const std::string method = span.Has("http.request.method_original") ? span.Get("http.request.method_original")
                                                                      : span.Get("http.request.method");
  const std::string status = span.Has("http.response.status_code") ? span.Get("http.response.status_code") : "-";
  return method + " " + target + " " + status + " " + (span.error_type.empty() ? "-" : span.error_type);
}

/// What of an expected line a span shows: path instead of target, errors by side.
struct Expected {
  std::string method, target, status, error;
};
Expected Read(const std::string& line, bool server) {
  Expected out;
  std::istringstream(line) >> out.method >> out.target >> out.status >> out.error;
  const bool coded = out.error == "-" || out.error == out.status;
  if (coded && out.status != "-") out.error = std::stoi(out.status) >= (server ? 500 : 400) ? out.status : "-";
  return out;
}
std::string Path(const std::string& target) {
  const sdk::http::Target parsed = sdk::http::ParseTarget(target);
  return std::string(parsed.path);
}
std::string ExpectedSummary(const std::string& line, bool server) {
  const Expected e = Read(line, server);
  return e.method + " " + (server ? Path(e.target) : "") + " " + e.status + " " + e.error;
}

class HttpVectors : public ::testing::TestWithParam<std::tuple<std::size_t, bool, bool>> {
 protected:
  const Conversation& conversation() const { return Conversations()[std::get<0>(GetParam())]; }
  bool server() const { return std::get<1>(GetParam()); }
  std::uint8_t layer() const { return std::get<2>(GetParam()) ? PROBE_LAYER_PLAINTEXT : PROBE_LAYER_RAW; }

  std::vector<Step> Steps() const {
    std::vector<Step> steps = conversation().steps;
    if (server()) return steps;
    for (Step& step : steps) step.direction = step.direction == PROBE_RECEIVED ? PROBE_SENT : PROBE_RECEIVED;
    return steps;
  }
  std::vector<std::string> Expect() const {
    std::vector<std::string> out;
    for (const std::string& line : conversation().spans) out.push_back(ExpectedSummary(line, server()));
    return out;
  }
  void Close(StreamDriver& stream) const { stream.Close(conversation().close.value_or(PROBE_CLOSE_PEER)); }

  std::vector<std::string> Seen(const Driver& driver) const {
    std::vector<std::string> out;
    for (const RecordedSpan& span : driver.host.spans) {
      EXPECT_EQ(span.kind, std::uint32_t{server() ? PROBE_SPAN_SERVER : PROBE_SPAN_CLIENT});
      out.push_back(Summary(span, server() ? span.Get("url.path") : ""));
    }
    return out;
  }

  void ExpectAll(const std::vector<Step>& steps) {
    Driver driver(probe_module_entry);
    StreamDriver stream = driver.NewStream(layer());
    stream.Open();
    for (const Step& step : steps) stream.Feed(step);
    Close(stream);
    EXPECT_THAT(Seen(driver), ElementsAreArray(Expect()));
    EXPECT_EQ(driver.host.LedgerProblem(), "");
    EXPECT_EQ(driver.host.in_flight(), 0U);
    EXPECT_EQ(driver.host.bytes(), 0U) << "memory of the stream was not given back";
    EXPECT_EQ(driver.OldestGeneration(), sdk::Pins::kNone);
  }
};

TEST_P(HttpVectors, YieldsItsSpans) { ExpectAll(Steps()); }

TEST_P(HttpVectors, YieldsTheSameSplitAtEveryByte) {
  if (!conversation().splittable) GTEST_SKIP() << "its records carry marks";
  ExpectAll(SplitAtEveryByte(Steps()));
}

/// With bytes missing a span may be missing too, or end with an error; but it never claims what was not there, and
/// every exchange ends.
TEST_P(HttpVectors, StaysHonestWithAHoleAnywhere) {
  const std::vector<Step> steps = Steps();
  const std::vector<std::string> expected = Expect();
  Driver driver(probe_module_entry);
  for (const std::size_t length : {std::size_t{1}, std::size_t{40}, std::size_t{1000}}) {
    for (std::size_t at = 0; at < sdk::testing::TotalBytes(steps); ++at) {
      driver.Restart();
      StreamDriver stream = driver.NewStream(layer());
      stream.Open();
      FeedWithHole(stream, steps, at, length);
      Close(stream);
      ASSERT_EQ(driver.host.LedgerProblem(), "") << "hole at " << at;
      ASSERT_EQ(driver.host.in_flight(), 0U) << "hole at " << at;
      ASSERT_EQ(driver.host.bytes(), 0U) << "hole at " << at;
      for (const std::string& span : Seen(driver)) {
        const bool known = std::find(expected.begin(), expected.end(), span) != expected.end();
        const bool failed = span.ends_with("connection_closed") || span.ends_with("connection_reset") ||
                            span.ends_with("timeout") || span.ends_with("malformed_response");
        ASSERT_TRUE(known || failed) << span << " with a hole of " << length << " at " << at;
      }
    }
  }
}

std::string Name(const ::testing::TestParamInfo<std::tuple<std::size_t, bool, bool>>& info) {
  return Conversations()[std::get<0>(info.param)].name + (std::get<1>(info.param) ? "Server" : "Client") +
         (std::get<2>(info.param) ? "Plaintext" : "Raw");
}

INSTANTIATE_TEST_SUITE_P(All, HttpVectors,
                         ::testing::Combine(::testing::Range(std::size_t{0}, Conversations().size()), ::testing::Bool(),
                                            ::testing::Bool()),
                         Name);

}  // namespace
}  // namespace probed::mod::http::testing
