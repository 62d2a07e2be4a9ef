// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include <array>
#include <cstring>
#include <string>

#include "api/sdk/testing/random_heads.h"
#include "modules/grpc/tests/frames.h"

namespace probed::mod::grpc {
namespace {

using namespace testing;  // NOLINT: the frames of this folder

int Recognised(std::string_view bytes) {
  std::array<unsigned char, 64> memory{};
  memory.fill(0xee);
  const std::size_t length = std::min(bytes.size(), memory.size());
  std::memcpy(memory.data(), bytes.data(), length);
  return h2_recognise(memory.data(), static_cast<unsigned>(length));
}

TEST(GrpcClassify, TakesEveryBeginningAsSoonAsItIsCertain) {
  Peers p;
  const std::string beginnings[] = {kPrefaceBytes,
                                    Settings(),
                                    Settings({{3, 128}, {4, 65536}}),
                                    Settings({{0xfe03, 1}}),
                                    Frame(H2_SETTINGS, H2_ACK, 0, ""),
                                    p.client.Frames(1, GrpcRequest("a.B/C")),
                                    p.client.Frames(4097, GrpcRequest("a.B/C")),
                                    p.server.Frames(1, GrpcResponse()),
                                    p.server.Frames(1, GrpcTrailers("0"), true),
                                    Data(1, Message("hello")),
                                    Frame(H2_PING, 0, 0, "12345678"),
                                    Frame(H2_WINDOW_UPDATE, 0, 0, BigEndian(5, 4)),
                                    Reset(9, 8),
                                    GoAway(7)};
  for (const std::string& bytes : beginnings) {
    EXPECT_EQ(Recognised(bytes), H2_YES) << ::testing::PrintToString(bytes);
    bool decided = false;
    for (std::size_t length = 1; length <= bytes.size(); ++length) {
      const int verdict = Recognised(std::string_view(bytes).substr(0, length));
      EXPECT_NE(verdict, H2_NOT) << length << " of " << ::testing::PrintToString(bytes);
      decided = decided || verdict == H2_YES;
      EXPECT_EQ(decided, verdict == H2_YES);
    }
  }
}

TEST(GrpcClassify, LeavesOtherProtocolsAlone) {
  const std::string others[] = {"GET / HTTP/1.1\r\n\r\n",
                                "PRI * HTTP/1.1\r\n\r\n",
                                "HTTP/1.1 200 OK\r\n",
                                std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11),
                                std::string("\0\0\0\x08\x04\xd2\x16\x2f", 8) + std::string(20, 'x'),  // PostgreSQL
                                std::string("\0\0\0\x25\0\x12\0\0\0\0\0\1\0\x0c", 14) + std::string(30, 'c'),  // Kafka
                                std::string("\0\0\0\x2d\0\0\0\0\0\0\0\0", 12) + std::string(40, '\0'),  // ZooKeeper
                                std::string("\0\0\0\x20\x80\1\0\1", 8) + std::string(30, 'm'),          // Thrift
                                std::string(64, '\0'),
                                "*1\r\n$4\r\nPING\r\n"};
  for (const std::string& bytes : others) EXPECT_EQ(Recognised(bytes), H2_NOT) << ::testing::PrintToString(bytes);
}

TEST(GrpcClassify, TakesAndAwaitsNoRandomHead) {
  EXPECT_EQ(sdk::testing::TakenOfRandomHeads([](sdk::testing::RandomHead& head, int number) {
              if (number % 2 == 0) head.bytes[0] = head.bytes[1] = 0;  // half of them begin like a short length
              return h2_recognise(head.bytes.data(), 64) != H2_NOT;
            }),
            0);
}

}  // namespace
}  // namespace probed::mod::grpc
