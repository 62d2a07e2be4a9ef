// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Where the probes go in a file: all of an interface that is there, nothing of one that is there in part.
#include "modules/tls/attach.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <unistd.h>

#include <string>
#include <vector>

namespace probed::mod::tls {
namespace {

using ::testing::ElementsAre;

std::vector<probe_site_t> SitesOf(const char* path) {
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  EXPECT_GE(fd, 0);
  std::vector<probe_site_t> sites = FindSites(fd);
  close(fd);
  return sites;
}

TEST(TlsAttach, ProbesEntriesAndReturnsOfCodeItDoesNotKnow) {
  std::vector<std::string> found;
  for (const probe_site_t& site : SitesOf(PROBED_TLS_FIXTURE))
    found.push_back(std::string(sdk::FromAbi(site.program)) + (site.is_return != 0 ? " return" : ""));
  EXPECT_THAT(found, ElementsAre("tls_enter", "tls_read return", "tls_enter", "tls_wrote return", "tls_enter_blind",
                                 "tls_shook_hands return", "tls_seal", "tls_certificate"));
}

TEST(TlsAttach, SitesAreWhereTheFunctionsAre) {
  const std::vector<probe_site_t> sites = SitesOf(PROBED_TLS_FIXTURE);
  ASSERT_EQ(sites.size(), 8U);
  EXPECT_EQ(sites[0].file_offset, sites[1].file_offset);
  EXPECT_NE(sites[0].file_offset, sites[2].file_offset);
}

TEST(TlsAttach, LeavesOtherFilesAlone) {
  EXPECT_TRUE(SitesOf("/proc/self/exe").empty());
  EXPECT_TRUE(SitesOf("/dev/null").empty());
}

}  // namespace
}  // namespace probed::mod::tls
