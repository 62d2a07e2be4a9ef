// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// What the kernel's classifier takes for DNS: datagrams by one of them, streams by the first bytes of a direction.
#include "modules/dns/bpf/dns_classify.h"

#include <gmock/gmock.h>

#include <array>
#include <string>

#include "api/sdk/testing/random_heads.h"
#include "modules/dns/tests/messages.h"

namespace probed::mod::dns {
namespace {

using namespace testing;  // NOLINT: the messages of this folder

bool Claims(const std::string& bytes) {
  std::string head = bytes.substr(0, DNS_HEAD_BYTES);
  const auto length = static_cast<unsigned>(head.size());
  head.resize(DNS_HEAD_BYTES, '\xff');  // what is behind the length is stale
  return dns_is_message(reinterpret_cast<const unsigned char*>(head.data()), length) != 0;
}

int Recognised(const std::string& bytes) {
  std::string head = bytes.substr(0, DNS_HEAD_BYTES);
  const auto length = static_cast<unsigned>(head.size());
  head.resize(DNS_HEAD_BYTES, '\x01');  // what is behind the length is stale
  return dns_recognise_stream(reinterpret_cast<const unsigned char*>(head.data()), length);
}

/// The verdict on the whole, having been told to wait or the same at every shorter one.
int RecognisedByteByByte(const std::string& bytes) {
  const int whole = Recognised(bytes);
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const int verdict = Recognised(bytes.substr(0, size));
    if (verdict != DNS_MORE) return verdict;
  }
  return whole;
}

TEST(DnsClassify, ClaimsQueriesAndResponses) {
  EXPECT_TRUE(Claims(Query("www.example.com")));
  EXPECT_TRUE(Claims(Query("")));
  EXPECT_TRUE(Claims(Query(std::string(60, 'a') + "." + std::string(60, 'b'))));  // goes on behind the head
  EXPECT_TRUE(Claims(Response("www.example.com", kA, 1, 3)));
  EXPECT_TRUE(Claims(Header{.additional = 1}.Bytes() + QuestionBytes("a", kA)));  // EDNS
}

/// What is sent from port 5353 has no id, and may have many questions.
TEST(DnsClassify, ClaimsSeveralQuestionsOfMulticast) {
  const std::string questions = QuestionBytes("a.local", kA) + QuestionBytes("a.local", kAaaa);
  EXPECT_TRUE(Claims(Header{.id = 0, .flags = 0, .questions = 2}.Bytes() + questions));
  EXPECT_TRUE(Claims(Header{.id = 0, .flags = 0x0200, .questions = 2, .answers = 3}.Bytes() + questions));
  EXPECT_FALSE(Claims(Header{.id = 0, .flags = 0x0100, .questions = 2}.Bytes() + questions));
  EXPECT_FALSE(Claims(Header{.id = 1, .flags = 0, .questions = 2}.Bytes() + questions));
  EXPECT_FALSE(Claims(Header{.id = 0, .flags = 0, .questions = 65}.Bytes() + questions));
}

TEST(DnsClassify, LeavesOthersAlone) {
  EXPECT_FALSE(Claims("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"));
  EXPECT_FALSE(Claims("M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\n"));
  EXPECT_FALSE(Claims(std::string(48, '\0')));                                     // no question
  EXPECT_FALSE(Claims(std::string("\x1b", 1) + std::string(47, '\0')));            // NTP
  EXPECT_FALSE(Claims(Header{.flags = 0x2800}.Bytes() + QuestionBytes("a", kA)));  // UPDATE
  EXPECT_FALSE(Claims(Header{}.Bytes() + "\x03"
                                         "a\x01"
                                         "c"));
  EXPECT_FALSE(Claims(Header{}.Bytes()));
  EXPECT_FALSE(Claims("<14>Nov 21 09:00:00 host program[1]: a line of syslog"));
}

TEST(DnsClassifyStream, ClaimsQueriesAndResponses) {
  const std::string records = Record(kA, kAddress4) + Record(kAaaa, kAddress6);
  for (const std::string& message :
       {Query("www.example.com"), Query(""), Query(std::string(60, 'a') + "." + std::string(60, 'b')),
        Query("1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa", kPtr),
        Response("www.example.com", kA, 1, 3), Response("www.example.com", kA, 1, 0, records, 2)}) {
    EXPECT_EQ(Recognised(Framed(message)), DNS_YES);
    EXPECT_EQ(RecognisedByteByByte(Framed(message)), DNS_YES);
    EXPECT_EQ(Recognised(Framed(message) + Framed(Query("next"))), DNS_YES);
  }
  const std::string edns = Header{.additional = 1}.Bytes() + QuestionBytes("a", kA) +
                           std::string("\0\0\x29\x04\xd0", 5) + std::string(6, '\0');
  EXPECT_EQ(Recognised(Framed(edns)), DNS_YES);
}

TEST(DnsClassifyStream, WaitsForTheQuestion) {
  const std::string whole = Framed(Query("www.example.com"));
  for (std::size_t size = 0; size < whole.size(); ++size)
    EXPECT_EQ(Recognised(whole.substr(0, size)), DNS_MORE) << size;
}

TEST(DnsClassifyStream, LeavesOthersAlone) {
  const std::string query = Query("a.example");
  EXPECT_EQ(Recognised(query), DNS_NOT);                                                 // no length
  EXPECT_EQ(Recognised(U16(static_cast<unsigned>(query.size()) + 1) + query), DNS_NOT);  // a wrong one
  EXPECT_EQ(Recognised(U16(16) + query), DNS_NOT);
  EXPECT_EQ(Recognised(Framed(Header{.answers = 1}.Bytes() + QuestionBytes("a", kA))), DNS_NOT);
  EXPECT_EQ(Recognised(Framed(Header{.flags = 0x8180, .answers = 9}.Bytes() + QuestionBytes("a", kA))), DNS_NOT);
  EXPECT_EQ(Recognised(Framed(Header{}.Bytes() + Name("a") + U16(kA) + U16(77))), DNS_NOT);    // no such class
  EXPECT_EQ(Recognised(U16(17) + Header{}.Bytes() + "\x28" + std::string(40, 'a')), DNS_NOT);  // a name past the end
  EXPECT_EQ(Recognised(std::string(64, '\0')), DNS_NOT);
  EXPECT_EQ(Recognised("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"), DNS_NOT);
  EXPECT_EQ(Recognised("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), DNS_NOT);
  EXPECT_EQ(Recognised(std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11)), DNS_NOT);  // TLS
  EXPECT_EQ(Recognised(std::string("\x00\x00\x00\x54\x00\x03\x00\x00user\0root", 17)), DNS_NOT);    // PostgreSQL
  EXPECT_EQ(Recognised(std::string("\x4a\x00\x00\x00\x0a"
                                   "8.0.36",
                                   11)),
            DNS_NOT);                                                                                   // MySQL
  EXPECT_EQ(Recognised(std::string("\x00\x00\x00\x2a\x00\x12\x00\x03\x00\x00\x00\x01", 12)), DNS_NOT);  // Kafka
  EXPECT_EQ(Recognised("SSH-2.0-OpenSSH_9.2\r\n"), DNS_NOT);
}

/// A direction has no part in the verdict: one is that of both.
TEST(DnsClassifyStream, TakesNoRandomHead) {
  const auto takes = [](const sdk::testing::RandomHead& head, int) {
    return dns_recognise_stream(head.bytes.data(), DNS_HEAD_BYTES) != DNS_NOT;
  };
  EXPECT_EQ(sdk::testing::TakenOfRandomHeads(takes), 0);
  EXPECT_EQ(sdk::testing::TakenOfRandomHeads(takes, sdk::testing::Heads::kSparse), 0);
}

TEST(DnsClassify, TakesNoRandomDatagram) {
  EXPECT_EQ(sdk::testing::TakenOfRandomHeads([](const sdk::testing::RandomHead& head, int) {
              return dns_is_message(head.bytes.data(), DNS_HEAD_BYTES) != 0;
            }),
            0);
}

}  // namespace
}  // namespace probed::mod::dns
