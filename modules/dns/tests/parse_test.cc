// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "modules/dns/decode/parse.h"

#include <gmock/gmock.h>

#include <memory>
#include <string>

#include "modules/dns/decode/text.h"
#include "modules/dns/tests/messages.h"

namespace probed::mod::dns {
namespace {

using namespace testing;  // NOLINT: the messages of this folder
using sdk::ParseState;

Message Parsed(const std::string& bytes) {
  Message out;
  // An exact copy, so that a sanitizer sees every read past the end.
  const auto copy = std::make_unique<char[]>(bytes.size());
  std::copy(bytes.begin(), bytes.end(), copy.get());
  EXPECT_EQ(ParseMessage({copy.get(), bytes.size()}, &out), ParseState::kOk);
  return out;
}

bool Refused(const std::string& bytes) {
  Message out;
  return ParseMessage(bytes, &out) == ParseState::kInvalid;
}

std::string Text(const Question& question) {
  sdk::Scratch scratch;
  return std::string(NameText(question.wire_name(), scratch));
}

TEST(DnsParse, ReadsAQuery) {
  const Message message = Parsed(Query("www.Example.com", kAaaa));
  EXPECT_EQ(message.id, 0x1234);
  EXPECT_FALSE(message.is_response);
  EXPECT_TRUE(message.has_question);
  EXPECT_EQ(Text(message.question), "www.Example.com");
  EXPECT_EQ(message.question.type, kAaaa);
  EXPECT_EQ(message.question.class_, kInternet);
}

TEST(DnsParse, TakesTheAddressesOfAnAnswerAndPassesOverTheRest) {
  const std::string records = Record(5, Name("alias.example")) + Record(kA, kAddress4) +
                              Record(kTxt,
                                     "\x03"
                                     "abc") +
                              Record(kAaaa, kAddress6);
  const std::string bytes = Response("www.example", kA, 7, 0, records, 4);
  Message message;
  ASSERT_EQ(ParseMessage(bytes, &message), ParseState::kOk);
  ASSERT_EQ(message.address_count, 2U);
  sdk::Scratch scratch;
  EXPECT_EQ(AddressText(message.addresses[0], scratch), "192.0.2.1");
  EXPECT_EQ(AddressText(message.addresses[1], scratch), "2001:db8::1");
  EXPECT_FALSE(message.incomplete);
}

TEST(DnsParse, ReadsTheCodeAndTheTruncationOfAResponse) {
  EXPECT_EQ(Parsed(Response("a", kA, 1, 3)).rcode, 3);
  EXPECT_TRUE(Parsed(Header{.flags = 0x8380}.Bytes() + QuestionBytes("a", kA)).truncated);
}

TEST(DnsParse, KeepsWhatWasReadOfAnAnswerThatIsCut) {
  const std::string whole = Response("www.example", kA, 7, 0, Record(kA, kAddress4) + Record(kA, kAddress4), 2);
  for (std::size_t cut = 1; cut <= 16; ++cut) {
    const Message message = Parsed(whole.substr(0, whole.size() - cut));
    EXPECT_EQ(message.address_count, 1U) << cut;
    EXPECT_TRUE(message.incomplete);
  }
}

TEST(DnsParse, RefusesEveryPrefixOfAQuery) {
  const std::string whole = Query("www.example.com");
  for (std::size_t size = 0; size < whole.size(); ++size) EXPECT_TRUE(Refused(whole.substr(0, size))) << size;
}

TEST(DnsParse, FollowsNoPointerForEver) {
  EXPECT_TRUE(Refused(Header{}.Bytes() + std::string("\xc0\x0c", 2) + U16(kA) + U16(kInternet)));
  EXPECT_TRUE(Refused(Header{}.Bytes() + std::string("\xff\xff", 2) + U16(kA) + U16(kInternet)));
}

TEST(DnsParse, RefusesOtherOperationsAndManyQuestions) {
  EXPECT_TRUE(Refused(Header{.flags = 0x2800}.Bytes() + QuestionBytes("a", kA)));  // UPDATE
  EXPECT_TRUE(Refused(Header{.questions = 2}.Bytes() + QuestionBytes("a", kA) + QuestionBytes("b", kA)));
  EXPECT_TRUE(Refused(Header{.questions = 0}.Bytes()));
}

TEST(DnsText, WritesNamesAsZoneFilesDo) {
  sdk::Scratch scratch;
  EXPECT_EQ(NameText(Name("a.b"), scratch), "a.b");
  EXPECT_EQ(NameText(std::string("\0", 1), scratch), ".");
  EXPECT_EQ(NameText(std::string("\x05"
                                 "a.\\ \x01\0",
                                 7),
                     scratch),
            "a\\.\\\\\\032\\001");
}

TEST(DnsText, KnowsTypesAndCodesAndNumbersTheOthers) {
  sdk::Scratch scratch;
  EXPECT_EQ(TypeText(kA, scratch), "A");
  EXPECT_EQ(TypeText(65, scratch), "HTTPS");
  EXPECT_EQ(TypeText(255, scratch), "ANY");
  EXPECT_EQ(TypeText(65280, scratch), "TYPE65280");
  EXPECT_EQ(ResponseCodeText(0, scratch), "NOERROR");
  EXPECT_EQ(ResponseCodeText(3, scratch), "NXDOMAIN");
  EXPECT_EQ(ResponseCodeText(15, scratch), "RCODE15");
}

TEST(DnsText, CallsErrorsByTheirNamesInTheResolver) {
  EXPECT_EQ(ErrorOf(0), "");
  EXPECT_EQ(ErrorOf(3), "host_not_found");
  EXPECT_EQ(ErrorOf(2), "try_again");
  EXPECT_EQ(ErrorOf(5), "no_recovery");
}

}  // namespace
}  // namespace probed::mod::dns
