// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "modules/tls/tests/go_program.h"

#include <elf.h>

#include <array>
#include <cstring>

namespace probed::mod::tls {
namespace {

template <class T>
void Append(std::string& to, const T& value) {
  to.append(reinterpret_cast<const char*>(&value), sizeof(value));
}

std::string MakeTable(const std::vector<GoProgramFunction>& functions, const GoProgramOptions& options) {
  constexpr std::uint64_t kHeader = 8 + 8 * sizeof(std::uint64_t);
  std::string names(1, '\0');
  std::string rows;
  std::string entries;
  const std::size_t rows_size = functions.size() * 8 + 4;
  std::uint32_t at = 0;
  for (const GoProgramFunction& function : functions) {
    Append(rows, at);
    Append(rows, static_cast<std::uint32_t>(rows_size + entries.size()));
    Append(entries, at);
    Append(entries, static_cast<std::uint32_t>(names.size()));
    entries.append(32, '\x7f');  // the rest of an entry
    names.append(function.name).push_back('\0');
    at += static_cast<std::uint32_t>(function.code.size());
  }
  Append(rows, at);
  const std::uint64_t behind_names = kHeader + names.size();
  std::string table;
  Append(table, options.magic);
  table.append({'\0', '\0', '\1', '\10'});
  for (const std::uint64_t word : {std::uint64_t{functions.size()}, std::uint64_t{1}, options.text, kHeader,
                                   behind_names, behind_names, behind_names, behind_names})
    Append(table, word);
  return table + names + rows + entries;
}

}  // namespace

GoProgram MakeGoProgram(const std::vector<GoProgramFunction>& functions, const GoProgramOptions& options) {
  std::string code;
  for (const GoProgramFunction& function : functions) code += function.code;
  const std::string table = MakeTable(functions, options);
  std::string names(1, '\0');
  std::array<Elf64_Shdr, 4> sections{};
  const auto name = [&](Elf64_Shdr& section, const std::string& text) {
    section.sh_name = static_cast<Elf64_Word>(names.size());
    section.sh_type = SHT_PROGBITS;
    names.append(text).push_back('\0');
  };
  name(sections[1], ".text");
  name(sections[2], options.table_section);
  name(sections[3], ".shstrtab");
  GoProgram program;
  program.code = sizeof(Elf64_Ehdr) + sizeof(Elf64_Phdr) + sizeof(sections);
  program.table = program.code + code.size();
  sections[1].sh_addr = options.text_section;
  sections[1].sh_offset = program.code;
  sections[1].sh_size = code.size();
  sections[2].sh_offset = program.table;
  sections[2].sh_size = table.size();
  sections[3].sh_offset = program.table + table.size();
  sections[3].sh_size = names.size();
  Elf64_Ehdr header{};
  std::memcpy(header.e_ident, ELFMAG, SELFMAG);
  header.e_ident[EI_CLASS] = ELFCLASS64;
  header.e_ident[EI_DATA] = ELFDATA2LSB;
  header.e_type = ET_EXEC;
  header.e_machine = options.machine;
  header.e_phoff = sizeof(header);
  header.e_phentsize = sizeof(Elf64_Phdr);
  header.e_phnum = 1;
  header.e_shoff = sizeof(header) + sizeof(Elf64_Phdr);
  header.e_shentsize = sizeof(Elf64_Shdr);
  header.e_shnum = sections.size();
  header.e_shstrndx = 3;
  Elf64_Phdr segment{};
  segment.p_type = PT_LOAD;
  segment.p_flags = PF_R | PF_X;
  segment.p_offset = program.code;
  segment.p_vaddr = options.base;
  segment.p_filesz = segment.p_memsz = code.size();
  Append(program.file, header);
  Append(program.file, segment);
  Append(program.file, sections);
  program.file += code + table + names;
  return program;
}

}  // namespace probed::mod::tls
