// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// What the kernel's classifier takes for HTTP/1.
#include <gmock/gmock.h>

#include <array>
#include <cstring>
#include <string>

#include "api/sdk/testing/host_kernel.h"
#include "api/sdk/testing/random_heads.h"
#include "modules/http/bpf/http_classify.h"

namespace probed::mod::http {
namespace {

int Recognised(const std::string& bytes) {
  std::array<unsigned char, 64> head;
  head.fill('A');  // what is behind the length is stale
  const std::size_t length = std::min(bytes.size(), head.size());
  std::memcpy(head.data(), bytes.data(), length);
  return http_recognise(head.data(), static_cast<__u32>(length));
}

/// Taken as a whole, and neither refused nor taken for something else at any shorter length.
void ExpectTaken(const std::string& bytes) {
  EXPECT_EQ(Recognised(bytes), HTTP_YES) << bytes;
  for (std::size_t length = 0; length < bytes.size(); ++length)
    EXPECT_NE(Recognised(bytes.substr(0, length)), HTTP_NOT) << bytes << " at " << length;
}

TEST(HttpClassify, TakesWhatBeginsLikeAMessage) {
  ExpectTaken("GET / HTTP/1.1\r\n");
  ExpectTaken("OPTIONS * HTTP/1.1\r\n");
  ExpectTaken("CONNECT [::1]:443 HTTP/1.1\r\n");
  ExpectTaken("GET http://shop/a HTTP/1.0\r\n");
  ExpectTaken("VERSION-CONTROL /x HTTP/1.1\r\n");
  ExpectTaken("GET /" + std::string(200, 'a'));
  ExpectTaken("HTTP/1.1 200 OK\r\n");
}

TEST(HttpClassify, LeavesOthersAlone) {
  EXPECT_EQ(Recognised("PRI * HTTP/2.0\r\n\r\nSM"), HTTP_NOT);
  EXPECT_EQ(Recognised("HTTP/2 200\r\n"), HTTP_NOT);
  EXPECT_EQ(Recognised("GET /x FTP/1.0\r\n"), HTTP_NOT);
  EXPECT_EQ(Recognised("get / HTTP/1.1\r\n"), HTTP_NOT);
  EXPECT_EQ(Recognised("EHLO mail\x80 HTTP/1.1"), HTTP_NOT);
  EXPECT_EQ(Recognised("SSH-2.0-OpenSSH_9.2\r\n"), HTTP_NOT);
  EXPECT_EQ(Recognised("\x16\x03\x01\x02"), HTTP_NOT);
}

/// Behind a method too: what makes the rest improbable is its own.
TEST(HttpClassify, TakesNoRandomHead) {
  const auto takes = [](sdk::testing::RandomHead& head, int number) {
    if (http_recognise(head.bytes.data(), 64) != HTTP_NOT) return true;
    if (number % 2 == 0) std::memcpy(head.bytes.data(), "GET ", 4);
    return http_recognise(head.bytes.data(), 64) == HTTP_YES;
  };
  EXPECT_EQ(sdk::testing::TakenOfRandomHeads(takes), 0);
  EXPECT_EQ(sdk::testing::TakenOfRandomHeads(takes, sdk::testing::Heads::kSparse), 0);
}

}  // namespace
}  // namespace probed::mod::http
