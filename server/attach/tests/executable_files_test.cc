// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/attach/executable_files.h"

#include <gmock/gmock.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

namespace probed::attach {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<std::string> Paths(std::string_view maps) {
  std::vector<std::string> paths;
  for (const MappedFile& file : ParseExecutableFiles(maps)) paths.push_back(file.path);
  return paths;
}

TEST(ParseExecutableFiles, TakesEachExecutableFileOnce) {
  const auto files = ParseExecutableFiles(
      "55d0c0000000-55d0c0001000 r--p 00000000 fd:01 77   /usr/bin/app\n"
      "55d0c0001000-55d0c0002000 r-xp 00001000 fd:01 77   /usr/bin/app\n"
      "7f0000000000-7f0000001000 r-xp 00001000 fd:01 88   /usr/lib/libc.so.6\n"
      "7f0000002000-7f0000003000 r-xp 00003000 fd:01 88   /usr/lib/libc.so.6\n"
      "7f0000004000-7f0000005000 rw-p 00004000 fd:01 99   /var/data\n");
  ASSERT_EQ(files.size(), 2U);
  EXPECT_EQ(files[0].path, "/usr/bin/app");
  EXPECT_EQ(files[0].range, "55d0c0001000-55d0c0002000");
  EXPECT_EQ(files[0].key, (FileKey{.device = 0xfdULL << 32U | 1U, .inode = 77}));
  EXPECT_EQ(files[1].range, "7f0000000000-7f0000001000");
}

TEST(ParseExecutableFiles, NamesLowAddressesAsMapFilesDoes) {
  const auto files = ParseExecutableFiles(
      "00400000-006f3000 r-xp 00000000 fd:01 77   /opt/linked/at/a/fixed/address\n"
      "00000000-00001000 r-xp 00000000 fd:01 78   /opt/at/zero\n");
  ASSERT_EQ(files.size(), 2U);
  EXPECT_EQ(files[0].range, "400000-6f3000");
  EXPECT_EQ(files[1].range, "0-1000");
}

TEST(ParseExecutableFiles, KeepsBlanksAndDeletedFiles) {
  EXPECT_THAT(Paths("7f0000000000-7f0000001000 r-xp 00001000 fd:01 8    /opt/my app/lib x.so (deleted)"),
              ElementsAre("/opt/my app/lib x.so (deleted)"));
}

TEST(ParseExecutableFiles, LeavesOutWhatIsNoFile) {
  EXPECT_THAT(Paths("7ffc00000000-7ffc00001000 r-xp 00000000 00:00 0    [vdso]\n"
                    "7f0000000000-7f0000001000 rwxp 00000000 00:00 0\n"
                    "7f0000000000-7f0000001000 r-xs 00000000 00:01 5    /memfd:jit (deleted)\n"
                    "7f0000000000-7f0000001000 r-xp 00000000 00:0e 5    anon_inode:[perf_event]\n"),
              IsEmpty());
}

TEST(ParseExecutableFiles, SurvivesGarbage) {
  for (const char* text :
       {"", "\n\n", "x", "1-2 r-xp", "1-2 r-xp 0 fd:01", "1-2 r-xp 0 fd01 3 /a", "1-2 r-xp 0 g:1 3 /a",
        "1-2 r-xp 0 fd:01 x /a", "1-2 r-xp 0 fd:01 99999999999999999999999 /a", "   "})
    EXPECT_THAT(Paths(text), IsEmpty()) << text;
}

TEST(ReadExecutableFiles, FindsAndOpensThisProgram) {
  const auto files = ReadExecutableFiles(static_cast<std::uint32_t>(getpid()));
  ASSERT_TRUE(files.has_value());
  struct stat self{};
  ASSERT_EQ(stat("/proc/self/exe", &self), 0);
  const auto found =
      std::find_if(files->begin(), files->end(), [&](const MappedFile& file) { return file.key.inode == self.st_ino; });
  ASSERT_NE(found, files->end());
  const Result<Fd> opened = OpenMappedFile(static_cast<std::uint32_t>(getpid()), *found);
  ASSERT_TRUE(opened.ok()) << opened.status();
  struct stat facts{};
  ASSERT_EQ(fstat(opened->get(), &facts), 0);
  EXPECT_EQ(facts.st_ino, self.st_ino);
}

TEST(ReadExecutableFiles, SaysWhenNothingIsThere) {
  constexpr std::uint32_t kNobody = 0x7fffffff;
  EXPECT_FALSE(ReadExecutableFiles(kNobody).has_value());
  EXPECT_EQ(OpenMappedFile(kNobody, {.key = {}, .range = "1-2", .path = "/x"}).status().code(),
            absl::StatusCode::kNotFound);
}

// The maps of a process that has ended, but was not waited for, can be opened and not read.
TEST(ReadExecutableFiles, SurvivesAProcessThatEnds) {
  const pid_t child = fork();
  if (child == 0) _exit(0);
  siginfo_t ended{};
  ASSERT_EQ(waitid(P_PID, static_cast<id_t>(child), &ended, WEXITED | WNOWAIT), 0);
  const auto files = ReadExecutableFiles(static_cast<std::uint32_t>(child));
  EXPECT_TRUE(!files || files->empty());
  waitid(P_PID, static_cast<id_t>(child), &ended, WEXITED);
}

}  // namespace
}  // namespace probed::attach
