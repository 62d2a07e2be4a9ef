// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/control/lossy_queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace probed::control {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(LossyQueue, KeepsOrder) {
  LossyQueue<int> queue(3);
  queue.Push(1);
  queue.Push(2);
  const auto portion = queue.Take(10);
  EXPECT_EQ(portion.lost, 0U);
  EXPECT_THAT(portion.items, ElementsAre(1, 2));
  EXPECT_TRUE(queue.empty());
}

TEST(LossyQueue, DropsTheOldestAndSaysHowMany) {
  LossyQueue<int> queue(2);
  for (int i = 0; i < 5; ++i) queue.Push(i);
  const auto portion = queue.Take(10);
  EXPECT_EQ(portion.lost, 3U);
  EXPECT_THAT(portion.items, ElementsAre(3, 4));
}

TEST(LossyQueue, ALossOfTheProducerStandsBeforeItsItem) {
  LossyQueue<int> queue(10);
  queue.Push(1);
  queue.Push(2, 7);
  queue.Push(3);
  EXPECT_THAT(queue.Take(10).items, ElementsAre(1));
  const auto second = queue.Take(10);
  EXPECT_EQ(second.lost, 7U);
  EXPECT_THAT(second.items, ElementsAre(2, 3));
}

TEST(LossyQueue, AddsUpLossesOfBothKinds) {
  LossyQueue<int> queue(1);
  queue.Push(1, 4);
  queue.Push(2, 2);
  const auto portion = queue.Take(1);
  EXPECT_EQ(portion.lost, 7U);
  EXPECT_THAT(portion.items, ElementsAre(2));
}

TEST(LossyQueue, TakesPortions) {
  LossyQueue<int> queue(10);
  for (int i = 0; i < 5; ++i) queue.Push(i);
  EXPECT_THAT(queue.Take(2).items, ElementsAre(0, 1));
  EXPECT_THAT(queue.Take(2).items, ElementsAre(2, 3));
  EXPECT_THAT(queue.Take(2).items, ElementsAre(4));
  EXPECT_THAT(queue.Take(2).items, IsEmpty());
}

}  // namespace
}  // namespace probed::control
