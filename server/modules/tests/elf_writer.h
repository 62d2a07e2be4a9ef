// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Writes small ELF shared objects section by section, for tests that need files a linker would not make.
#pragma once

#include <elf.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace probed::modules::testing {

class ElfWriter {
 public:
  ElfWriter() { AddSection("", SHT_NULL, ""); }

  /// Returns the index of the section.
  std::uint32_t AddSection(std::string name, std::uint32_t type, std::string content, std::uint32_t link = 0) {
    sections_.push_back({std::move(name), std::move(content), type, link});
    return static_cast<std::uint32_t>(sections_.size() - 1);
  }

  /// .dynsym with one defined object of that name and size.
  ElfWriter& Export(const std::string& symbol, std::uint64_t size) {
    const std::uint32_t strings = AddSection(".dynstr", SHT_STRTAB, std::string(1, '\0') + symbol + '\0');
    Elf64_Sym table[2] = {};
    table[1].st_name = 1;
    table[1].st_info = ELF64_ST_INFO(STB_GLOBAL, STT_OBJECT);
    table[1].st_shndx = 1;
    table[1].st_size = size;
    AddSection(".dynsym", SHT_DYNSYM, {reinterpret_cast<const char*>(table), sizeof(table)}, strings);
    return *this;
  }

  std::string Build() {
    std::string names;
    std::vector<Elf64_Shdr> headers;
    const std::uint32_t names_index = AddSection(".shstrtab", SHT_STRTAB, "");
    for (const Section& section : sections_) names += section.name + '\0';
    sections_[names_index].content = names;

    std::string file(sizeof(Elf64_Ehdr), '\0');
    std::uint32_t name_at = 0;
    for (const Section& section : sections_) {
      Elf64_Shdr header{};
      header.sh_name = name_at;
      header.sh_type = section.type;
      header.sh_link = section.link;
      header.sh_offset = file.size();
      header.sh_size = section.content.size();
      headers.push_back(header);
      name_at += static_cast<std::uint32_t>(section.name.size() + 1);
      file += section.content;
    }
    Elf64_Ehdr header{};
    std::memcpy(header.e_ident, ELFMAG, SELFMAG);
    header.e_ident[EI_CLASS] = ELFCLASS64;
    header.e_ident[EI_DATA] = ELFDATA2LSB;
    header.e_type = ET_DYN;
#if defined(__aarch64__)
    header.e_machine = EM_AARCH64;
#else
    header.e_machine = EM_X86_64;
#endif
    header.e_phentsize = sizeof(Elf64_Phdr);
    header.e_shentsize = sizeof(Elf64_Shdr);
    header.e_shoff = file.size();
    header.e_shnum = static_cast<Elf64_Half>(headers.size());
    header.e_shstrndx = static_cast<Elf64_Half>(names_index);
    std::memcpy(file.data(), &header, sizeof(header));
    file.append(reinterpret_cast<const char*>(headers.data()), headers.size() * sizeof(Elf64_Shdr));
    return file;
  }

 private:
  struct Section {
    std::string name;
    std::string content;
    std::uint32_t type;
    std::uint32_t link;
  };
  std::vector<Section> sections_;
};

}  // namespace probed::modules::testing
