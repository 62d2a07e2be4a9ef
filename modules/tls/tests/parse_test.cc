// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Messages of a handshake, field by field; cut anywhere they are refused, and never read beyond.
#include "modules/tls/decode/parse.h"

#include <gmock/gmock.h>

#include <string>
#include <string_view>
#include <vector>

#include "api/sdk/span_builder.h"
#include "modules/tls/decode/certificate.h"
#include "modules/tls/decode/names.h"

namespace probed::mod::tls {
namespace {

std::string U16(std::size_t value) { return {static_cast<char>(value >> 8U), static_cast<char>(value)}; }
std::string U24(std::size_t value) { return static_cast<char>(value >> 16U) + U16(value & 0xffffU); }
std::string Vector8(const std::string& bytes) { return static_cast<char>(bytes.size()) + bytes; }
std::string Vector16(const std::string& bytes) { return U16(bytes.size()) + bytes; }
std::string Extension(unsigned type, const std::string& data) { return U16(type) + Vector16(data); }
std::string Random() { return std::string(32, 'r'); }
std::string NameExtension(const std::string& name) { return Extension(0, Vector16('\0' + Vector16(name))); }

std::string Hello(const std::string& extensions) {
  return U16(kTls12) + Random() + Vector8("session") + Vector16(U16(0x1301) + U16(0xc02f)) + Vector8({"\0", 1}) +
         Vector16(extensions);
}

std::string Answer(const std::string& extensions, const std::string& random = Random()) {
  return U16(kTls12) + random + Vector8("session") + U16(0x1302) + '\0' + Vector16(extensions);
}

/// Every beginning of `bytes` is an exact copy, so that a sanitizer sees every read past the end.
template <class Parse>
void ExpectRefusedWhenCut(const std::string& bytes, Parse&& parse, std::size_t also_valid = 0) {
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const std::vector<char> copy(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
    EXPECT_EQ(parse(std::string_view(copy.data(), copy.size())), size != 0 && size == also_valid) << size;
  }
}

TEST(TlsParse, ReadsAClientHello) {
  const std::string bytes =
      Hello(Extension(0x0a0a, "") + NameExtension("www.example.com") + Extension(43, "\x02\x03\x04"));
  ClientHello hello;
  ASSERT_TRUE(ParseClientHello(bytes, &hello));
  EXPECT_EQ(hello.server_name, "www.example.com");
  EXPECT_EQ(hello.session_id, "session");
  EXPECT_FALSE(hello.early_data);
  const std::size_t without_extensions = 2 + 32 + 8 + 6 + 2;
  ExpectRefusedWhenCut(
      bytes,
      [](std::string_view cut) {
        ClientHello out;
        return ParseClientHello(cut, &out);
      },
      without_extensions);
}

TEST(TlsParse, ReadsAClientHelloWithoutAName) {
  ClientHello hello;
  const std::string bytes = Hello(Extension(42, ""));
  ASSERT_TRUE(ParseClientHello(bytes, &hello));
  EXPECT_EQ(hello.server_name, "");
  EXPECT_TRUE(hello.early_data);
}

TEST(TlsParse, RefusesAClientHelloThatLies) {
  ClientHello hello;
  EXPECT_FALSE(ParseClientHello(Hello("") + "x", &hello)) << "bytes behind it";
  EXPECT_FALSE(ParseClientHello(Hello(U16(0) + U16(5) + "four"), &hello)) << "an extension longer than all";
  EXPECT_FALSE(ParseClientHello(Hello(Extension(0, Vector16('\0' + U16(99) + "name"))), &hello)) << "a name longer";
  EXPECT_FALSE(ParseClientHello(
      U16(kTls12) + Random() + Vector8(std::string(33, 's')) + Vector16(U16(1)) + Vector8({"\0", 1}), &hello))
      << "a session id of 33 bytes";
}

TEST(TlsParse, ReadsAServerHelloOfTls13) {
  const std::string bytes = Answer(Extension(51, U16(0x001d) + Vector16(std::string(32, 'k'))) +
                                   Extension(43, U16(kTls13)) + Extension(41, U16(0)));
  ServerHello hello;
  ASSERT_TRUE(ParseServerHello(bytes, &hello));
  EXPECT_EQ(hello.version, kTls13);
  EXPECT_EQ(hello.cipher, 0x1302);
  EXPECT_EQ(hello.group, 0x001d);
  EXPECT_TRUE(hello.pre_shared_key);
  EXPECT_FALSE(hello.hello_retry);
  ExpectRefusedWhenCut(
      bytes,
      [](std::string_view cut) {
        ServerHello out;
        return ParseServerHello(cut, &out);
      },
      2 + 32 + 8 + 3);
}

TEST(TlsParse, ReadsAServerHelloOfTls12) {
  ServerHello hello;
  const std::string bytes = Answer(Extension(16, Vector16(Vector8("h2"))));
  ASSERT_TRUE(ParseServerHello(bytes, &hello));
  EXPECT_EQ(hello.version, kTls12);
  EXPECT_EQ(hello.protocol, "h2");
  EXPECT_FALSE(hello.pre_shared_key);
}

TEST(TlsParse, KnowsAHelloRetryRequest) {
  const std::string random(
      "\xcf\x21\xad\x74\xe5\x9a\x61\x11\xbe\x1d\x8c\x02\x1e\x65\xb8\x91"
      "\xc2\xa2\x11\x16\x7a\xbb\x8c\x5e\x07\x9e\x09\xe2\xc8\xa8\x33\x9c",
      32);
  ServerHello hello;
  ASSERT_TRUE(ParseServerHello(Answer("", random), &hello));
  EXPECT_TRUE(hello.hello_retry);
}

TEST(TlsParse, ReadsTheFirstCertificate) {
  const std::string list = U24(5) + "first" + U24(6) + "second";
  std::string_view first;
  const std::string message = U24(list.size()) + list;
  ASSERT_TRUE(ParseCertificateMessage(message, &first));
  EXPECT_EQ(first, "first");
  ASSERT_TRUE(ParseCertificateMessage(U24(0), &first));
  EXPECT_EQ(first, "");
  EXPECT_FALSE(ParseCertificateMessage(U24(list.size()) + list + "x", &first));
  EXPECT_FALSE(ParseCertificateMessage(U24(8) + U24(99) + "first", &first));
}

TEST(TlsParse, ReadsANamedCurve) {
  std::uint16_t curve = 0;
  ASSERT_TRUE(ParseNamedCurve("\x03" + U16(0x0017) + "point", &curve));
  EXPECT_EQ(curve, 0x0017);
  EXPECT_FALSE(ParseNamedCurve("\x01" + U16(0x0017), &curve));
  EXPECT_FALSE(ParseNamedCurve("\x03", &curve));
}

TEST(TlsNames, AreThoseOfTheRegistry) {
  EXPECT_EQ(CipherName(0x1301), "TLS_AES_128_GCM_SHA256");
  EXPECT_EQ(CipherName(0xc02f), "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256");
  EXPECT_EQ(CipherName(0x0000), "TLS_NULL_WITH_NULL_NULL");
  EXPECT_EQ(CipherName(0xcca9), "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256");
  EXPECT_EQ(CipherName(0xffff), "");
  EXPECT_EQ(GroupName(0x001d), "x25519");
  EXPECT_EQ(GroupName(0x11ec), "X25519MLKEM768");
  EXPECT_EQ(AlertName(40), "handshake_failure");
  EXPECT_EQ(AlertName(200), "");
}

TEST(TlsCertificate, RefusesGarbage) {
  Certificate certificate{};
  EXPECT_FALSE(ParseCertificate("", &certificate));
  EXPECT_FALSE(ParseCertificate(std::string(1000, '\x30'), &certificate));
}

TEST(TlsCertificate, TimesAreUtc) {
  sdk::Scratch scratch;
  EXPECT_EQ(TimeText(1'767'225'600, scratch), "2026-01-01T00:00:00.000Z");
  EXPECT_EQ(TimeText(-1, scratch), "1969-12-31T23:59:59.000Z");
}

}  // namespace
}  // namespace probed::mod::tls
