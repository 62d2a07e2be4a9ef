// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/modules/library.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <set>
#include <thread>

#include "api/sdk/testing/fake_host.h"
#include "server/base/error_details.h"
#include "server/modules/instance.h"
#include "server/modules/reasons.h"
#include "server/modules/tests/test_files.h"

namespace probed::modules {
namespace {

using testing::FixturePath;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using testing::ReadFile;
using testing::SealFile;
using ::testing::SizeIs;
using testing::TempDir;
using testing::WriteFile;

Result<Library> Load(const std::string& name) { return Library::Load(SealFile(FixturePath(name)), name, 0); }
std::string ReasonOf(const Status& status) { return GetErrorDetails(status).reason; }
std::string TextOf(const Status& status) { return std::string(Message(status)); }

TEST(UnusedPath, IsNeverTheSameAndAlwaysTheFile) {
  const TempDir dir;
  WriteFile(dir / "file", "here");
  const Fd file(open((dir / "file").c_str(), O_RDONLY | O_CLOEXEC));
  std::set<std::string> seen;
  for (int i = 0; i < 2000; ++i) {
    const std::string path = UnusedPathOf(file.get());
    EXPECT_TRUE(seen.insert(path).second) << path;
    EXPECT_EQ(ReadFile(path), "here") << path;
    EXPECT_LT(path.size(), 100U);
  }
}

TEST(Library, LoadsAndUnmaps) {
  const SealedImage image = SealFile(FixturePath("echo"));
  auto library = Library::Load(image, "echo", sizeof(probe_module_entry_t));
  ASSERT_TRUE(library.ok()) << library.status();
  EXPECT_NE(library->entry().create, nullptr);
  EXPECT_EQ(library->entry().on_event, nullptr);
  EXPECT_THAT(MappingsOf(ReadFile("/proc/self/maps"), image.device(), image.inode()), Not(IsEmpty()));
  const UnloadOutcome outcome = library->Unload();
  EXPECT_THAT(outcome.left_behind, IsEmpty());
#ifndef PROBED_SANITIZED
  EXPECT_THAT(MappingsOf(ReadFile("/proc/self/maps"), image.device(), image.inode()), IsEmpty());
#endif
  EXPECT_EQ(library->entry().create, nullptr);
}

TEST(Library, LoadsTheNewFileEachTime) {
  const TempDir dir;
  for (const char* fixture : {"echo", "echo_long", "echo"}) {
    // Same path, same descriptor number: what the loader would take for the library it knows.
    std::filesystem::copy_file(FixturePath(fixture), dir / "m.so", std::filesystem::copy_options::overwrite_existing);
    const SealedImage image = SealFile(dir / "m.so");
    const auto library = Library::Load(image, "m", 0);
    ASSERT_TRUE(library.ok()) << library.status();
    EXPECT_EQ(library->entry().abi_minor, std::string(fixture) == "echo" ? PROBE_ABI_MINOR : PROBE_ABI_MINOR + 7);
  }
}

TEST(Library, HoldsTwoVersionsAtOnce) {
  const auto first = Load("echo");
  const auto second = Load("echo");
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_NE(first->entry().create, second->entry().create);
}

TEST(Library, ReadsAShorterEntryAsLackingItsTail) {
  const auto library = Load("echo_short");
  ASSERT_TRUE(library.ok()) << library.status();
  EXPECT_NE(library->entry().on_segment, nullptr);
  EXPECT_EQ(library->entry().on_gap, nullptr);
  EXPECT_EQ(library->entry().retire, nullptr);
}

TEST(Library, IgnoresTheTailOfALongerEntry) {
  const auto library = Load("echo_long");
  ASSERT_TRUE(library.ok()) << library.status();
  EXPECT_EQ(library->entry().struct_size, sizeof(probe_module_entry_t));
  EXPECT_EQ(library->entry().abi_minor, PROBE_ABI_MINOR + 7);
}

TEST(Library, RefusesWhatIsNoModuleOfThisAbi) {
  EXPECT_EQ(ReasonOf(Load("echo_magic").status()), kModuleAbiMismatch);
  EXPECT_THAT(TextOf(Load("echo_magic").status()), HasSubstr("wrong magic"));
  EXPECT_EQ(ReasonOf(Load("echo_major").status()), kModuleAbiMismatch);
  EXPECT_THAT(TextOf(Load("echo_major").status()),
              HasSubstr(fmt::format("built for ABI 2.{0}, this daemon has 1.{0}", +PROBE_ABI_MINOR)));
  EXPECT_THAT(TextOf(Load("echo_nosym").status()), HasSubstr("exports no probe_module_entry"));
  EXPECT_THAT(TextOf(Load("echo_gap").status()), HasSubstr("function prepare is missing"));
}

TEST(Library, RefusesAnEntryThatSaysMoreThanItHas) {
  const auto library = Library::Load(SealFile(FixturePath("echo_lies")), "m", sizeof(probe_module_entry_t));
  EXPECT_EQ(ReasonOf(library.status()), kModuleCorrupt);
  probe_module_entry_t entry{};
  EXPECT_EQ(ReasonOf(AdoptEntry(&entry, 4, "m", &entry)), kModuleCorrupt);
}

TEST(Library, RefusesAnEntryThatIsTooShort) {
  probe_module_entry_t entry{};
  entry.magic = PROBE_MODULE_MAGIC;
  entry.abi_major = PROBE_ABI_MAJOR;
  entry.struct_size = offsetof(probe_module_entry_t, shard_stop);
  probe_module_entry_t ours{};
  EXPECT_THAT(TextOf(AdoptEntry(&entry, sizeof(entry), "m", &ours)), HasSubstr("at least"));
}

TEST(Library, GivesTheLoadersOwnWords) {
  const TempDir dir;
  WriteFile(dir / "m.so", "no library");
  const auto library = Library::Load(SealFile(dir / "m.so"), "m", 0);
  EXPECT_EQ(ReasonOf(library.status()), kModuleLoadFailed);
  EXPECT_THAT(TextOf(library.status()), HasSubstr("file too short"));
}

#ifndef PROBED_SANITIZED
TEST(Library, SaysWhenCodeStaysBehind) {
  sdk::testing::FakeHost host;
  UnloadOutcome outcome;
  // A thread that lives on and has used a thread_local of the module: dlclose says 0 and does nothing.
  std::thread([&] {
    auto library = Load("echo_sticky");
    {
      auto instance = ModuleInstance::Create("echo_sticky", 1, library->entry(), *host.table());
      auto shard = (*instance)->StartShard(0, host.shard_context());
      probe_stream_t* stream = host.NewStream();
      probe_segment_t segment{};
      segment.struct_size = sizeof(segment);
      EXPECT_TRUE(shard->OnSegment(stream, &stream->state, segment));
    }
    outcome = library->Unload();
  }).join();
  EXPECT_THAT(outcome.left_behind, Not(IsEmpty()));
  EXPECT_THAT(outcome.left_behind[0], HasSubstr("/memfd:probed-test"));
}
#endif

TEST(MappingsOf, ComparesDeviceAndInode) {
  const std::string maps =
      "7f00-7f10 r-xp 00000000 00:01 4711                      /memfd:probed-m (deleted)\n"
      "7f10-7f20 r-xp 00000000 00:01 47111                     /memfd:probed-m (deleted)\n"
      "7f20-7f30 r-xp 00000000 fe:01 4711                      /usr/lib/libc.so.6\n";
  EXPECT_THAT(MappingsOf(maps, makedev(0, 1), 4711), SizeIs(1));
  EXPECT_THAT(MappingsOf(maps, makedev(0xfe, 1), 4711), SizeIs(1));
  EXPECT_THAT(MappingsOf(maps, makedev(0, 1), 471), IsEmpty());
}

}  // namespace
}  // namespace probed::modules
