// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/pipeline/ids.h"

#include <gmock/gmock.h>

#include <set>

namespace probed::pipeline {
namespace {

// First outputs of the reference xoshiro256plusplus.c with state {1, 2, 3, 4}.
TEST(IdGenerator, IsTheReferenceGenerator) {
  IdGenerator ids({1, 2, 3, 4});
  EXPECT_EQ(ids.Next(), 41943041U);
  EXPECT_EQ(ids.Next(), 58720359U);
  EXPECT_EQ(ids.Next(), 3588806011781223U);
}

TEST(IdGenerator, RepeatsNothingAndIsNeverZero) {
  IdGenerator ids;
  std::set<SpanId> spans;
  std::set<TraceId> traces;
  for (int i = 0; i < 10000; ++i) {
    spans.insert(ids.NewSpanId());
    traces.insert(ids.NewTraceId());
  }
  EXPECT_EQ(spans.size(), 10000U);
  EXPECT_EQ(traces.size(), 10000U);
  EXPECT_FALSE(spans.contains(kNoSpanId));
  EXPECT_FALSE(traces.contains(kNoTraceId));
}

TEST(IdGenerator, SkipsAZeroWord) {
  IdGenerator ids({0, 1, 0, 0});  // its first word is rotl(0 + 0, 23) + 0
  EXPECT_NE(ids.NewSpanId(), kNoSpanId);
}

TEST(IdGenerator, SeedsDiffer) {
  IdGenerator one;
  IdGenerator two;
  EXPECT_NE(one.Next(), two.Next());
}

}  // namespace
}  // namespace probed::pipeline
