// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// The kernel's walk, played on the host: whatever the segments, all that is left out are rows of long runs, and the
// record behind them says so.
#include "modules/sql/bpf/pg_walk.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "modules/sql/tests/conversations.h"

extern "C" const probe_module_entry_t probe_module_entry;

namespace probed::mod::sql {
namespace {

using namespace testing;  // NOLINT: the messages of this folder
using sdk::testing::Driver;
using sdk::testing::StreamDriver;

constexpr std::size_t kMostPiece = 16384;

unsigned long long Peek(const std::string& bytes, std::size_t at) {
  unsigned long long word = 0;
  std::memcpy(&word, bytes.data() + at, std::min<std::size_t>(8, bytes.size() - at));
  return word;
}

/// As the program in sql.bpf.c does it. Returns how many bytes were left out.
class Kernel {
 public:
  explicit Kernel(StreamDriver& stream) : stream_(stream) {}

  void Segment(std::uint8_t direction, const std::string& bytes) {
    pg_way& way = way_[direction];
    const auto begin = static_cast<unsigned>(offset_[direction]);
    const auto total = static_cast<unsigned>(bytes.size());
    while (Piece(direction, way, bytes, begin, total)) {
    }
    offset_[direction] += total;
  }
  std::size_t left_out = 0;

 private:
  bool Piece(std::uint8_t direction, pg_way& way, const std::string& bytes, unsigned begin, unsigned total) {
    pg_walk walk{};
    const unsigned from = pg_way_resume(&way, begin, total);
    pg_walk_begin(&walk, &way, begin, from, total);
    while (walk.done == 0 && walk.place < total &&
           pg_walk_step(&walk, Peek(bytes, walk.place), total - walk.place) == 0) {
    }
    auto size = pg_walk_end(&walk, &way, begin, total);
    const unsigned skip = walk.ship;
    stream_.Lose(direction, skip - from);
    left_out += skip - from;
    if (size == 0 || skip >= total) return false;
    if (size > kMostPiece) {
      size = kMostPiece;
      way.rows = 0;
    }
    const auto hint = static_cast<std::uint8_t>(way.passed != 0 && way.broken == 0 ? PG_HINT_PASSED : 0);
    stream_.Feed({direction, bytes.substr(skip, size), 0, 0, hint});
    way.resume = begin + skip + size;
    way.passed = way.broken = 0;
    return skip + size < total;
  }

  StreamDriver& stream_;
  pg_way way_[2]{};
  std::uint64_t offset_[2]{};
};

/// Whether TLS begins behind the last of these segments of a connection, and behind none before.
bool TlsBeginsAtLast(const std::vector<std::pair<unsigned, std::string>>& segments) {
  unsigned char asked = 0;
  std::uint64_t offset[2]{};
  for (std::size_t i = 0; i < segments.size(); ++i) {
    const auto& [direction, bytes] = segments[i];
    const bool begins =
        pg_tls_begins(&asked, direction, offset[direction], Peek(bytes, 0), static_cast<unsigned>(bytes.size())) != 0;
    if (begins) return i + 1 == segments.size();
    offset[direction] += bytes.size();
  }
  return false;
}

TEST(PgTls, BeginsWhereTheServerGrantsIt) {
  const std::string gss = U32(8) + U32(PG_CODE_GSS);
  for (const unsigned client : {PROBE_SENT, PROBE_RECEIVED}) {
    const unsigned server = !client;
    EXPECT_TRUE(TlsBeginsAtLast({{client, SslRequest()}, {server, "S"}}));
    EXPECT_TRUE(TlsBeginsAtLast({{client, gss}, {server, "N"}, {client, SslRequest()}, {server, "S"}}));
    EXPECT_FALSE(TlsBeginsAtLast({{client, SslRequest()}, {server, "N"}}));
    EXPECT_FALSE(TlsBeginsAtLast({{client, SslRequest()}, {server, "E"}}));
    EXPECT_FALSE(TlsBeginsAtLast({{client, SslRequest()}, {server, "N"}, {client, Startup()}, {server, "S"}}));
    EXPECT_FALSE(TlsBeginsAtLast({{client, SslRequest()}, {server, "S" + Ready()}}));
    EXPECT_FALSE(TlsBeginsAtLast({{client, SslRequest()}, {client, "S"}}));
    EXPECT_FALSE(TlsBeginsAtLast({{client, gss}, {server, "S"}}));
    EXPECT_FALSE(TlsBeginsAtLast({{server, "S"}}));
  }
}

std::string Rows(std::size_t count, std::size_t size) {
  std::string out;
  for (std::size_t i = 0; i < count; ++i) out += Row(std::string(size, 'D'));
  return out;
}

class PgWalk : public ::testing::TestWithParam<std::size_t> {};

TEST_P(PgWalk, NothingButRowsIsLeftOut) {
  std::mt19937_64 random(GetParam());  // NOLINT: the same segments each time
  Driver driver(probe_module_entry, R"({"returned_rows":true})");
  StreamDriver stream = driver.NewStream();
  stream.Open();
  Kernel kernel(stream);
  kernel.Segment(PROBE_SENT, Startup());
  kernel.Segment(PROBE_RECEIVED, Welcome());
  const std::size_t sizes[] = {0, 1, 30, 200, 300, 3000, 5000, 40000};
  std::vector<std::string> expected;
  for (const std::size_t size : sizes) {
    for (const std::size_t count : std::initializer_list<std::size_t>{0, 1, 2, 15, 200}) {
      kernel.Segment(PROBE_SENT, Query("SELECT * FROM t" + std::to_string(expected.size())));
      const std::string answer = Columns() + Rows(count, size) + Complete("SELECT " + std::to_string(count)) + Ready();
      for (std::size_t at = 0; at < answer.size();) {
        const std::size_t most = random() % 3 == 0 ? 9 : random() % 2 == 0 ? 8192 : 70000;
        const std::size_t length = std::min<std::size_t>(1 + random() % most, answer.size() - at);
        kernel.Segment(PROBE_RECEIVED, answer.substr(at, length));
        at += length;
      }
      expected.push_back("SELECT t" + std::to_string(expected.size()) + " " + std::to_string(count));
    }
  }
  std::vector<std::string> found;
  found.reserve(expected.size());
  for (const auto& span : driver.host.spans) found.push_back(span.name + " " + span.Get("db.response.returned_rows"));
  EXPECT_THAT(found, ::testing::ElementsAreArray(expected));
  EXPECT_EQ(driver.host.Aborts(PROBE_ABORTED_GAP), 0U);
  EXPECT_GT(kernel.left_out, 5'000'000U);  // of 10 million
  stream.Close(PROBE_CLOSE_LOCAL);
}

INSTANTIATE_TEST_SUITE_P(Segments, PgWalk, ::testing::Range(std::size_t{1}, std::size_t{9}));

}  // namespace
}  // namespace probed::mod::sql
