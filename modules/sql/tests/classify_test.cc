// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// What the kernel's classifier takes for PostgreSQL.
#include <gmock/gmock.h>

#include <cstdint>
#include <string>

#include "api/sdk/testing/random_heads.h"
#include "modules/sql/bpf/pg_classify.h"
#include "modules/sql/tests/conversations.h"

namespace probed::mod::sql {
namespace {

using namespace testing;  // NOLINT: the messages of this folder

int Recognised(const std::string& bytes) {
  std::string head = bytes.substr(0, PG_HEAD_BYTES);
  const auto length = static_cast<unsigned>(head.size());
  head.resize(PG_HEAD_BYTES, '\x01');  // what is behind the length is stale
  return pg_recognise(reinterpret_cast<const unsigned char*>(head.data()), length);
}

TEST(PgClassify, ClaimsTheBeginning) {
  EXPECT_EQ(Recognised(Startup()), PG_YES);
  EXPECT_EQ(Recognised(SslRequest()), PG_YES);
  EXPECT_EQ(Recognised(CancelRequest()), PG_YES);
  for (std::size_t size = 0; size < 8; ++size) EXPECT_EQ(Recognised(Startup().substr(0, size)), PG_MORE) << size;
}

TEST(PgClassify, ClaimsOlderConnections) {
  EXPECT_EQ(Recognised(Query("SELECT 1 FROM pg_class")), PG_YES);
  EXPECT_EQ(Recognised(Query("SELECT '" + std::string(5000, 'x') + "'")), PG_YES);
  EXPECT_EQ(Recognised(Query(";")), PG_YES);
  EXPECT_EQ(Recognised(Parse("s1", "SELECT $1 FROM pg_class")), PG_YES);
  EXPECT_EQ(Recognised(Parse("", "BEGIN") + Bind("", "")), PG_YES);
  EXPECT_EQ(Recognised(Bind("", "S_1") + Execute() + Sync()), PG_YES);
  EXPECT_EQ(Recognised(Bind("", "", std::string(300, '\xfe'))), PG_YES);
  EXPECT_EQ(Recognised(Complete("INSERT 0 1") + Ready()), PG_YES);
  EXPECT_EQ(Recognised(BindDone() + Row() + Complete("SELECT 1") + Ready()), PG_YES);
}

TEST(PgClassify, LeavesOthersAlone) {
  EXPECT_EQ(Recognised("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"), PG_NOT);
  EXPECT_EQ(Recognised("POST /x HTTP/1.1\r\nHost: localhost\r\n\r\n"), PG_NOT);
  EXPECT_EQ(Recognised("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), PG_NOT);
  EXPECT_EQ(Recognised("QUIT\r\n"), PG_NOT);
  EXPECT_EQ(Recognised("BEGIN something\r\n"), PG_NOT);
  EXPECT_EQ(Recognised(std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11)), PG_NOT);             // TLS
  EXPECT_EQ(Recognised(std::string("\x00\x1d\x12\x34\x01\x00\x00\x01", 8) + std::string(30, '\0')), PG_NOT);  // DNS
  EXPECT_EQ(Recognised(std::string(64, '\0')), PG_NOT);
  // an HTTP/2 SETTINGS frame and one of Kafka: their lengths are no codes
  EXPECT_EQ(Recognised(std::string("\x00\x00\x12\x04\x00\x00\x00\x00\x00", 9) + std::string(18, '\0')), PG_NOT);
  EXPECT_EQ(Recognised(std::string("\x00\x00\x00\x2a\x00\x03\x00\x09\x00\x00\x00\x01\x00\x04test", 18)), PG_NOT);
}

TEST(PgClassify, TakesNoRandomHead) {
  const auto takes = [](sdk::testing::RandomHead& head, int number) {
    if (pg_recognise(head.bytes.data(), PG_HEAD_BYTES) == PG_YES) return true;
    head.bytes[0] = static_cast<unsigned char>("QPB12C"[number % 7]);  // and with the first byte right
    return pg_recognise(head.bytes.data(), PG_HEAD_BYTES) == PG_YES;
  };
  EXPECT_EQ(sdk::testing::TakenOfRandomHeads(takes), 0);
}

}  // namespace
}  // namespace probed::mod::sql
