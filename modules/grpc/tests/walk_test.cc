// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// The kernel's walk, run on ordinary memory: whatever segments and iovecs cut the bytes of a connection into, the
// records it packs give the decoder all calls, and no DATA.
#include <gmock/gmock.h>

#include <algorithm>
#include <cstring>
#include <random>

#include "api/sdk/testing/drive.h"
#include "api/sdk/testing/host_kernel.h"
#include "modules/grpc/tests/frames.h"
#include "modules/grpc/tests/vectors.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-parameter"
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
#include "modules/grpc/bpf/h2_walk.h"
#pragma GCC diagnostic pop

extern "C" const probe_module_entry_t probe_module_entry;

namespace probed::mod::grpc {
namespace {

using namespace testing;  // NOLINT: the frames of this folder
using sdk::testing::Driver;
using sdk::testing::Step;
using sdk::testing::StreamDriver;

/// Which way short segments go, as the kernel program does it or only for the test.
enum class Short : std::uint8_t { kRead, kWalked, kInTurn };

struct Options {
  bool all = false;
  bool tails = false;
  Short way = Short::kRead;
};

/// One direction of a connection, handed over in segments of iovecs.
class Capture {
 public:
  Capture(StreamDriver& stream, std::uint8_t direction, Options options)
      : stream_(stream), direction_(direction), options_(options) {}

  std::uint64_t shipped = 0;
  std::uint32_t read = 0;    // runs the short way
  std::uint32_t walked = 0;  // and the other

  void Segment(const std::string& bytes, const std::vector<std::size_t>& pieces) {
    ++segments_;
    std::size_t at = 0;
    while (at < bytes.size()) {
      if (way_.left != 0 && way_.keep == 0) {
        const std::size_t count = std::min<std::size_t>(way_.left, bytes.size() - at);
        way_.left -= static_cast<__u32>(count);
        way_.at += static_cast<__u32>(count);
        at += count;
        const bool ends = way_.left == 0 && way_.ends != 0;
        if (at == bytes.size() && ends) {
          stream_.Feed({direction_, "", static_cast<std::uint32_t>(count), PROBE_SEGMENT_SKIPPED, 0});
        } else {
          stream_.Lose(direction_, count);  // no record: the decoder sees it by the offset of the next
        }
        continue;
      }
      at += IsShort(bytes.size() - at) ? Read(bytes, at) : Walk(bytes, at, pieces);
    }
  }

 private:
  bool IsShort(std::size_t rest) const {
    if (rest > H2_READ_MOST || way_.have != 0) return false;
    return options_.way == Short::kRead || (options_.way == Short::kInTurn && segments_ % 2 == 0);
  }

  h2_walk Begin(std::size_t rest) const {
    h2_walk walk{};
    walk.rest = static_cast<__u32>(rest);
    walk.all = options_.all ? 1 : 0;
    walk.tails = options_.tails ? 1 : 0;
    return walk;
  }

  std::uint8_t Hint(bool packed) const {
    std::uint8_t hint = way_.left == 0 && way_.have == 0 ? H2_HINT_ALIGNED : 0;
    if (packed && !options_.all) hint |= H2_HINT_PACKED | (options_.tails ? H2_HINT_TAILS : 0);
    return hint;
  }

  /// The short way: behind the bytes is what other records left there.
  std::size_t Read(const std::string& bytes, std::size_t at) {
    const std::size_t rest = bytes.size() - at;
    h2_walk walk = Begin(rest);
    const std::uint8_t hint = Hint(false);
    if (rest <= H2_READ_SMALL) {
      h2_room_128 room;
      std::memset(&room, 0xa5, sizeof(room));
      std::memcpy(room.data, bytes.data() + at, rest);
      h2_read_240(&room, &walk, &way_);
    } else {
      h2_room_512 room;
      std::memset(&room, 0, sizeof(room));
      std::memcpy(room.data, bytes.data() + at, rest);
      h2_read_512(&room, &walk, &way_);
    }
    ++read;
    EXPECT_EQ(walk.lost, 0);
    EXPECT_GT(walk.out, 0U);
    EXPECT_EQ(walk.out + walk.rest, rest);
    if (walk.lost != 0 || walk.out == 0 || walk.out > rest) return rest;
    shipped += walk.out;
    stream_.Feed({direction_, bytes.substr(at, walk.out), 0, 0, hint});
    return walk.out;
  }

