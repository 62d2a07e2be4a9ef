// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// The kernel's walk, played on the host: whatever the segments, rows are counted, statements keep their texts, and what
// logs in or comes from files stays out.
#include "modules/sql/bpf/my_walk.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cstring>
#include <initializer_list>
#include <random>
#include <string>
#include <vector>

#include "modules/sql/tests/my_messages.h"

extern "C" const probe_module_entry_t probe_module_entry;

namespace probed::mod::sql {
namespace {

using namespace testing::my;  // NOLINT: the packets of this folder
using sdk::testing::Driver;
using sdk::testing::StreamDriver;

using Sizes = std::initializer_list<std::size_t>;

constexpr unsigned kMostPiece = 16384;
constexpr unsigned kCaptureBytes = 100;
constexpr unsigned kMostRuns = 33;  // of a program on one segment

unsigned long long Peek(const std::string& bytes, std::size_t at) {
  unsigned long long word = 0;
  std::memcpy(&word, bytes.data() + at, std::min<std::size_t>(8, bytes.size() - at));
  return word;
}

/// As my_plan.bpf.h does it, for a client. But for the database: that is the kernel's alone.
class Kernel {
 public:
  explicit Kernel(StreamDriver& stream) : stream_(stream) {}

  void Segment(std::uint8_t direction, const std::string& bytes) {
    for (piece_ = 0; Piece(direction, bytes); ++piece_) EXPECT_LT(piece_, kMostRuns);
    offset_[direction] += bytes.size();
  }
  std::string shipped;

 private:
  bool Piece(std::uint8_t direction, const std::string& bytes) {
    my_way& way = way_[direction];
    const auto begin = static_cast<unsigned>(offset_[direction]);
    my_walk walk{};
    walk.total = static_cast<unsigned>(bytes.size());
    walk.text = kCaptureBytes;
    walk.back = direction == PROBE_RECEIVED;
    walk.first = offset_[direction] <= MY_HEADER_BYTES;
    walk.awaits = awaits_;
    walk.piece = piece_;
    const unsigned from = my_way_resume(&way, begin, walk.total);
    my_walk_begin(&walk, &way, begin, from, Peek(bytes, 0));
    while (walk.done == 0 && walk.place < walk.total &&
           my_walk_step(&walk, &way, Peek(bytes, walk.place), walk.total - walk.place) == 0) {
    }
    const unsigned size = my_walk_end(&walk, &way, begin, kMostPiece);
    awaits_ = walk.back != 0 ? walk.awaits : static_cast<unsigned char>(awaits_ | walk.asked);
    if (size == 0) {
      stream_.Lose(direction, bytes.size() - from);
      return false;
    }
    stream_.Lose(direction, walk.ship - from);
    shipped += bytes.substr(walk.ship, size);
    stream_.Feed({direction, bytes.substr(walk.ship, size), 0, 0, my_walk_hint(&walk, &way)});
    return walk.ship + size < walk.total;
  }

  StreamDriver& stream_;
  my_way way_[2]{};
  std::uint64_t offset_[2]{};
  unsigned char awaits_ = 0;
  unsigned char piece_ = 0;
};

class MyWalk : public ::testing::TestWithParam<std::size_t> {
 protected:
  MyWalk() : random_(GetParam()), stream_(driver_.NewStream()), kernel_(stream_) {
    stream_.Open();
    kernel_.Segment(PROBE_RECEIVED, Greeting());
    kernel_.Segment(PROBE_SENT, Login());
    kernel_.Segment(PROBE_RECEIVED, Done(2));
  }

  /// In segments of any size.
  void Pieces(std::uint8_t direction, const std::string& bytes) {
    for (std::size_t at = 0; at < bytes.size();) {
      const std::size_t most = random_() % 3 == 0 ? 9 : random_() % 2 == 0 ? 8192 : 70000;
      const std::size_t length = std::min<std::size_t>(1 + random_() % most, bytes.size() - at);
      kernel_.Segment(direction, bytes.substr(at, length));
      at += length;
    }
  }

  std::vector<std::string> Found() const {
    std::vector<std::string> found;
    for (const auto& span : driver_.host.spans) {
      const bool has_rows = span.Has("db.response.returned_rows");
      found.push_back(span.name + (has_rows ? " " + span.Get("db.response.returned_rows") : "") +
                      (span.error_type.empty() ? "" : " !" + span.error_type));
    }
    return found;
  }

