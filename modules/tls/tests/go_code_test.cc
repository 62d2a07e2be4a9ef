// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Places for probes in code of Go: the jump behind the check of the stack, and every return instruction, but none that
// is only part of another one.
#include "modules/tls/go_code.h"

#include <gmock/gmock.h>

#include <string>

namespace probed::mod::tls {
namespace {

using std::string_literals::operator""s;
using ::testing::ElementsAre;

const std::string kCheck = "\x49\x3b\x66\x10"s;                           // cmp 0x10(%r14),%rsp
const std::string kJump = "\x76\x20"s;                                    // jbe
const std::string kJumpFar = "\x0f\x86\x7a\x03\x00\x00"s;                 // jbe
const std::string kCheckLarge = "\x4c\x8d\x64\x24\xb8\x4d\x3b\x66\x10"s;  // lea -0x48(%rsp),%r12; cmp 0x10(%r14),%r12
const std::string kCheckHuge = "\x4c\x8d\xa4\x24\x00\xf0\xff\xff\x4d\x3b\x66\x10"s;
const std::string kBody = "\x55\x48\x89\xe5"s;          // push %rbp; mov %rsp,%rbp
const std::string kNoReturn = "\xb8\xc3\xc3\xc3\xc3"s;  // mov $0xc3c3c3c3,%eax
const std::string kReturn = "\x5d\xc3"s;                // pop %rbp; ret
const std::string kPadding = "\xcc\xcc\xcc"s;

TEST(TlsGoCode, FindsTheJumpAndEachReturn) {
  const auto sites = FindGoSites(kCheck + kJumpFar + kBody + kReturn + kNoReturn + kReturn + kPadding);
  ASSERT_TRUE(sites.has_value());
  EXPECT_EQ(sites->entry, 4U);
  EXPECT_THAT(sites->returns, ElementsAre(15U, 22U));
}

TEST(TlsGoCode, KnowsTheChecksOfLargeFrames) {
  const auto large = FindGoSites(kCheckLarge + kJump + kReturn);
  ASSERT_TRUE(large.has_value());
  EXPECT_EQ(large->entry, 9U);
  const auto huge = FindGoSites(kCheckHuge + kJumpFar + kReturn);
  ASSERT_TRUE(huge.has_value());
  EXPECT_EQ(huge->entry, 12U);
}

TEST(TlsGoCode, RefusesWhatDoesNotBeginLikeIt) {
  EXPECT_FALSE(FindGoSites(""));
  EXPECT_FALSE(FindGoSites(kBody + kReturn));
  EXPECT_FALSE(FindGoSites(kCheck + kBody + kReturn));                   // no jump
  EXPECT_FALSE(FindGoSites("\x4c\x8d\x64\x24\xb8"s + kJump + kReturn));  // no check behind the lea
  EXPECT_FALSE(FindGoSites("\x4c\x8d\x64\x24"s));
  EXPECT_FALSE(
      FindGoSites("\x64\x48\x8b\x0c\x25\xf8\xff\xff\xff\x48\x3b\x61\x10\x76\x20"s + kReturn));  // before Go 1.17
}

TEST(TlsGoCode, RefusesWhatIsNotCodeAllThrough) {
  EXPECT_FALSE(FindGoSites(kCheck + kJump + kReturn + "\x06"s));      // no instruction of this machine
  EXPECT_FALSE(FindGoSites(kCheck + kJump + kReturn + "\xb8\x01"s));  // cut off
  EXPECT_FALSE(FindGoSites(kCheck + kJump + kNoReturn));              // no end
}

}  // namespace
}  // namespace probed::mod::tls