  std::size_t Walk(const std::string& bytes, std::size_t at, const std::vector<std::size_t>& pieces) {
    const std::vector<user_iovec> vector = Vector(bytes, at, pieces);
    h2_walk walk = Begin(bytes.size() - at);
    walk.vector = reinterpret_cast<__u64>(vector.data());
    walk.vectors = static_cast<__u32>(vector.size());
    const std::uint8_t hint = Hint(true);
    ++walked;
    h2_room_512 room{};
    h2_walk_512(&room, &walk, &way_);
    EXPECT_EQ(walk.lost, 0);
    EXPECT_LE(walk.out, 512U);
    const std::size_t passed = bytes.size() - at - walk.rest;
    EXPECT_GT(passed, 0U);
    if (passed == 0) return bytes.size();
    const std::string record(reinterpret_cast<const char*>(room.data), walk.out);
    shipped += record.size();
    stream_.Feed({direction_, record, static_cast<std::uint32_t>(passed - record.size()), 0, hint});
    return passed;
  }

  static std::vector<user_iovec> Vector(const std::string& bytes, std::size_t at,
                                        const std::vector<std::size_t>& pieces) {
    std::vector<user_iovec> out;
    for (std::size_t i = 0; at < bytes.size(); ++i) {
      const std::size_t size = std::min(pieces[i % pieces.size()], bytes.size() - at);
      out.push_back({reinterpret_cast<__u64>(bytes.data() + at), size});
      at += size;
    }
    return out;
  }

