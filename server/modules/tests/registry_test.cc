// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/modules/registry.h"

#include <elf.h>
#include <gmock/gmock.h>

#include "server/base/error_details.h"
#include "server/modules/reasons.h"
#include "server/modules/tests/elf_writer.h"
#include "server/modules/tests/test_files.h"

namespace probed::modules {
namespace {

using testing::FixturePath;
using ::testing::HasSubstr;
using testing::InstallFixture;
using ::testing::IsEmpty;
using testing::ReadFile;
using testing::TempDir;
using testing::TestTrust;
using testing::WriteFile;

class RegistryTest : public ::testing::Test {
 protected:
  ModuleInfo Only() {
    const auto infos = registry_.Discover();
    EXPECT_EQ(infos.size(), 1U);
    return infos.empty() ? ModuleInfo() : infos[0];
  }
  std::string OpenReason(const std::string& name) { return GetErrorDetails(registry_.Open(name).status()).reason; }

  TempDir dir_;
  Registry registry_{{dir_.path()}, TestTrust()};
};

TEST_F(RegistryTest, DescribesAModule) {
  InstallFixture("echo", dir_);
  const ModuleInfo info = Only();
  EXPECT_EQ(info.name, "echo");
  EXPECT_EQ(info.version, "1.2.3");
  EXPECT_EQ(info.status, "beta");
  EXPECT_EQ(info.description, "Fixture echo");
  EXPECT_EQ(info.path, dir_ / "echo.so");
  EXPECT_EQ(info.digest, Sha256Hex(testing::AsBytes(ReadFile(FixturePath("echo")))));
  EXPECT_THAT(info.manifest_json, HasSubstr("\"config\":"));
  EXPECT_EQ(info.problem, "");
}

TEST_F(RegistryTest, OpensAModuleAndItsCode) {
  InstallFixture("echo", dir_);
  auto opened = registry_.Open("echo");
  ASSERT_TRUE(opened.ok()) << opened.status();
  EXPECT_EQ(opened->manifest().name, "echo");
  EXPECT_NE(opened->entry().create, nullptr);
  EXPECT_THAT(opened->BpfPrototypes(), IsEmpty());
  EXPECT_TRUE(absl::IsNotFound(opened->BpfObject("sock").status()));
  EXPECT_THAT(opened->library().Unload().left_behind, IsEmpty());
}

TEST_F(RegistryTest, DescribesAHalfWrittenFileUntilItIsWhole) {
  const std::string whole = ReadFile(FixturePath("echo"));
  WriteFile(dir_ / "echo.so", whole.substr(0, whole.size() / 2));
  EXPECT_EQ(Only().reason, kModuleCorrupt);
  EXPECT_THAT(Only().problem, HasSubstr("truncated"));
  EXPECT_EQ(OpenReason("echo"), kModuleCorrupt);
  WriteFile(dir_ / "echo.so", whole);
  EXPECT_EQ(Only().problem, "");
  EXPECT_EQ(Only().version, "1.2.3");
}

TEST_F(RegistryTest, DescribesWhatItMayNotRead) {
  InstallFixture("echo", dir_);
  std::filesystem::permissions(dir_ / "echo.so", std::filesystem::perms(0777));
  EXPECT_EQ(Only().reason, kModuleUntrustedPath);
  EXPECT_THAT(Only().problem, HasSubstr("world-writable"));
  EXPECT_EQ(Only().digest, "") << "not even read";
  EXPECT_EQ(OpenReason("echo"), kModuleUntrustedPath);
}

TEST_F(RegistryTest, RefusesAModuleUnderAnotherName) {
  InstallFixture("echo", dir_, "liar");
  EXPECT_EQ(Only().name, "liar");
  EXPECT_EQ(Only().reason, kManifestInvalid);
  EXPECT_EQ(OpenReason("liar"), kManifestInvalid);
}

TEST_F(RegistryTest, SeesAReplacedFileUnderTheSameName) {
  InstallFixture("echo", dir_);
  auto first = registry_.Open("echo");
  const std::string digest = Only().digest;
  InstallFixture("echo_long", dir_, "echo.new");
  std::filesystem::rename(dir_ / "echo.new.so", dir_ / "echo.so");
  EXPECT_NE(Only().digest, digest);
  ASSERT_TRUE(first.ok());
  EXPECT_EQ(first->digest(), digest) << "what is loaded stays what it was";
  EXPECT_NE(first->entry().create, nullptr);
}

TEST_F(RegistryTest, ForgetsModulesThatAreGone) {
  InstallFixture("echo", dir_);
  Only();
  std::filesystem::remove(dir_ / "echo.so");
  EXPECT_THAT(registry_.Discover(), IsEmpty());
  EXPECT_EQ(OpenReason("echo"), kModuleNotFound);
}

TEST_F(RegistryTest, DescribesButDoesNotOpenAModuleWithoutCode) {
  std::filesystem::create_directory(dir_ / "runq");
  WriteFile(
      dir_ / "runq/manifest.json",
      R"({"name": "runq", "version": "2", "abi": {"major": 1}, "license": "GPL-2.0-only", "description": "Run queue"})");
  EXPECT_THAT(Only().problem, HasSubstr("runq.bpf.o does not exist"));
  Elf64_Ehdr header{};
  std::memcpy(header.e_ident, ELFMAG, SELFMAG);
  header.e_machine = EM_BPF;
  header.e_type = ET_REL;
  WriteFile(dir_ / "runq/runq.bpf.o", {reinterpret_cast<const char*>(&header), sizeof(header)});
  EXPECT_EQ(Only().problem, "");
  EXPECT_EQ(Only().description, "Run queue");
  EXPECT_TRUE(Only().codeless);
  const Status status = registry_.Open("runq").status();
  EXPECT_TRUE(absl::IsUnimplemented(status));
  EXPECT_EQ(GetErrorDetails(status).reason, kModuleCodeless);
}

TEST_F(RegistryTest, ReadsAManifestWithoutLoading) {
  InstallFixture("echo_magic", dir_);
  const auto manifest = registry_.ReadManifest("echo_magic");
  ASSERT_TRUE(manifest.ok()) << manifest.status();
  EXPECT_EQ(manifest->name, "echo_magic");
  EXPECT_EQ(OpenReason("echo_magic"), kModuleAbiMismatch);
}

TEST_F(RegistryTest, ListsBadModulesBesideGoodOnes) {
  InstallFixture("echo", dir_);
  InstallFixture("echo_nosym", dir_);
  WriteFile(dir_ / "text.so", "text");
  WriteFile(dir_ / "empty.so", "");
  const auto infos = registry_.Discover();
  ASSERT_EQ(infos.size(), 4U);
  EXPECT_EQ(infos[0].problem, "");
  EXPECT_THAT(infos[1].problem, HasSubstr("exports no probe_module_entry"));
  EXPECT_THAT(infos[2].problem, HasSubstr("too short"));
  EXPECT_THAT(infos[3].problem, HasSubstr("too short"));
}

}  // namespace
}  // namespace probed::modules
