// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// What the kernel's classifier takes for MySQL.
#include <gmock/gmock.h>

#include <cstdint>
#include <string>

#include "api/sdk/testing/random_heads.h"
#include "modules/sql/tests/my_messages.h"

namespace probed::mod::sql {
namespace {

using namespace testing::my;  // NOLINT: the packets of this folder

std::string Padded(const std::string& bytes) {
  std::string head = bytes.substr(0, PG_HEAD_BYTES);
  head.resize(PG_HEAD_BYTES, '\x01');  // what is behind the length is stale
  return head;
}
unsigned Length(const std::string& bytes) {
  return static_cast<unsigned>(std::min<std::size_t>(bytes.size(), PG_HEAD_BYTES));
}
const unsigned char* Data(const std::string& bytes) { return reinterpret_cast<const unsigned char*>(bytes.data()); }

int Recognised(const std::string& bytes) {
  const std::string head = Padded(bytes);
  EXPECT_EQ(pg_recognise(Data(head), Length(bytes)) == PG_YES && my_recognise(Data(head), Length(bytes)) == PG_YES,
            false);
  return my_recognise(Data(head), Length(bytes));
}

TEST(MyClassify, ClaimsTheBeginning) {
  EXPECT_EQ(Recognised(Greeting()), PG_YES);
  EXPECT_EQ(Recognised(Greeting("5.5.5-10.11.6-MariaDB")), PG_YES);
  EXPECT_EQ(Recognised(Login()), PG_YES);
  EXPECT_EQ(Recognised(Login(MY_TLS, "shop", 2)), PG_YES);  // inside TLS
  EXPECT_EQ(Recognised(TlsRequest()), PG_YES);
  for (std::size_t size = 0; size < 7; ++size) EXPECT_EQ(Recognised(Greeting().substr(0, size)), PG_MORE) << size;
  for (std::size_t size = 0; size < 36; ++size) EXPECT_EQ(Recognised(Login().substr(0, size)), PG_MORE) << size;
}

TEST(MyClassify, ClaimsOlderConnections) {
  EXPECT_EQ(Recognised(Query("SELECT 1 FROM song")), PG_YES);
  EXPECT_EQ(Recognised(Query("SELECT '" + std::string(5000, 'x') + "'")), PG_YES);
  EXPECT_EQ(Recognised(Command(MY_QUERY, L(0, 1) + L(1, 1) + "SELECT 1 FROM song")), PG_YES);
  EXPECT_EQ(Recognised(Prepare("SELECT ?")), PG_YES);
  EXPECT_EQ(Recognised(Execute(7)), PG_YES);
  EXPECT_EQ(Recognised(Command(MY_PING)), PG_YES);
  EXPECT_EQ(Recognised(Rows(3)), PG_YES);
  EXPECT_EQ(Recognised(Done()), PG_YES);
  EXPECT_EQ(Recognised(Failure(1064, "42000")), PG_YES);
}

TEST(MyClassify, LeavesOthersAlone) {
  EXPECT_EQ(Recognised("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"), PG_NOT);
  EXPECT_EQ(Recognised("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), PG_NOT);
  EXPECT_EQ(Recognised("*1\r\n$4\r\nPING\r\n"), PG_NOT);
  EXPECT_EQ(Recognised(std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11)), PG_NOT);             // TLS
  EXPECT_EQ(Recognised(std::string("\x00\x1d\x12\x34\x01\x00\x00\x01", 8) + std::string(30, '\0')), PG_NOT);  // DNS
  EXPECT_EQ(Recognised(std::string("\x00\x00\x00\x2a\x00\x03\x00\x09\x00\x00\x00\x01\x00\x04test", 18)),
            PG_NOT);  // Kafka
  EXPECT_EQ(Recognised(std::string("\x3a\x00\x00\x00\x03\x00\x00\x00\x00\x00\x00\x00\xdd\x07", 14)),
            PG_NOT);  // MongoDB
  EXPECT_EQ(Recognised(std::string(64, '\0')), PG_NOT);
  EXPECT_EQ(Recognised(testing::Query("SELECT 1 FROM pg_class")), PG_NOT);
  EXPECT_EQ(Recognised(testing::Startup()), PG_NOT);
}

TEST(MyClassify, TakesNoRandomHead) {
  const auto takes = [](sdk::testing::RandomHead& head, int number) {
    if (my_recognise(head.bytes.data(), PG_HEAD_BYTES) == PG_YES) return true;
    head.bytes[3] = 0;  // and with a command's sequence and number
    head.bytes[4] = static_cast<unsigned char>("\x03\x16\x17\x0e"[number % 4]);
    return my_recognise(head.bytes.data(), PG_HEAD_BYTES) == PG_YES;
  };
  EXPECT_EQ(sdk::testing::TakenOfRandomHeads(takes), 0);
}

}  // namespace
}  // namespace probed::mod::sql