  StreamDriver& stream_;
  std::uint8_t direction_;
  Options options_;
  std::uint32_t segments_ = 0;
  h2_direction way_{};
};

struct Conversation {
  std::string client;
  std::string server;
  std::vector<std::string> spans;
};

Conversation Talk(int calls, std::mt19937& random) {
  Peers p;
  Conversation out{p.Hello(), Settings(), {}};
  for (int i = 0; i < calls; ++i) {
    const auto id = static_cast<std::uint32_t>(2 * i + 1);
    const std::string method = "shop.Cart/M" + std::to_string(random() % 7);
    const std::string body(random() % 3 == 0 ? random() % 40000 : random() % 200, 'b');
    Headers request = GrpcRequest(method, {{"x-id", std::to_string(i)}});
    out.client +=
        random() % 2 == 0 ? p.client.Frames(id, request) : p.client.Pieces(id, request, false, 1 + random() % 50);
    for (std::string message = Message(body); !message.empty();) {
      const std::string part = message.substr(0, 16384);
      message.erase(0, part.size());
      out.client += Data(id, part, message.empty());
      if (random() % 2 == 0) out.client += Frame(H2_PING, 0, 0, "12345678");
    }
    const std::string status = std::to_string(random() % 2 == 0 ? 0 : 5);
    out.server += p.Answer(id, status, body);
    out.spans.push_back("server " + method + (status == "0" ? " OK -" : " NOT_FOUND -"));
  }
  std::sort(out.spans.begin(), out.spans.end());
  return out;
}

void Cut(Capture& capture, const std::string& bytes, std::mt19937& random, std::size_t most) {
  std::size_t at = 0;
  while (at < bytes.size()) {
    const std::size_t size = std::min<std::size_t>(1 + random() % most, bytes.size() - at);
    std::vector<std::size_t> pieces(1 + random() % 5);
    for (std::size_t& piece : pieces) piece = 1 + random() % most;
    capture.Segment(bytes.substr(at, size), pieces);
    at += size;
  }
}

void Check(std::size_t most, Options options, unsigned seed) {
  std::mt19937 random(seed);
  const Conversation talk = Talk(40, random);
  Driver driver(probe_module_entry);
  StreamDriver stream = driver.NewStream();
  stream.Open();
  Capture client(stream, PROBE_RECEIVED, options);
  Capture server(stream, PROBE_SENT, options);
  Cut(client, talk.client, random, most);
  Cut(server, talk.server, random, most);
  EXPECT_EQ(Shown(driver.host.spans), talk.spans) << most << " " << seed;
  EXPECT_EQ(driver.host.Counted(PROBE_UNDECODABLE_MALFORMED), 0U);
  EXPECT_EQ(driver.host.Counted(PROBE_UNDECODABLE_GAP), 0U);
  EXPECT_TRUE(options.way != Short::kWalked || options.all || client.shipped < 12000) << client.shipped;
  stream.Close(PROBE_CLOSE_PEER);
  EXPECT_EQ(driver.host.LedgerProblem(), "");
  EXPECT_EQ(driver.host.in_flight(), 0U);
  EXPECT_EQ(driver.host.bytes(), 0U);
}

TEST(GrpcWalk, GivesTheDecoderAllCallsHoweverTheBytesAreCut) {
  for (const Short way : {Short::kRead, Short::kWalked, Short::kInTurn}) {
    for (unsigned seed = 0; seed < 20; ++seed) {
      for (const std::size_t most :
           {std::size_t{1}, std::size_t{10}, std::size_t{300}, std::size_t{5000}, std::size_t{70000}}) {
        Check(most, {.way = way}, seed);
      }
    }
  }
}

TEST(GrpcWalk, ShipsDataWhenAsked) {
  for (unsigned seed = 0; seed < 5; ++seed) Check(5000, {.all = true}, seed);
  for (unsigned seed = 0; seed < 5; ++seed) Check(300, {.all = true, .way = Short::kInTurn}, seed);
}

void CheckVector(const Vector& vector, const std::vector<Step>& steps, Short way) {
  Driver driver(probe_module_entry);
  StreamDriver stream = driver.NewStream();
  stream.Open();
  const bool client = vector.spans.empty() || vector.spans.front().starts_with("client");
  Capture received(stream, PROBE_RECEIVED, {.tails = client, .way = way});
  Capture sent(stream, PROBE_SENT, {.tails = !client, .way = way});
  for (const Step& step : steps) {
    if (step.bytes.empty()) {
      stream.Feed(step);
      continue;
    }
    (step.direction == PROBE_RECEIVED ? received : sent).Segment(step.bytes, {step.bytes.size()});
  }
  EXPECT_EQ(Shown(driver.host.spans), vector.spans) << vector.name << " " << static_cast<int>(way);
  EXPECT_EQ(driver.host.Counted(PROBE_UNDECODABLE_MALFORMED), 0U) << vector.name;
  EXPECT_EQ(driver.host.Counted(PROBE_UNDECODABLE_GAP), 0U) << vector.name;
  stream.Close(PROBE_CLOSE_PEER);
  EXPECT_EQ(driver.host.LedgerProblem(), "") << vector.name;
}

TEST(GrpcWalk, VectorsWhole) {
  for (const Short way : {Short::kRead, Short::kWalked, Short::kInTurn}) {
    for (const Vector& vector : Vectors()) CheckVector(vector, vector.steps, way);
  }
}

TEST(GrpcWalk, VectorsSplitAtEveryByte) {
  for (const Short way : {Short::kRead, Short::kWalked, Short::kInTurn}) {
    for (const Vector& vector : Vectors()) CheckVector(vector, sdk::testing::SplitAtEveryByte(vector.steps), way);
  }
}

/// Every segment in two, at every place.
TEST(GrpcWalk, VectorsInTwo) {
  for (const Vector& vector : Vectors()) {
    for (std::size_t cut = 1; cut < 600; ++cut) {
      std::vector<Step> steps;
      for (const Step& step : vector.steps) {
        const std::size_t first = std::min(cut, step.bytes.size());
        steps.push_back({step.direction, step.bytes.substr(0, first)});
        if (first < step.bytes.size()) steps.push_back({step.direction, step.bytes.substr(first)});
      }
      CheckVector(vector, steps, cut % 2 == 0 ? Short::kRead : Short::kInTurn);
    }
  }
}

/// What is left of the record after the frames of one run is for the next.
TEST(GrpcWalk, ManyFramesTakeSeveralRuns) {
  std::string bytes;
  for (int i = 0; i < 30; ++i) bytes += Frame(H2_PING, 0, 0, "12345678");
  h2_direction way{};
  std::size_t at = 0;
  int runs = 0;
  while (at < bytes.size() && runs < 10) {
    h2_room_512 room{};
    std::memcpy(room.data, bytes.data() + at, std::min<std::size_t>(bytes.size() - at, 512));
    h2_walk walk{};
    walk.rest = static_cast<__u32>(std::min<std::size_t>(bytes.size() - at, 512));
    h2_read_512(&room, &walk, &way);
    EXPECT_EQ(walk.out % 17, 0U);
    at += walk.out;
    ++runs;
  }
  EXPECT_EQ(runs, 3);
  EXPECT_EQ(at, bytes.size());
  EXPECT_EQ(way.at, bytes.size());
  EXPECT_EQ(way.left, 0U);
}

/// Bytes that are no frames end the walk, and are not walked over.
TEST(GrpcWalk, NoFrames) {
  h2_room_128 room{};
  std::memcpy(room.data, "GET / HTTP/1.1\r\n", 16);
  h2_walk walk{};
  walk.rest = 16;
  h2_direction way{};
  h2_read_240(&room, &walk, &way);
  EXPECT_EQ(walk.lost, 1);
  EXPECT_EQ(walk.out, 9U);
}

}  // namespace
}  // namespace probed::mod::grpc
