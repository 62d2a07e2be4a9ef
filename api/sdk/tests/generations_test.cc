// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "api/sdk/generations.h"

#include <gmock/gmock.h>

#include <memory>

namespace probed::sdk {
namespace {

struct Config {
  Config(int number, int* destroyed) : id(number), counter(destroyed) {}
  ~Config() { ++*counter; }
  int id;
  int* counter;
};

class GenerationsTest : public ::testing::Test {
 protected:
  void Commit(int id, std::uint32_t generation) {
    auto config = std::make_unique<Config>(id, &destroyed);
    generations.Commit(new Generations<Config>::Node(std::move(config)), generation);
  }
  int destroyed = 0;
  Generations<Config> generations;
};

TEST_F(GenerationsTest, FindsTheConfigurationInForce) {
  EXPECT_EQ(generations.Find(1), nullptr);
  Commit(10, 1);
  Commit(20, 5);
  EXPECT_EQ(generations.Find(1)->id, 10);
  EXPECT_EQ(generations.Find(4)->id, 10);
  EXPECT_EQ(generations.Find(5)->id, 20);
  EXPECT_EQ(generations.Find(9)->id, 20);
  EXPECT_EQ(generations.Newest()->id, 20);
}

TEST_F(GenerationsTest, RetireKeepsWhatIsStillInForce) {
  Commit(10, 1);
  Commit(20, 3);
  Commit(30, 6);
  generations.Retire(5);
  EXPECT_EQ(destroyed, 1);
  EXPECT_EQ(generations.Find(5)->id, 20);
  generations.Retire(100);
  EXPECT_EQ(destroyed, 2);
  EXPECT_EQ(generations.Find(6)->id, 30);
}

TEST(Pins, KnowTheOldestGeneration) {
  Pins pins;
  EXPECT_EQ(pins.Oldest(), Pins::kNone);
  pins.Pin(7);
  pins.Pin(5);
  pins.Pin(7);
  EXPECT_EQ(pins.Oldest(), 5U);
  pins.Unpin(5);
  EXPECT_EQ(pins.Oldest(), 7U);
  pins.Unpin(7);
  pins.Unpin(7);
  EXPECT_EQ(pins.Oldest(), Pins::kNone);
}

TEST(Pins, WithTooManyGenerationsErrTowardsTheOlder) {
  Pins pins;
  for (std::uint32_t generation = 1; generation <= 12; ++generation) pins.Pin(generation);
  for (std::uint32_t generation = 1; generation <= 7; ++generation) pins.Unpin(generation);
  EXPECT_EQ(pins.Oldest(), 8U);
  for (std::uint32_t generation = 8; generation <= 12; ++generation) pins.Unpin(generation);
  EXPECT_EQ(pins.Oldest(), Pins::kNone);
}

}  // namespace
}  // namespace probed::sdk
