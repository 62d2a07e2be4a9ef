// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "modules/grpc/tests/vectors.h"

#include <gmock/gmock.h>

#include <algorithm>

#include "modules/grpc/bpf/h2_frames.h"
#include "modules/grpc/decode/stitch.h"

extern "C" const probe_module_entry_t probe_module_entry;

namespace probed::mod::grpc {
namespace {

using sdk::testing::Driver;
using sdk::testing::Step;
using sdk::testing::StreamDriver;
using testing::Shown;
using testing::Vector;

void ExpectClean(Driver& driver, const std::string& name) {
  EXPECT_EQ(driver.host.LedgerProblem(), "") << name;
  EXPECT_EQ(driver.host.in_flight(), 0U) << name;
  EXPECT_EQ(driver.host.bytes(), 0U) << name;
  EXPECT_EQ(driver.OldestGeneration(), sdk::Pins::kNone) << name;
}

void Check(const Vector& vector, const std::vector<Step>& steps) {
  Driver driver(probe_module_entry);
  StreamDriver stream = driver.NewStream();
  stream.Open();
  for (const Step& step : steps) stream.Feed(step);
  EXPECT_EQ(Shown(driver.host.spans), vector.spans) << vector.name;
  EXPECT_EQ(driver.host.Counted(PROBE_UNDECODABLE_MALFORMED), 0U) << vector.name;
  stream.Close(PROBE_CLOSE_PEER);
  EXPECT_EQ(driver.host.spans.size(), vector.spans.size()) << vector.name;
  ExpectClean(driver, vector.name);
}

/// The records the kernel makes of these steps: DATA payloads are counted, not shipped. Each step begins with a frame.
Step Packed(const Step& step) {
  Step out{step.direction, "", 0, 0, H2_HINT_ALIGNED | H2_HINT_PACKED};
  std::string_view bytes = step.bytes;
  while (!bytes.empty()) {
    const bool preface = bytes.front() == 'P';
    const auto* head = reinterpret_cast<const unsigned char*>(bytes.data());
    const std::size_t size = preface ? 24 : 9 + (std::size_t{head[0]} << 16U | std::size_t{head[1]} << 8U | head[2]);
    const bool keep = preface || h2_keeps_payload(head[3]);
    out.bytes += bytes.substr(0, keep ? size : 9);
    if (!keep) out.skipped += static_cast<std::uint32_t>(size - 9);
    bytes.remove_prefix(size);
  }
  return out;
}

TEST(GrpcVectors, Whole) {
  for (const Vector& vector : testing::Vectors()) Check(vector, vector.steps);
}

TEST(GrpcVectors, SplitAtEveryByte) {
  for (const Vector& vector : testing::Vectors()) Check(vector, sdk::testing::SplitAtEveryByte(vector.steps));
}

TEST(GrpcVectors, AsTheKernelPacksThem) {
  for (const Vector& vector : testing::Vectors()) {
    if (vector.name.starts_with("gRPC-Web")) continue;  // its status is in the DATA
    std::vector<Step> steps;
    std::transform(vector.steps.begin(), vector.steps.end(), std::back_inserter(steps), Packed);
    Check(vector, steps);
  }
}

/// Every place of every hole: what is said is what would have been said without it, or less.
TEST(GrpcVectors, HolesNeverMakeAWrongSpan) {
  Driver driver(probe_module_entry);
  for (const Vector& vector : testing::Vectors()) {
    std::size_t longest = sdk::testing::TotalBytes(vector.steps);
    for (const std::size_t length : {std::size_t{1}, std::size_t{40}, std::size_t{100000}}) {
      const std::size_t stride = longest > 3000 ? 7 : 1;
      for (std::size_t at = 0; at < longest; at += stride) {
        driver.Restart();
        StreamDriver stream = driver.NewStream();
        stream.Open();
        std::vector<Step> steps = vector.steps;
        for (Step& step : steps) step.hint = H2_HINT_ALIGNED;  // as far as the hole leaves it so
        FeedWithHole(stream, steps, at, length);
        stream.Close(PROBE_CLOSE_PEER);
        for (const auto& span : driver.host.spans) {
          const std::string shown = Shown(span);
          const bool known = std::find(vector.spans.begin(), vector.spans.end(), shown) != vector.spans.end();
          EXPECT_TRUE(known || span.Has("probed.rpc.method_unknown") || span.Get("rpc.status_code").empty())
              << vector.name << " at " << at << "+" << length << ": " << shown;
        }
        EXPECT_LE(driver.host.spans.size(), vector.spans.size()) << vector.name << " at " << at;
        ExpectClean(driver, vector.name);
      }
    }
  }
}

TEST(GrpcVectors, JoinedAtEveryStep) {
  for (const Vector& vector : testing::Vectors()) {
    for (std::size_t first = 0; first < vector.steps.size(); ++first) {
      Driver driver(probe_module_entry);
      StreamDriver stream = driver.NewStream();
      stream.Open(false);
      for (std::size_t i = first; i < vector.steps.size(); ++i) stream.Feed(vector.steps[i]);
      stream.Close(PROBE_CLOSE_PEER);
      EXPECT_LE(driver.host.spans.size(), vector.spans.size()) << vector.name << " from " << first;
      ExpectClean(driver, vector.name);
    }
  }
}

}  // namespace
}  // namespace probed::mod::grpc
