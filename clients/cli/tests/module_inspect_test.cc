// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// module inspect, on ELF files written here: a header, section names, and sections.
#include <elf.h>

#include <cstring>
#include <nlohmann/json.hpp>

#include "clients/cli/lib/module_file.h"
#include "clients/cli/tests/verb_test.h"

namespace probed::cli {
namespace {

using testing::HasSubstr;

struct Section {
  std::string name;
  std::string content;
};

template <typename T>
void Append(std::string& out, const T& value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof(value));
}

/// Layout: header, contents, names, section headers (null, the sections, the names).
std::string MakeElf(const std::vector<Section>& sections) {
  std::string contents;
  std::string names(1, '\0');
  std::string headers(sizeof(Elf64_Shdr), '\0');
  for (const Section& section : sections) {
    Elf64_Shdr header{};
    header.sh_name = static_cast<Elf64_Word>(names.size());
    header.sh_type = SHT_PROGBITS;
    header.sh_offset = sizeof(Elf64_Ehdr) + contents.size();
    header.sh_size = section.content.size();
    header.sh_addralign = 1;
    Append(headers, header);
    contents += section.content;
    names += section.name + '\0';
  }
  Elf64_Shdr strings{};
  strings.sh_name = static_cast<Elf64_Word>(names.size());
  names += std::string(".shstrtab") + '\0';
  strings.sh_type = SHT_STRTAB;
  strings.sh_offset = sizeof(Elf64_Ehdr) + contents.size();
  strings.sh_size = names.size();
  Append(headers, strings);

  Elf64_Ehdr elf{};
  std::memcpy(elf.e_ident, ELFMAG, SELFMAG);
  elf.e_ident[EI_CLASS] = ELFCLASS64;
  elf.e_ident[EI_DATA] = ELFDATA2LSB;
  elf.e_ident[EI_VERSION] = EV_CURRENT;
  elf.e_type = ET_DYN;
  elf.e_machine = EM_X86_64;
  elf.e_version = EV_CURRENT;
  elf.e_ehsize = sizeof(Elf64_Ehdr);
  elf.e_shentsize = sizeof(Elf64_Shdr);
  elf.e_shnum = static_cast<Elf64_Half>(sections.size() + 2);
  elf.e_shstrndx = static_cast<Elf64_Half>(sections.size() + 1);
  elf.e_shoff = sizeof(elf) + contents.size() + names.size();
  std::string out;
  Append(out, elf);
  return out + contents + names + headers;
}

constexpr const char* kManifest =
    R"({"name":"http","version":"1.0","protocols":["http/1.1"],"description":"evil \u001b[2J","config_schema":{"properties":{"capture_bytes":{},"known_methods":{}}}})";

TEST_F(VerbTest, InspectReadsTheManifestWithoutTheDaemon) {
  const std::string path = folder.Write(
      "m.so", MakeElf({{".text", "x"}, {".probed.manifest", kManifest}, {".probed.bpf.0", std::string(100, 'b')}}));
  const Ran ran = RunProbectlOn("/nowhere", {"module", "inspect", path});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("name: http\n"));
  EXPECT_THAT(ran.out, HasSubstr("protocols: http/1.1\n"));
  EXPECT_THAT(ran.out, HasSubstr("description: evil \\x1b[2J\n"));
  EXPECT_THAT(ran.out, HasSubstr("configuration keys: capture_bytes, known_methods\n"));
  EXPECT_THAT(ran.out, HasSubstr(".probed.bpf.0: 100 bytes\n"));
  EXPECT_EQ(nlohmann::json::parse(Out({"module", "inspect", path, "-o", "json"})), nlohmann::json::parse(kManifest));
  EXPECT_EQ(Out({"module", "inspect", path, "-o", "name"}), "http\n");
}

TEST_F(VerbTest, InspectRefusesWhatIsNoModule) {
  const auto error = [&](const std::string& content) {
    const Ran ran = Run({"module", "inspect", File(content)});
    EXPECT_EQ(ran.code, 2);
    return ran.err;
  };
  EXPECT_THAT(error("text"), HasSubstr("no ELF file"));
  EXPECT_THAT(error(""), HasSubstr("no ELF file"));
  EXPECT_THAT(error(MakeElf({{".text", "x"}})), HasSubstr("no section .probed.manifest"));
  EXPECT_THAT(error(MakeElf({{".probed.manifest", "[1]"}})), HasSubstr("no JSON object"));
  EXPECT_THAT(Run({"module", "inspect", folder.Path("none")}).err, HasSubstr("No such file"));
}

TEST(ReadModuleFile, SurvivesAFileCutAnywhere) {
  const TempFolder folder;
  const std::string whole = MakeElf({{".probed.manifest", "{}"}, {".probed.bpf.0", "b"}});
  ASSERT_TRUE(ReadModuleFile(folder.Write("m", whole)).ok());
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_FALSE(ReadModuleFile(folder.Write("m", whole.substr(0, size))).ok()) << size;
  }
}

}  // namespace
}  // namespace probed::cli
