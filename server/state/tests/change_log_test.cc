// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/state/change_log.h"

#include <gtest/gtest.h>

#include "server/base/error_details.h"

namespace probed::state {
namespace {

void AppendMany(ChangeLog& log, int count) {
  for (int i = 0; i < count; ++i) log.Append(0, RemovedResource{ResourceKind::kSink, std::to_string(i)});
}

TEST(ChangeLog, GivesEachEventAVersion) {
  ChangeLog log(100, 10);
  AppendMany(log, 3);
  EXPECT_EQ(log.version(), 103U);
  const auto reading = log.After(101, 10);
  ASSERT_EQ(reading.events.size(), 2U);
  EXPECT_EQ(reading.events[0]->version, 102U);
  EXPECT_EQ(reading.lost, 0U);
}

TEST(ChangeLog, ReadsInPortions) {
  ChangeLog log(0, 10);
  AppendMany(log, 5);
  EXPECT_EQ(log.After(0, 2).events.back()->version, 2U);
  EXPECT_TRUE(log.After(5, 2).events.empty());
}

TEST(ChangeLog, CountsWhatASlowReaderLost) {
  ChangeLog log(0, 3);
  AppendMany(log, 10);
  const auto reading = log.After(2, 10);
  EXPECT_EQ(reading.lost, 5U);
  ASSERT_EQ(reading.events.size(), 3U);
  EXPECT_EQ(reading.events[0]->version, 8U);
}

TEST(ChangeLog, ResumesWithinWhatIsKept) {
  ChangeLog log(50, 3);
  EXPECT_TRUE(log.CheckResume(50).ok());
  AppendMany(log, 5);
  EXPECT_TRUE(log.CheckResume(52).ok());
  EXPECT_TRUE(log.CheckResume(55).ok());
  EXPECT_EQ(GetErrorDetails(log.CheckResume(51)).reason, "VERSION_EXPIRED");
  EXPECT_EQ(GetErrorDetails(log.CheckResume(56)).reason, "VERSION_UNKNOWN");
  EXPECT_EQ(log.CheckResume(0).code(), absl::StatusCode::kOutOfRange);
}

TEST(ChangeLog, TellsListenersUntilTheyLeave) {
  ChangeLog log(0, 3);
  int told = 0;
  const std::uint64_t id = log.Listen([&] { told += static_cast<int>(log.After(0, 10).events.size()); });
  AppendMany(log, 1);
  EXPECT_EQ(told, 1);
  log.Unlisten(id);
  AppendMany(log, 1);
  EXPECT_EQ(told, 1);
}

}  // namespace
}  // namespace probed::state
