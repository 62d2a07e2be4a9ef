// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/discovery/go_binary.h"

#include <elf.h>
#include <gmock/gmock.h>

#include <cstring>

#include "server/discovery/tests/fake_proc.h"

namespace probed::discovery {
namespace {

// An ELF header, one section header (the table of names) and the names.
std::string ElfWithNames(const std::string& names) {
  Elf64_Ehdr header{};
  std::memcpy(header.e_ident, ELFMAG, SELFMAG);
  header.e_ident[EI_CLASS] = ELFCLASS64;
  header.e_ident[EI_DATA] = ELFDATA2LSB;
  header.e_shoff = sizeof(header);
  header.e_shentsize = sizeof(Elf64_Shdr);
  header.e_shnum = 1;
  Elf64_Shdr section{};
  section.sh_offset = sizeof(header) + sizeof(section);
  section.sh_size = names.size();
  std::string file(reinterpret_cast<const char*>(&header), sizeof(header));
  file.append(reinterpret_cast<const char*>(&section), sizeof(section));
  return file + names;
}

bool IsGo(const std::string& bytes) {
  FakeProc fake;
  fake.Write("/bin/program", bytes);
  return IsGoBinary(fake.root() + "/bin/program");
}

const std::string kGoNames("\0.text\0.go.buildinfo\0", 21);

TEST(GoBinary, IsKnownByItsBuildInfoSection) {
  EXPECT_TRUE(IsGo(ElfWithNames(kGoNames)));
  EXPECT_FALSE(IsGo(ElfWithNames(std::string("\0.text\0.data\0", 13))));
  EXPECT_FALSE(IsGo(ElfWithNames(std::string("\0.go.buildinfo.more\0", 20))));
}

TEST(GoBinary, CutFilesAreNone) {
  const std::string whole = ElfWithNames(kGoNames);
  for (std::size_t size = 0; size < whole.size(); ++size) EXPECT_FALSE(IsGo(whole.substr(0, size))) << size;
}

TEST(GoBinary, LyingHeadersAreNone) {
  std::string file = ElfWithNames(kGoNames);
  Elf64_Ehdr header{};
  std::memcpy(&header, file.data(), sizeof(header));
  header.e_shstrndx = 7;
  std::memcpy(file.data(), &header, sizeof(header));
  EXPECT_FALSE(IsGo(file));
  header.e_shstrndx = 0;
  header.e_shoff = ~0ULL - 10;
  std::memcpy(file.data(), &header, sizeof(header));
  EXPECT_FALSE(IsGo(file));
}

TEST(GoBinary, ThisTestIsNone) { EXPECT_FALSE(IsGoBinary("/proc/self/exe")); }

}  // namespace
}  // namespace probed::discovery
