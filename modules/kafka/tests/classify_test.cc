// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// What the kernel's classifier takes for Kafka.
#include "modules/kafka/bpf/kafka_classify.h"

#include <gmock/gmock.h>

#include <array>
#include <string>

#include "api/sdk/testing/random_heads.h"
#include "modules/kafka/tests/writer.h"

namespace probed::mod::kafka {
namespace {

using namespace testing;  // NOLINT: the messages of this folder
using namespace std::string_literals;

int Recognised(const std::string& bytes) {
  std::string head = bytes.substr(0, KFK_HEAD_BYTES);
  const auto length = static_cast<unsigned>(head.size());
  head.resize(KFK_HEAD_BYTES, '\x01');  // what is behind the length is stale
  return kfk_recognise(reinterpret_cast<const unsigned char*>(head.data()), length);
}

/// The verdict on the whole, having been told to wait or the same at every shorter one.
int RecognisedByteByByte(const std::string& bytes) {
  const int whole = Recognised(bytes);
  for (std::size_t size = 0; size < bytes.size() && size < KFK_HEAD_BYTES; ++size) {
    const int verdict = Recognised(bytes.substr(0, size));
    if (verdict != KFK_MORE) return verdict;
  }
  return whole;
}

TEST(KafkaClassify, ClaimsRequests) {
  EXPECT_EQ(RecognisedByteByByte(ProduceRequest(13, 5, {})), KFK_YES);
  EXPECT_EQ(RecognisedByteByByte(FetchRequest(18, 5)), KFK_YES);
  EXPECT_EQ(RecognisedByteByByte(FetchRequest(4, 5)), KFK_YES);
  EXPECT_EQ(RecognisedByteByByte(MetadataRequest(1, 0x7fffffff)), KFK_YES);
  EXPECT_EQ(RecognisedByteByByte(Sized(RequestHeader(18, 4, true, 0, std::string(200, 'c')) + "\x01\x01\x00"s)),
            KFK_YES);  // the client id goes on behind the head
  EXPECT_EQ(RecognisedByteByByte(Sized("\x00\x12\x00\x00\x00\x00\x00\x01\xff\xff"s)), KFK_YES);  // no client id
}

TEST(KafkaClassify, LeavesResponsesToTheirRequests) {
  EXPECT_EQ(Recognised(FetchResponse(12, 0x01020304, {})), KFK_NOT);
}

TEST(KafkaClassify, LeavesOthersAlone) {
  EXPECT_EQ(Recognised("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"), KFK_NOT);
  EXPECT_EQ(Recognised("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), KFK_NOT);
  EXPECT_EQ(Recognised("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"), KFK_NOT);                      // TLS
  EXPECT_EQ(Recognised("\x00\x00\x00\x4e\x00\x03\x00\x00user\0postgres\0database\0x\0\0"s), KFK_NOT);  // PostgreSQL
  EXPECT_EQ(Recognised("\x00\x00\x00\x08\x04\xd2\x16\x2f"s), KFK_NOT);                                 // its SSLRequest
  EXPECT_EQ(Recognised("\x00\x00\x12\x04\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x64"s), KFK_NOT);  // HTTP/2 SETTINGS
  EXPECT_EQ(Recognised("\x00\x00\x00\x2d\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x75\x30"s +
                       std::string(29, '\0')),
            KFK_NOT);  // ZooKeeper
  EXPECT_EQ(Recognised(std::string(64, '\0')), KFK_NOT);
  EXPECT_EQ(Recognised(Sized(RequestHeader(93, 0, true, 1) + "x")), KFK_NOT);          // no such request
  EXPECT_EQ(Recognised(Sized(RequestHeader(1, 25, true, 1) + "x")), KFK_NOT);          // no such version
  EXPECT_EQ(Recognised(Sized(RequestHeader(1, 12, true, -1) + "x")), KFK_NOT);         // a negative correlation id
  EXPECT_EQ(Recognised(Sized(RequestHeader(1, 12, true, 1, "a\nb") + "x")), KFK_NOT);  // no text
}

TEST(KafkaClassify, TakesNoRandomHead) {
  EXPECT_EQ(sdk::testing::TakenOfRandomHeads([](const sdk::testing::RandomHead& head, int) {
              return kfk_recognise(head.bytes.data(), KFK_HEAD_BYTES) == KFK_YES;
            }),
            0);
}

}  // namespace
}  // namespace probed::mod::kafka
