// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/export/key_table.h"

#include <gmock/gmock.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

namespace probed::exporter {
namespace {

TEST(KeyTable, GivesTheSameIdForTheSameText) {
  KeyTable keys;
  const std::uint32_t method = keys.Intern("http.request.method");
  EXPECT_EQ(method, 1U);
  EXPECT_EQ(keys.Intern("url.path"), 2U);
  EXPECT_EQ(keys.Intern("http.request.method"), method);
  EXPECT_EQ(keys.size(), 2U);
}

TEST(KeyTable, EncodesTheKeyFieldOfKeyValue) {
  KeyTable keys;
  const std::uint32_t id = keys.Intern("a.b");
  EXPECT_EQ(keys.Text(id), "a.b");
  EXPECT_EQ(keys.EncodedKey(id), std::string_view("\x0a\x03"
                                                  "a.b"));
  const std::string longer(200, 'k');
  const std::uint32_t long_id = keys.Intern(longer);
  EXPECT_EQ(keys.Text(long_id), longer);
  EXPECT_EQ(keys.EncodedKey(long_id), "\x0a\xc8\x01" + longer);
}

TEST(KeyTable, UnknownIdsAreEmpty) {
  KeyTable keys;
  keys.Intern("one");
  for (const std::uint32_t id : {0U, 2U, 4096U, 4097U, ~0U}) {
    EXPECT_THAT(keys.Text(id), testing::IsEmpty()) << id;
    EXPECT_THAT(keys.EncodedKey(id), testing::IsEmpty()) << id;
  }
}

TEST(KeyTable, RefusesWhatDoesNotFit) {
  KeyTable keys(2);
  EXPECT_EQ(keys.Intern(""), 0U);
  EXPECT_EQ(keys.Intern(std::string(KeyTable::kMaxKeyBytes + 1, 'x')), 0U);
  EXPECT_EQ(keys.Intern(std::string(KeyTable::kMaxKeyBytes, 'x')), 1U);
  EXPECT_EQ(keys.Intern("b"), 2U);
  EXPECT_EQ(keys.Intern("c"), 0U);
  EXPECT_EQ(keys.Intern("b"), 2U);
}

TEST(KeyTable, ReplacesWhatIsNotUtf8) {
  KeyTable keys;
  EXPECT_EQ(keys.Text(keys.Intern("k\xff")), "k\xEF\xBF\xBD");
}

TEST(KeyTable, IsReadWhileItGrowsAndNothingMoves) {
  KeyTable keys;
  const std::uint32_t first = keys.Intern("first");
  const char* place = keys.EncodedKey(first).data();
  std::atomic<bool> stop{false};
  std::atomic<std::uint64_t> wrong{0};
  std::thread reader([&] {
    while (!stop.load()) {
      const std::uint32_t last = keys.size();
      if (last > 1 && keys.Text(last) != "key." + std::to_string(last)) ++wrong;
    }
  });
  for (std::uint32_t id = 2; id <= KeyTable::kDefaultCapacity; ++id) keys.Intern("key." + std::to_string(id));
  stop = true;
  reader.join();
  EXPECT_EQ(wrong.load(), 0U);
  EXPECT_EQ(keys.size(), KeyTable::kDefaultCapacity);
  EXPECT_EQ(keys.EncodedKey(first).data(), place);
}

}  // namespace
}  // namespace probed::exporter
