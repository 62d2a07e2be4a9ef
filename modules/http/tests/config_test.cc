// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include "api/sdk/testing/drive.h"

extern "C" const probe_module_entry_t probe_module_entry;

namespace probed::mod::http {
namespace {

using sdk::testing::Driver;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

TEST(HttpConfig, DefaultsAreGood) {
  Driver driver(probe_module_entry);
  EXPECT_THAT(driver.Check("{}"), IsEmpty());
  EXPECT_EQ(driver.kernel.capture_bytes, 4096U);
}

TEST(HttpConfig, TellsTheKernelHowMuchToShip) {
  Driver driver(probe_module_entry, R"({"capture_bytes":16384})");
  EXPECT_EQ(driver.kernel.capture_bytes, 16384U);
}

TEST(HttpConfig, NamesTheFieldThatIsWrong) {
  Driver driver(probe_module_entry);
  EXPECT_THAT(driver.Check(R"({"capture_bytes":63})"),
              ElementsAre(Pair("capture_bytes", "must be between 64 and 16384")));
  EXPECT_THAT(driver.Check(R"({"capture_bytes":18446744073709551615})"),
              ElementsAre(Pair("capture_bytes", "must be between 64 and 16384")));
  EXPECT_THAT(driver.Check(R"({"capture_bytes":"big"})"), ElementsAre(Pair("capture_bytes", "must be an integer")));
  EXPECT_THAT(driver.Check(R"({"ignored_paths":["/ok","nope"]})"),
              ElementsAre(Pair("ignored_paths[1]", "must start with \"/\"")));
  EXPECT_THAT(driver.Check(R"({"capture_request_headers":["a","A"]})"),
              ElementsAre(Pair("capture_request_headers[1]", "is named twice")));
  EXPECT_THAT(driver.Check(R"({"capture_response_headers":["a b",1]})"),
              ElementsAre(Pair("capture_response_headers[0]", "must be a header name"),
                          Pair("capture_response_headers[1]", "must be a header name")));
  EXPECT_THAT(driver.Check("[]"), ElementsAre(Pair("", "must be an object")));
  EXPECT_THAT(driver.Check("{"), ElementsAre(Pair("", "is not valid JSON")));
}

TEST(HttpConfig, FindsTheKeyThatWasMeant) {
  Driver driver(probe_module_entry);
  EXPECT_THAT(driver.Check(R"({"capture_byte":64})"),
              ElementsAre(Pair("capture_byte", "unknown key; did you mean \"capture_bytes\"?")));
  EXPECT_THAT(driver.Check(R"({"zzzzzzzz":64})"), ElementsAre(Pair("zzzzzzzz", "unknown key")));
}

}  // namespace
}  // namespace probed::mod::http
