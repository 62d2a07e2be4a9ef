// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/export/tail_ring.h"

#include <gmock/gmock.h>

#include <thread>

#include "server/export/tests/fake_transport.h"

namespace probed::exporter {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;

std::vector<std::uint32_t> ItemsOf(const TailReader::Read& read) {
  std::vector<std::uint32_t> items;
  items.reserve(read.batches.size());
  for (const BatchPtr& batch : read.batches) items.push_back(batch->items);
  return items;
}

TEST(TailRing, ReadersSeeWhatComesAfterThem) {
  TailRing ring(4);
  ring.Push(FakeBatch(1));
  const auto reader = ring.Open();
  EXPECT_THAT(ItemsOf(reader->Next(milliseconds(0))), ElementsAre());
  ring.Push(FakeBatch(2));
  ring.Push(FakeBatch(3));
  EXPECT_THAT(ItemsOf(reader->Next(seconds(1))), ElementsAre(2, 3));
  EXPECT_THAT(ItemsOf(reader->Next(milliseconds(0))), ElementsAre());
}

TEST(TailRing, HoldsNothingWhileNobodyReads) {
  TailRing ring(4);
  const BatchPtr before = FakeBatch(1);
  ring.Push(before);
  EXPECT_EQ(before.use_count(), 1);
  auto first = ring.Open();
  auto second = ring.Open();
  const BatchPtr between = FakeBatch(2);
  ring.Push(between);
  EXPECT_EQ(between.use_count(), 2);
  first.reset();
  EXPECT_EQ(between.use_count(), 2);
  second.reset();
  EXPECT_EQ(between.use_count(), 1);
}

TEST(TailRing, AReaderAfterABreakSeesWhatComesAfterIt) {
  TailRing ring(4);
  ring.Open().reset();
  ring.Push(FakeBatch(1));
  const auto reader = ring.Open();
  ring.Push(FakeBatch(2));
  const TailReader::Read read = reader->Next(milliseconds(0));
  EXPECT_THAT(ItemsOf(read), ElementsAre(2));
  EXPECT_EQ(read.lost_items, 0U);
}

TEST(TailRing, ASlowReaderIsToldWhatItLost) {
  TailRing ring(2);
  const auto slow = ring.Open();
  const auto fast = ring.Open();
  for (std::uint32_t items = 1; items <= 5; ++items) {
    ring.Push(FakeBatch(items));
    const TailReader::Read read = fast->Next(milliseconds(0));
    EXPECT_THAT(ItemsOf(read), ElementsAre(items));
    EXPECT_EQ(read.lost_items, 0U);
  }
  TailReader::Read read = slow->Next(milliseconds(0));
  EXPECT_EQ(read.lost_items, 1U + 2U + 3U);
  EXPECT_THAT(ItemsOf(read), ElementsAre(4, 5));
  ring.Push(FakeBatch(6));
  read = slow->Next(milliseconds(0));
  EXPECT_EQ(read.lost_items, 0U);
  EXPECT_THAT(ItemsOf(read), ElementsAre(6));
}

TEST(TailRing, PushWakesAWaitingReader) {
  TailRing ring(2);
  const auto reader = ring.Open();
  std::thread writer([&] { ring.Push(FakeBatch(7)); });
  EXPECT_THAT(ItemsOf(reader->Next(seconds(30))), ElementsAre(7));
  writer.join();
}

TEST(TailRing, TheEndOfTheRingAndWakeReturn) {
  auto ring = std::make_unique<TailRing>(2);
  const auto reader = ring->Open();
  std::atomic<bool> returned{false};
  std::thread waker([&] {
    while (!returned) reader->Wake();
  });
  EXPECT_FALSE(reader->Next(seconds(30)).ended);
  returned = true;
  waker.join();
  ring.reset();
  EXPECT_TRUE(reader->Next(seconds(30)).ended);
}

TEST(TailRing, NothingIsLostUncountedUnderLoad) {
  TailRing ring(8);
  const auto reader = ring.Open();
  constexpr std::uint32_t kBatches = 20000;
  std::thread writer([&] {
    for (std::uint32_t i = 0; i < kBatches; ++i) ring.Push(FakeBatch(1));
  });
  std::uint64_t seen = 0;
  while (seen < kBatches) {
    const TailReader::Read read = reader->Next(seconds(30));
    seen += read.lost_items + read.batches.size();
  }
  writer.join();
  EXPECT_EQ(seen, kBatches);
}

}  // namespace
}  // namespace probed::exporter
