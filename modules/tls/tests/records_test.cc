// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// What kernel and decoder agree on: headers, what they say of a direction, and what the classifier takes for TLS.
#include "modules/tls/bpf/tls_records.h"

#include <gmock/gmock.h>

#include <array>
#include <string>

#include "api/sdk/testing/random_heads.h"

namespace probed::mod::tls {
namespace {

constexpr std::size_t kHeadBytes = 64;

int Recognised(std::string bytes) {
  const auto length = static_cast<unsigned>(bytes.size());
  bytes.resize(kHeadBytes, '\xff');  // what is behind the length is stale
  return tls_recognise(reinterpret_cast<const unsigned char*>(bytes.data()), length);
}

std::string Hello() { return std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11); }

unsigned char After(unsigned char flags, unsigned char other, unsigned char type, unsigned short length) {
  const tls_header header{type, length};
  return tls_after_header(flags, other, &header);
}

TEST(TlsClassify, KnowsAClientHello) {
  for (std::size_t length = 0; length < TLS_HEADER_BYTES; ++length)
    EXPECT_EQ(Recognised(Hello().substr(0, length)), TLS_MORE) << length;
  for (std::size_t length = TLS_HEADER_BYTES; length <= Hello().size(); ++length)
    EXPECT_EQ(Recognised(Hello().substr(0, length)), TLS_YES) << length;
}

TEST(TlsClassify, RefusesWhatDiffersAnywhere) {
  for (const std::size_t at : {0U, 1U, 2U, 3U, 5U, 6U, 9U}) {
    std::string bytes = Hello();
    bytes[at] = '\x7f';
    EXPECT_EQ(Recognised(bytes), TLS_NOT) << at;
  }
  EXPECT_EQ(Recognised("GET / HTTP/1.1\r\n"), TLS_NOT);
  EXPECT_EQ(Recognised(std::string("\x15\x03\x03\x00\x02\x02\x28", 7)), TLS_NOT);
}

TEST(TlsClassify, TakesNoRandomHead) {
  const auto takes = [](const sdk::testing::RandomHead& head, int) {
    return tls_recognise(head.bytes.data(), kHeadBytes) != TLS_NOT;
  };
  EXPECT_EQ(sdk::testing::TakenOfRandomHeads(takes), 0);
  EXPECT_EQ(sdk::testing::TakenOfRandomHeads(takes, sdk::testing::Heads::kSparse), 0);
}

TEST(TlsRecords, ReadsAHeader) {
  tls_header header{};
  EXPECT_EQ(tls_read_header(0x0000'0034'1203'0316, &header), 1);
  EXPECT_EQ(header.type, TLS_HANDSHAKE);
  EXPECT_EQ(header.length, 0x1234);
  EXPECT_EQ(tls_read_header(0x0000'0034'1203'0319, &header), 0) << "type";
  EXPECT_EQ(tls_read_header(0x0000'0034'1203'0216, &header), 0) << "version";
  EXPECT_EQ(tls_read_header(0x0000'0034'1205'0316, &header), 0) << "minor version";
  EXPECT_EQ(tls_read_header(0x0000'0034'5203'0316, &header), 0) << "length";
  EXPECT_EQ(tls_read_header(0x0000'0000'0003'0316, &header), 0) << "no bytes";
}

TEST(TlsRecords, FinishedIsTheShortMessageBehindAChange) {
  EXPECT_EQ(After(0, 0, TLS_HANDSHAKE, 40), TLS_SPOKE | TLS_CLEAR);
  EXPECT_EQ(After(TLS_CHANGED, 0, TLS_HANDSHAKE, 40), TLS_CHANGED | TLS_SPOKE | TLS_FINISHED);
  EXPECT_EQ(After(TLS_CHANGED, 0, TLS_HANDSHAKE, 122), TLS_CHANGED | TLS_SPOKE | TLS_CLEAR) << "a hello behind a retry";
  EXPECT_EQ(After(TLS_CLEAR, 0, TLS_CHANGE_CIPHER_SPEC, 1), TLS_CHANGED | TLS_CLEAR);
}

TEST(TlsRecords, ApplicationDataFinishesUnlessItIsEarly) {
  EXPECT_EQ(After(TLS_SPOKE | TLS_CLEAR, TLS_SPOKE, TLS_APPLICATION_DATA, 500), TLS_SPOKE | TLS_FINISHED);
  EXPECT_EQ(After(TLS_SPOKE | TLS_CLEAR, 0, TLS_APPLICATION_DATA, 500), TLS_SPOKE);
}

TEST(TlsRecords, OnlyAPlainAlertIsClear) {
  EXPECT_EQ(After(0, 0, TLS_ALERT, TLS_ALERT_BYTES), TLS_CLEAR);
  EXPECT_EQ(After(TLS_CHANGED | TLS_CLEAR, 0, TLS_ALERT, 26), TLS_CHANGED);
}

TEST(TlsRecords, CertificateIsKnownByWhatStandsInFrontOfIt) {
  // message 11 of 0x1fd bytes: no context, a list of 0x1f9, in it a certificate of 0x100
  std::array<unsigned char, TLS_CERTIFICATE_HEAD> head = {11, 0, 1, 0xfd, 0, 0, 1, 0xf9, 0, 1, 0};
  EXPECT_EQ(tls_is_first_of_message(head.data(), 0x100), 1);
  EXPECT_EQ(tls_is_first_of_message(head.data(), 0x101), 0) << "another length";
  for (std::size_t i = 0; i < head.size(); ++i) {
    auto other = head;
    other.at(i) ^= 0x80U;
    EXPECT_EQ(tls_is_first_of_message(other.data(), 0x100), 0) << "byte " << i;
  }
  head = {11, 0, 1, 0x08, 0, 0, 1, 0x04, 0, 1, 0};
  EXPECT_EQ(tls_is_first_of_message(head.data(), 0x100), 0) << "no room for its extensions";
  head = {11, 0, 0, 0x40, 0, 0, 0, 0x3c, 0, 0, 0x20};
  EXPECT_EQ(tls_is_first_of_message(head.data(), 0x20), 0) << "too short for a certificate";
}

}  // namespace
}  // namespace probed::mod::tls
