// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// The scanner for cheap places: it knows the code that compilers make, and refuses whatever differs in one byte.
#include "modules/tls/sites.h"

#include <gmock/gmock.h>

#include <set>
#include <string>

namespace probed::mod::tls {
namespace {

using std::string_literals::operator""s;

const std::string kEndBranch = "\xf3\x0f\x1e\xfa"s;
const std::string kReserve = "\x48\x83\xec\x18"s;
const std::string kCanary = "\x64\x48\x8b\x04\x25\x28\x00\x00\x00\x48\x89\x44\x24\x08\x31\xc0"s;
const std::string kTest = "\x85\xd2"s;
const std::string kNegative = "\x78\x2f"s;
const std::string kArguments = "\x48\x89\xe1\x48\x63\xd2"s;
const std::string kCall = "\xe8\x3d\xfe\xff\xff\x85\xc0"s;
const std::string kNotPositive = "\x7e\x03\x8b\x04\x24"s;

TEST(TlsSites, KnowsTheCodeOfDebian) {
  const auto sites = FindCallSites(kReserve + kCanary + kTest + kNegative + kArguments + kCall + kNotPositive);
  ASSERT_TRUE(sites.has_value());
  EXPECT_EQ(sites->entry, 0x16U);
  EXPECT_EQ(sites->exit, 0x25U);
}

TEST(TlsSites, KnowsBranchTrackingNoGuardAndFarJumps) {
  const auto tracked =
      FindCallSites(kEndBranch + kReserve + kCanary + kTest + kNegative + kArguments + kCall + kNotPositive);
  ASSERT_TRUE(tracked.has_value());
  EXPECT_EQ(tracked->entry, 0x1aU);
  const auto plain = FindCallSites(kReserve + kTest + "\x0f\x88\x00\x01\x00\x00"s + "\x48\x63\xd2\x48\x89\xe1"s +
                                   kCall + kNotPositive);
  ASSERT_TRUE(plain.has_value());
  EXPECT_EQ(plain->entry, 6U);
  EXPECT_EQ(plain->exit, 25U);
}

TEST(TlsSites, KnowsTheEntryOfBioWrite) {
  const std::string jump = "\x7e\x12"s;
  const std::string far = "\x0f\x8e\x06\x01\x00\x00"s;
  const std::string clear = "\x31\xc0"s;
  EXPECT_EQ(FindEntrySite(kReserve + kCanary + kTest + jump), 0x16U);  // Debian 12
  EXPECT_EQ(FindEntrySite(kEndBranch + kReserve + kTest + far), 10U);
  EXPECT_EQ(FindEntrySite(clear + kTest + far), 4U);  // Node 20
  EXPECT_EQ(FindEntrySite(kEndBranch + clear + kTest + jump), 8U);
  EXPECT_EQ(FindEntrySite(clear + kTest + "\x78\x12"s), std::nullopt);
  EXPECT_EQ(FindEntrySite(clear + jump), std::nullopt);
  EXPECT_EQ(FindEntrySite(clear + kTest), std::nullopt);
  EXPECT_EQ(FindEntrySite(clear + kTest + "\x7e"s), std::nullopt);
  EXPECT_EQ(FindEntrySite(""), std::nullopt);
}

/// Operands may be anything; every other byte counts.
TEST(TlsSites, RefusesWhateverDiffers) {
  const std::string code = kReserve + kCanary + kTest + kNegative + kArguments + kCall + kNotPositive;
  const std::set<std::size_t> operands = {3, 17, 23, 31, 32, 33, 34, 38};
  for (std::size_t at = 0; at < code.size(); ++at) {
    std::string other = code;
    other[at] = static_cast<char>(other[at] ^ 0x40);
    EXPECT_EQ(FindCallSites(other).has_value(), operands.contains(at)) << at;
    EXPECT_FALSE(FindCallSites(code.substr(0, at)).has_value()) << "cut at " << at;
  }
}

}  // namespace
}  // namespace probed::mod::tls
