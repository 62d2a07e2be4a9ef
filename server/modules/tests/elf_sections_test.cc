// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/modules/elf_sections.h"

#include <elf.h>
#include <gmock/gmock.h>

#include <random>

#include "api/module/probe_module.h"
#include "server/modules/tests/elf_writer.h"
#include "server/modules/tests/test_files.h"

namespace probed::modules {
namespace {

using testing::AsBytes;
using ::testing::Contains;
using testing::ElfWriter;
using ::testing::Field;
using testing::FixturePath;
using ::testing::HasSubstr;
using testing::ReadFile;

std::string Refusal(const std::string& file) {
  const auto elf = ElfImage::Parse(AsBytes(file));
  return elf.ok() ? "" : std::string(Message(elf.status()));
}

/// Reads everything there is to read; the point is to come back.
void ReadAll(const std::string& file) {
  const auto elf = ElfImage::Parse(AsBytes(file));
  if (!elf.ok()) return;
  for (const auto& section : elf->sections()) static_cast<void>(elf->Find(section.name).ok());
  static_cast<void>(elf->DynamicSymbols().ok());
  static_cast<void>(elf->NeededLibraries().ok());
}

TEST(ElfSections, ReadsABuiltModule) {
  const std::string file = ReadFile(FixturePath("echo"));
  const auto elf = ElfImage::Parse(AsBytes(file));
  ASSERT_TRUE(elf.ok()) << elf.status();
  const auto manifest = elf->Find(".probed.manifest");
  ASSERT_TRUE(manifest.ok() && manifest->has_value());
  const std::string text((*manifest)->begin(), (*manifest)->end());
  EXPECT_THAT(text, HasSubstr("\"name\":\"echo\""));
  const auto symbols = elf->DynamicSymbols();
  ASSERT_TRUE(symbols.ok());
  EXPECT_THAT(*symbols, Contains(Field(&ElfSymbol::name, "probe_module_entry")));
  for (const ElfSymbol& symbol : *symbols) {
    if (symbol.name != "probe_module_entry") continue;
    EXPECT_EQ(symbol.size, sizeof(probe_module_entry_t));
  }
  const auto needed = elf->NeededLibraries();
  ASSERT_TRUE(needed.ok());
  EXPECT_THAT(*needed, Contains(HasSubstr("libc.so")));
}

TEST(ElfSections, SaysWhatIsWrongWithAFile) {
  EXPECT_THAT(Refusal(""), HasSubstr("too short"));
  EXPECT_THAT(Refusal(std::string(200, 'x')), HasSubstr("not an ELF file"));
  std::string file = ElfWriter().Build();
  file[EI_CLASS] = ELFCLASS32;
  EXPECT_THAT(Refusal(file), HasSubstr("64-bit"));
  file = ElfWriter().Build();
  file[offsetof(Elf64_Ehdr, e_machine)] = 2;
  EXPECT_THAT(Refusal(file), HasSubstr("another machine"));
  file = ElfWriter().Build();
  file[offsetof(Elf64_Ehdr, e_type)] = ET_EXEC;
  EXPECT_THAT(Refusal(file), HasSubstr("not a shared object"));
}

TEST(ElfSections, FindsNothingButRefusesTwoOfAName) {
  ElfWriter writer;
  writer.AddSection(".one", SHT_PROGBITS, "1");
  writer.AddSection(".two", SHT_PROGBITS, "2");
  writer.AddSection(".two", SHT_PROGBITS, "3");
  const std::string file = writer.Build();
  const auto elf = ElfImage::Parse(AsBytes(file));
  ASSERT_TRUE(elf.ok()) << elf.status();
  EXPECT_EQ((*elf->Find(".one"))->size(), 1U);
  EXPECT_FALSE(elf->Find(".none")->has_value());
  EXPECT_FALSE(elf->Find(".two").ok());
}

TEST(ElfSections, RefusesABuiltModuleCutAnywhere) {
  const std::string file = ReadFile(FixturePath("echo"));
  // Section headers are the end of the file: every cut takes some of them.
  for (std::size_t size = 0; size < file.size(); size += 97) {
    EXPECT_NE(Refusal(file.substr(0, size)), "") << size;
  }
  EXPECT_THAT(Refusal(file.substr(0, file.size() - 1)), HasSubstr("truncated"));
}

TEST(ElfSections, SurvivesAnyDamage) {
  const std::string file = ReadFile(FixturePath("echo"));
  std::mt19937 random(1);
  for (int round = 0; round < 3000; ++round) {
    std::string damaged = round % 2 == 0 ? file : ElfWriter().Export("symbol", 8).Build();
    for (int i = 0; i < 8; ++i) {
      // Headers at both ends are where the offsets are.
      const std::size_t span = std::min<std::size_t>(damaged.size(), 2048);
      const std::size_t at = random() % span;
      damaged[random() % 2 == 0 ? at : damaged.size() - 1 - at] = static_cast<char>(random());
    }
    ReadAll(damaged);
  }
}

TEST(ElfSections, BoundsTheLengthOfNames) {
  ElfWriter writer;
  writer.AddSection(std::string(100000, 'n'), SHT_PROGBITS, "x");
  EXPECT_THAT(Refusal(writer.Build()), HasSubstr("no name for section"));
}

}  // namespace
}  // namespace probed::modules
