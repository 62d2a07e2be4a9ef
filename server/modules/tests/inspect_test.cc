// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/modules/inspect.h"

#include <elf.h>
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "api/module/probe_module.h"
#include "server/base/error_details.h"
#include "server/modules/reasons.h"
#include "server/modules/sealed_image.h"
#include "server/modules/tests/elf_writer.h"
#include "server/modules/tests/test_files.h"

namespace probed::modules {
namespace {

using testing::AsBytes;
using testing::ElfWriter;
using testing::FixturePath;
using ::testing::HasSubstr;
using testing::ReadFile;

nlohmann::json MinimalManifest() {
  return {{"name", "m"}, {"version", "1"}, {"abi", {{"major", +PROBE_ABI_MAJOR}}}, {"license", "Apache-2.0"}};
}

nlohmann::json WithObject(const std::string& digest, const std::string& section = ".probed.bpf.0") {
  nlohmann::json manifest = MinimalManifest();
  manifest["bpf_objects"] = {{{"section", section}, {"prototype", "sock"}, {"sha256", digest}}};
  return manifest;
}

ElfWriter Module(const std::string& manifest) {
  ElfWriter writer;
  writer.AddSection(".probed.manifest", SHT_PROGBITS, manifest);
  writer.Export(PROBE_MODULE_SYMBOL, sizeof(probe_module_entry_t));
  return writer;
}

Result<Inspection> Inspect(const std::string& file) { return InspectImage(AsBytes(file), "m"); }
std::string ReasonOf(const Status& status) { return GetErrorDetails(status).reason; }

TEST(Inspect, ReadsABuiltModule) {
  const auto inspection = InspectImage(AsBytes(ReadFile(FixturePath("echo"))), "echo");
  ASSERT_TRUE(inspection.ok()) << inspection.status();
  EXPECT_EQ(inspection->manifest.version, "1.2.3");
  EXPECT_EQ(inspection->entry_size, sizeof(probe_module_entry_t));
}

TEST(Inspect, PlacesTheKernelObjects) {
  const std::string object = "kernel code";
  ElfWriter writer = Module(WithObject(Sha256Hex(AsBytes(object))).dump());
  writer.AddSection(".probed.bpf.0", SHT_PROGBITS, object);
  const std::string file = writer.Build();
  const auto inspection = Inspect(file);
  ASSERT_TRUE(inspection.ok()) << inspection.status();
  ASSERT_EQ(inspection->objects.size(), 1U);
  EXPECT_EQ(inspection->objects[0].prototype, "sock");
  EXPECT_EQ(file.substr(inspection->objects[0].offset, inspection->objects[0].size), object);
}

TEST(Inspect, RefusesAnObjectThatIsNotTheOneOfTheManifest) {
  ElfWriter writer = Module(WithObject(Sha256Hex(AsBytes("this"))).dump());
  writer.AddSection(".probed.bpf.0", SHT_PROGBITS, "that");
  const Status status = Inspect(writer.Build()).status();
  EXPECT_EQ(ReasonOf(status), kModuleDigestMismatch);
  EXPECT_THAT(std::string(Message(status)), HasSubstr(".probed.bpf.0 has digest"));
}

TEST(Inspect, RefusesAnObjectThatIsNotThere) {
  const Status status = Inspect(Module(WithObject(std::string(64, 'a'), ".probed.bpf.9").dump()).Build()).status();
  EXPECT_EQ(ReasonOf(status), kModuleCorrupt);
  EXPECT_THAT(std::string(Message(status)), HasSubstr("has no section .probed.bpf.9"));
}

TEST(Inspect, RefusesAManifestOfAnotherName) {
  nlohmann::json manifest = MinimalManifest();
  manifest["name"] = "other";
  const Status status = Inspect(Module(manifest.dump()).Build()).status();
  EXPECT_EQ(ReasonOf(status), kManifestInvalid);
  EXPECT_EQ(GetErrorDetails(status).fields[0].path, "name");
}

TEST(Inspect, RefusesAnAbiItDoesNotHave) {
  nlohmann::json manifest = MinimalManifest();
  manifest["abi"]["major"] = PROBE_ABI_MAJOR + 1;
  EXPECT_EQ(ReasonOf(Inspect(Module(manifest.dump()).Build()).status()), kModuleAbiMismatch);
  manifest["abi"]["major"] = +PROBE_ABI_MAJOR;
  manifest["abi"]["min_minor"] = PROBE_ABI_MINOR + 1;
  EXPECT_EQ(ReasonOf(Inspect(Module(manifest.dump()).Build()).status()), kModuleAbiMismatch);
}

TEST(Inspect, RefusesWhatHasNoManifestOrNoSymbol) {
  EXPECT_THAT(std::string(Message(Inspect(ElfWriter().Build()).status())), HasSubstr("no section .probed.manifest"));
  ElfWriter writer;
  writer.AddSection(".probed.manifest", SHT_PROGBITS, MinimalManifest().dump());
  writer.Export("something_else", 8);
  const Status status = Inspect(writer.Build()).status();
  EXPECT_EQ(ReasonOf(status), kModuleAbiMismatch);
  EXPECT_THAT(std::string(Message(status)), HasSubstr("exports no probe_module_entry"));
}

TEST(Inspect, KeepsTheFieldsOfABrokenManifest) {
  const Status status = Inspect(Module(R"({"name": "m"})").Build()).status();
  EXPECT_EQ(ReasonOf(status), kManifestInvalid);
  EXPECT_EQ(GetErrorDetails(status).fields.size(), 3U);
  EXPECT_THAT(std::string(Message(status)), HasSubstr("module m: the manifest is invalid: version is missing"));
}

TEST(Inspect, IgnoresZerosBehindTheManifest) {
  EXPECT_TRUE(Inspect(Module(MinimalManifest().dump() + std::string(5, '\0')).Build()).ok());
}

std::string BpfElf() {
  Elf64_Ehdr header{};
  std::memcpy(header.e_ident, ELFMAG, SELFMAG);
  header.e_machine = EM_BPF;
  header.e_type = ET_REL;
  return {reinterpret_cast<const char*>(&header), sizeof(header)};
}

TEST(InspectFolder, ReadsAModuleWithoutCode) {
  const std::string object = BpfElf();
  const auto plain = InspectFolder(AsBytes(MinimalManifest().dump()), AsBytes(object), "m");
  ASSERT_TRUE(plain.ok()) << plain.status();
  EXPECT_EQ(plain->objects[0].size, object.size());
  const std::string declared = WithObject(Sha256Hex(AsBytes(object)), "m.bpf.o").dump();
  EXPECT_TRUE(InspectFolder(AsBytes(declared), AsBytes(object), "m").ok());
}

TEST(InspectFolder, RefusesAWrongObject) {
  EXPECT_EQ(ReasonOf(InspectFolder(AsBytes(MinimalManifest().dump()), AsBytes("text"), "m").status()), kModuleCorrupt);
  const std::string lying = WithObject(std::string(64, '0'), "m.bpf.o").dump();
  EXPECT_EQ(ReasonOf(InspectFolder(AsBytes(lying), AsBytes(BpfElf()), "m").status()), kModuleDigestMismatch);
}

}  // namespace
}  // namespace probed::modules
