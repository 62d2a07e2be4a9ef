// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Probes in programs of Go: by the table of the runtime, in any layout the linker makes; and none at all when anything
// in the file is not what it should be.
#include "modules/tls/tests/go_program.h"

#include <gmock/gmock.h>
#include <sys/mman.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "modules/tls/attach.h"

namespace probed::mod::tls {
namespace {

using std::string_literals::operator""s;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

// cmp 0x10(%r14),%rsp; jbe; push %rbp; pop %rbp; ret; int3
const std::string kCode = "\x49\x3b\x66\x10\x76\x06\x55\x5d\xc3\xcc"s;
const std::string kOther = "\x31\xc0\xc3\xcc\xcc\xcc"s;
constexpr std::size_t kJumpAt = 4;
constexpr std::size_t kReturnAt = 8;

/// The programs of the sites and their distances from the first function.
std::vector<std::string> SitesOf(const GoProgram& program, const std::string& file) {
  const int fd = memfd_create("go", MFD_CLOEXEC);
  EXPECT_EQ(write(fd, file.data(), file.size()), static_cast<ssize_t>(file.size()));
  std::vector<std::string> found;
  for (const probe_site_t& site : FindSites(fd)) {
    EXPECT_EQ(site.is_return, 0);
    found.push_back(std::string(sdk::FromAbi(site.program)) + " " + std::to_string(site.file_offset - program.code));
  }
  close(fd);
  return found;
}

std::vector<std::string> SitesOf(const GoProgram& program) { return SitesOf(program, program.file); }

std::vector<GoProgramFunction> Both() {
  return {{"internal/abi.Kind.String", kOther},           {"crypto/tls.(*Conn).Read", kCode},
          {"crypto/tls.(*Conn).Read.deferwrap1", kOther}, {"crypto/tls.(*Conn).writeRecordLocked", kCode},
          {"crypto/tls.(*Conn).clientHandshake", kCode},  {"main.main", kOther}};
}

std::string At(const char* program, std::size_t offset) { return std::string(program) + " " + std::to_string(offset); }

constexpr char kVerify[] = "crypto/tls.(*Conn).verifyServerCertificate";

auto AllSites() {
  const std::size_t read = kOther.size();
  const std::size_t write = read + kCode.size() + kOther.size();
  const std::size_t handshake = write + kCode.size();
  return ElementsAre(At("tls_go_enter", read + kJumpAt), At("tls_go_read", read + kReturnAt),
                     At("tls_go_write", write + kJumpAt), At("tls_go_shake", handshake + kJumpAt),
                     At("tls_go_shook", handshake + kReturnAt));
}

TEST(TlsGoProgram, FindsFunctionsByTheTableOfTheRuntime) { EXPECT_THAT(SitesOf(MakeGoProgram(Both())), AllSites()); }

TEST(TlsGoProgram, KnowsOlderTablesAndOtherSections) {
  EXPECT_THAT(SitesOf(MakeGoProgram(Both(), {.magic = 0xfffffff0})), AllSites());
  EXPECT_THAT(SitesOf(MakeGoProgram(Both(), {.table_section = ".data.rel.ro.gopclntab"})), AllSites());
}

TEST(TlsGoProgram, ProvesByTheCodeWhereTheFunctionsAre) {
  EXPECT_THAT(SitesOf(MakeGoProgram(Both(), {.text = 0})), AllSites());  // Go 1.26, or to be relocated
  EXPECT_THAT(SitesOf(MakeGoProgram(Both(), {.text = 0x400ff0})), AllSites());
  EXPECT_THAT(SitesOf(MakeGoProgram(Both(), {.text_section = 0x400100})), AllSites());  // something else stands first
  EXPECT_THAT(SitesOf(MakeGoProgram(Both(), {.text = 0, .text_section = 0x400100})), IsEmpty());
}

TEST(TlsGoProgram, LeavesProgramsWithoutTlsAlone) {
  EXPECT_THAT(SitesOf(MakeGoProgram({{"main.main", kOther}})), IsEmpty());
  EXPECT_THAT(SitesOf(MakeGoProgram({{"main.main", kOther}, {"crypto/tls.(*Conn).Read", kCode}})), IsEmpty());
}

TEST(TlsGoProgram, LeavesAloneWhatItDoesNotKnow) {
  EXPECT_THAT(SitesOf(MakeGoProgram(Both(), {.magic = 0xfffffffa})), IsEmpty());  // Go 1.17
  EXPECT_THAT(SitesOf(MakeGoProgram(Both(), {.machine = 183})), IsEmpty());       // another machine
  auto other = Both();
  other[3].code = kOther;  // one of the functions is no code it knows
  EXPECT_THAT(SitesOf(MakeGoProgram(other)), IsEmpty());
}

TEST(TlsGoProgram, SurvivesFilesThatEndAnywhere) {
  const GoProgram program = MakeGoProgram(Both());
  for (std::size_t size = 0; size < program.file.size(); ++size) SitesOf(program, program.file.substr(0, size));
}

TEST(TlsGoProgram, SurvivesLiesInTheTable) {
  const GoProgram program = MakeGoProgram(Both());
  for (std::size_t at = program.table; at < program.file.size(); ++at) {
    for (const char lie : {'\0', '\1', '\x7f', '\xff'}) {
      std::string file = program.file;
      file[at] = lie;
      SitesOf(program, file);
    }
  }
}

TEST(TlsGoProgram, CertificatesAreNotNeededForTheRest) {
  std::vector<GoProgramFunction> functions = Both();
  functions.push_back({kVerify, kCode});
  EXPECT_THAT(SitesOf(MakeGoProgram(functions)), ::testing::Contains(::testing::StartsWith("tls_go_certificate ")));
  functions.back().code = kOther;
  EXPECT_THAT(SitesOf(MakeGoProgram(functions)), AllSites());
}

}  // namespace
}  // namespace probed::mod::tls
