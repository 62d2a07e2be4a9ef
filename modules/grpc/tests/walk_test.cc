// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// The kernel's walk, run on ordinary memory: whatever segments and iovecs cut the bytes of a connection into, the
// records it packs give the decoder all calls, and no DATA.
#include <gmock/gmock.h>
#include <linux/types.h>

#include <algorithm>
#include <cstring>
#include <random>

#include "api/sdk/testing/drive.h"
#include "modules/grpc/tests/frames.h"
#include "modules/grpc/tests/vectors.h"

// What the walk asks of the kernel.
#undef __always_inline
#define __always_inline inline __attribute__((always_inline))
#define __noinline [[maybe_unused]]
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-parameter"
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
namespace {
struct user_iovec {
  __u64 base;
  __u64 length;
};
inline long bpf_probe_read_user(void* to, __u32 size, const void* from) {
  std::memcpy(to, from, size);
  return 0;
}
template <class Context>
long bpf_loop(__u32 count, long (*step)(__u32, Context*), Context* context, __u64) {
  for (__u32 i = 0; i < count; ++i) {
    if (step(i, context) != 0) return i + 1;
  }
  return count;
}
inline __u64 pb_clamp(__u64 value, __u64 most) { return value > most ? most : value; }
#include "modules/grpc/bpf/h2_walk.h"
}  // namespace
#pragma GCC diagnostic pop

extern "C" const probe_module_entry_t probe_module_entry;

namespace probed::mod::grpc {
namespace {

using namespace testing;  // NOLINT: the frames of this folder
using sdk::testing::Driver;
using sdk::testing::Step;
using sdk::testing::StreamDriver;

/// One direction of a connection, handed over in segments of iovecs.
class Capture {
 public:
  Capture(StreamDriver& stream, std::uint8_t direction, bool all) : stream_(stream), direction_(direction), all_(all) {}

  std::uint64_t shipped = 0;

  void Segment(const std::string& bytes, const std::vector<std::size_t>& pieces) {
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
      at += Walk(bytes, at, pieces);
    }
  }

 private:
  std::size_t Walk(const std::string& bytes, std::size_t at, const std::vector<std::size_t>& pieces) {
    const std::vector<user_iovec> vector = Vector(bytes, at, pieces);
    h2_walk walk{};
    walk.vector = reinterpret_cast<__u64>(vector.data());
    walk.vectors = static_cast<__u32>(vector.size());
    walk.rest = static_cast<__u32>(bytes.size() - at);
    walk.all = all_ ? 1 : 0;
    const std::uint8_t hint = static_cast<std::uint8_t>(
        (all_ ? 0U : unsigned{H2_HINT_PACKED}) | (way_.left == 0 && way_.have == 0 ? unsigned{H2_HINT_ALIGNED} : 0U));
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
  bool all_;
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

void Check(std::size_t most, bool all, unsigned seed) {
  std::mt19937 random(seed);
  const Conversation talk = Talk(40, random);
  Driver driver(probe_module_entry);
  StreamDriver stream = driver.NewStream();
  stream.Open();
  Capture client(stream, PROBE_RECEIVED, all);
  Capture server(stream, PROBE_SENT, all);
  Cut(client, talk.client, random, most);
  Cut(server, talk.server, random, most);
  EXPECT_EQ(Shown(driver.host.spans), talk.spans) << most << " " << seed;
  EXPECT_EQ(driver.host.Counted(PROBE_UNDECODABLE_MALFORMED), 0U);
  EXPECT_EQ(driver.host.Counted(PROBE_UNDECODABLE_GAP), 0U);
  EXPECT_TRUE(all || client.shipped < 12000) << client.shipped;
  stream.Close(PROBE_CLOSE_PEER);
  EXPECT_EQ(driver.host.LedgerProblem(), "");
  EXPECT_EQ(driver.host.in_flight(), 0U);
  EXPECT_EQ(driver.host.bytes(), 0U);
}

TEST(GrpcWalk, GivesTheDecoderAllCallsHoweverTheBytesAreCut) {
  for (unsigned seed = 0; seed < 20; ++seed) {
    for (const std::size_t most :
         {std::size_t{1}, std::size_t{10}, std::size_t{300}, std::size_t{5000}, std::size_t{70000}}) {
      Check(most, false, seed);
    }
  }
}

TEST(GrpcWalk, ShipsDataWhenAsked) {
  for (unsigned seed = 0; seed < 5; ++seed) Check(5000, true, seed);
}

}  // namespace
}  // namespace probed::mod::grpc
