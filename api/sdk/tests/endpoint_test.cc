// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "api/sdk/endpoint.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

namespace probed::sdk {
namespace {

std::string Text(const probe_endpoint_t& endpoint) {
  AddressText text{};
  text.Set(endpoint);
  return std::string(text.address());
}

TEST(Endpoint, WritesAddressesAsTheCLibraryDoes) {
  std::mt19937 random(7);
  for (int i = 0; i < 10'000; ++i) {
    probe_endpoint_t endpoint{{}, 80, PROBE_FAMILY_INET, {}};
    for (int byte = 0; byte < 4; ++byte)
      endpoint.address[byte] = static_cast<std::uint8_t>(random() >> (random() % 8U));
    char expected[INET6_ADDRSTRLEN];
    EXPECT_EQ(Text(endpoint), inet_ntop(AF_INET, endpoint.address, expected, sizeof(expected)));
  }
  EXPECT_EQ(Text({{0, 0, 0, 0}, 80, PROBE_FAMILY_INET, {}}), "0.0.0.0");
  EXPECT_EQ(Text({{255, 255, 255, 255}, 80, PROBE_FAMILY_INET, {}}), "255.255.255.255");
}

TEST(Endpoint, WritesIpv6CompressedAndMappedAsIpv4) {
  EXPECT_EQ(Text({{0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, 80, PROBE_FAMILY_INET6, {}}),
            "2001:db8::1");
  EXPECT_EQ(Text({{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 7}, 80, PROBE_FAMILY_INET6, {}}), "192.0.2.7");
}

TEST(Endpoint, LeavesWhatItDoesNotKnowEmpty) {
  AddressText text{};
  text.Set({{1, 2, 3, 4}, 80, PROBE_FAMILY_UNIX, {}});
  EXPECT_TRUE(text.address().empty());
  EXPECT_EQ(text.port(), 0);
}

}  // namespace
}  // namespace probed::sdk