  std::mt19937_64 random_;
  Driver driver_{probe_module_entry, R"({"returned_rows":true,"capture_bytes":100})"};
  StreamDriver stream_;
  Kernel kernel_;
};

TEST_P(MyWalk, RowsAreCounted) {
  std::vector<std::string> expected;
  for (const std::size_t size : Sizes{0, 1, 30, 200, 240}) {
    for (const std::size_t count : Sizes{0, 1, 2, 15, 260, 3000}) {
      kernel_.Segment(PROBE_SENT, Query("SELECT * FROM t" + std::to_string(expected.size())));
      Pieces(PROBE_RECEIVED, Rows(count, 1, 2, std::string(size, 'D')));
      expected.push_back("SELECT t" + std::to_string(expected.size()) + " " + std::to_string(count));
    }
  }
  EXPECT_THAT(Found(), ::testing::ElementsAreArray(expected));
  EXPECT_EQ(driver_.host.Aborts(PROBE_ABORTED_GAP), 0U);
  EXPECT_LT(kernel_.shipped.size(), 300'000U);  // of 1.6 million
  stream_.Close(PROBE_CLOSE_LOCAL);
}

TEST_P(MyWalk, MoreRowsInASegmentThanCanBeCounted) {
  for (const std::size_t count : Sizes{1000, 20000, 5}) {
    kernel_.Segment(PROBE_SENT, Query("SELECT a FROM t"));
    kernel_.Segment(PROBE_RECEIVED, Rows(count, 1, 2, "1"));
  }
  EXPECT_THAT(Found(), ::testing::ElementsAre("SELECT t 1000", "SELECT t", "SELECT t 5"));
  EXPECT_EQ(driver_.host.Aborts(PROBE_ABORTED_GAP), 0U);
  stream_.Close(PROBE_CLOSE_LOCAL);
}

TEST_P(MyWalk, LongCommandsAndFiles) {
  std::vector<std::string> expected;
  for (const std::size_t size : Sizes{10, 95, 105, 3000, 90000}) {
    Pieces(PROBE_SENT, Query("SELECT a FROM t WHERE b = '" + std::string(size, 'x') + "'"));
    Pieces(PROBE_RECEIVED, Done());
    expected.emplace_back("SELECT t");
  }
  kernel_.Segment(PROBE_SENT, Query("LOAD DATA LOCAL INFILE 'x' INTO TABLE song"));
  kernel_.Segment(PROBE_RECEIVED, Packet(1, "\xfbx"));
  for (unsigned i = 2; i < 200; ++i) Pieces(PROBE_SENT, Packet(i, "secret data of a file"));
  kernel_.Segment(PROBE_SENT, Packet(200, ""));
  kernel_.Segment(PROBE_RECEIVED, Failure(1205, "HY000", 201));
  expected.emplace_back("LOAD !1205");
  Pieces(PROBE_SENT, Prepare("SELECT a FROM t"));
  Pieces(PROBE_RECEIVED, Prepared(1));
  Pieces(PROBE_SENT, Execute(1));
  Pieces(PROBE_RECEIVED, Rows(3));
  expected.emplace_back("SELECT t 3");
  EXPECT_THAT(Found(), ::testing::ElementsAreArray(expected));
  EXPECT_EQ(driver_.host.Aborts(PROBE_ABORTED_GAP), 0U);
  EXPECT_THAT(kernel_.shipped, ::testing::Not(::testing::HasSubstr("secret data")));
  stream_.Close(PROBE_CLOSE_LOCAL);
}

TEST_P(MyWalk, ProofsAndParametersStayInTheKernel) {
  kernel_.Segment(PROBE_SENT, Execute(1));
  EXPECT_THAT(kernel_.shipped, ::testing::Not(::testing::HasSubstr("proof")));
  EXPECT_THAT(kernel_.shipped, ::testing::Not(::testing::HasSubstr("tester")));
  EXPECT_THAT(kernel_.shipped, ::testing::Not(::testing::HasSubstr("secret parameter")));
  stream_.Close(PROBE_CLOSE_LOCAL);
}

/// The sets in it are counted.
TEST_P(MyWalk, OfABulkExecutionAsMuchIsShippedAsOfAText) {
  kernel_.Segment(PROBE_SENT, Prepare("INSERT INTO t VALUES (?)"));
  kernel_.Segment(PROBE_RECEIVED, Packet(1, L(0, 1) + L(1, 4) + L(0, 2) + L(1, 2) + L(0, 3)) + Column(2) + End(3));
  for (const std::size_t count : Sizes{2, 10, 20, 21, 400}) {
    std::string sets;
    for (std::size_t i = 0; i < count; ++i) sets += L(0, 1) + L(7, 4);
    const std::size_t before = kernel_.shipped.size();
    const std::string packet = Command(MY_STMT_BULK_EXECUTE, L(1, 4) + L(0x80, 2) + L(3, 2) + sets);
    Pieces(PROBE_SENT, packet);
    EXPECT_EQ(kernel_.shipped.size() - before, std::min<std::size_t>(packet.size(), MY_COMMAND_BYTES + kCaptureBytes));
    Pieces(PROBE_RECEIVED, Done());
    const auto& span = driver_.host.spans.back();
    EXPECT_EQ(span.name, "BATCH INSERT t");
    EXPECT_EQ(span.Get("db.operation.batch.size"), count < 21 ? std::to_string(count) : "");
  }
  stream_.Close(PROBE_CLOSE_LOCAL);
}

/// Of a connection whose client wants TLS: what is shipped of the client, and where TLS was seen to begin.
struct TlsWalk {
  std::string shipped;
  std::size_t begins = 0;
};

TlsWalk WalkTls(const std::string& bytes, std::size_t split) {
  TlsWalk out;
  my_way way{};
  std::size_t offset = 0;
  for (const std::string& segment : {bytes.substr(0, split), bytes.substr(split)}) {
    if (segment.empty()) continue;
    my_walk walk{};
    walk.total = static_cast<unsigned>(segment.size());
    walk.text = kCaptureBytes;
    walk.first = offset <= MY_HEADER_BYTES;
    my_walk_begin(&walk, &way, static_cast<unsigned>(offset), 0, Peek(segment, 0));
    while (walk.done == 0 && walk.place < walk.total &&
           my_walk_step(&walk, &way, Peek(segment, walk.place), walk.total - walk.place) == 0) {
    }
    const unsigned size = my_walk_end(&walk, &way, static_cast<unsigned>(offset), kMostPiece);
    const unsigned char hint = my_walk_hint(&walk, &way);
    out.shipped += segment.substr(walk.ship, size);
    EXPECT_EQ(hint == MY_LET_GO, walk.tls != 0);
    if (walk.tls != 0) {
      out.begins = offset + walk.ship + size;
      return out;
    }
    offset += segment.size();
  }
  return out;
}

TEST(MyTls, BeginsBehindTheRequest) {
  const std::string request = TlsRequest();
  const std::string hello("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11);
  for (const std::size_t split : {std::size_t{0}, std::size_t{1}, std::size_t{3}, std::size_t{4}, request.size(),
                                  request.size() + 1, request.size() + hello.size()}) {
    const TlsWalk walk = WalkTls(request + hello, split);
    EXPECT_EQ(walk.begins, request.size()) << split;
    EXPECT_EQ(walk.shipped.substr(0, request.size()), request) << split;
  }
}

TEST(MyTls, OfALoginWithoutItsHeadTheBeginningIsShipped) {
  const std::string body = Login(MY_TLS, "shop", 2).substr(MY_HEADER_BYTES);
  ASSERT_TRUE(
      my_is_login_body(reinterpret_cast<const unsigned char*>(body.data()), static_cast<unsigned>(body.size())));
  my_way way{};
  my_way_head_is_gone(&way, MY_HEADER_BYTES, static_cast<unsigned>(body.size()));
  my_walk walk{};
  walk.total = static_cast<unsigned>(body.size());
  walk.first = 1;
  my_walk_begin(&walk, &way, MY_HEADER_BYTES, 0, Peek(body, 0));
  while (walk.done == 0 && walk.place < walk.total &&
         my_walk_step(&walk, &way, Peek(body, walk.place), walk.total - walk.place) == 0) {
  }
  EXPECT_EQ(my_walk_end(&walk, &way, MY_HEADER_BYTES, kMostPiece), unsigned{MY_LEAST_LOGIN});
  EXPECT_EQ(walk.login, 1);
  EXPECT_EQ(walk.tls, 0);
}

TEST(MyTls, DoesNotBeginBehindALogin) {
  EXPECT_EQ(WalkTls(Login(), 0).begins, 0U);
  EXPECT_EQ(WalkTls(Login(MY_TLS), 4).begins, 0U);  // inside TLS
}

INSTANTIATE_TEST_SUITE_P(Segments, MyWalk, ::testing::Range(std::size_t{1}, std::size_t{9}));

}  // namespace
}  // namespace probed::mod::sql
