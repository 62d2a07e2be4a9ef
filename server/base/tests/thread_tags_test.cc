// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/base/thread_tags.h"

#include <gmock/gmock.h>
#include <pthread.h>

#include <string>
#include <thread>

namespace probed {
namespace {

TEST(ThreadTags, BelongToOneThread) {
  std::thread([] {
    TagThread(ThreadTag::kShard, 3);
    EXPECT_EQ(CurrentThreadTag(), ThreadTag::kShard);
    EXPECT_EQ(CurrentThreadIndex(), 3U);
    char name[16] = {};
    pthread_getname_np(pthread_self(), name, sizeof(name));
    EXPECT_EQ(std::string(name), "shard:3");
  }).join();
  EXPECT_EQ(CurrentThreadTag(), ThreadTag::kNone);
}

TEST(ThreadTags, PassOnAThreadWithoutATag) { CheckOnThread(ThreadTag::kControl, __FILE__, __LINE__); }

TEST(ThreadTagsDeathTest, StopACallOnAWrongThread) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        TagThread(ThreadTag::kShard);
        CheckOnThread(ThreadTag::kControl, "file.cc", 7);
      },
      "file.cc:7: called on \\[shard\\], belongs to \\[control\\]");
}

}  // namespace
}  // namespace probed
