// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Where functions and sections stand in an ELF file: what a Plan of probed.attach/1 looks for. Reads 64-bit files of
// the host's byte order by pread, takes nothing in them on trust, and allocates no more than a symbol table of bounded
// size.
#pragma once

#include <elf.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace probed::sdk {

class ElfSymbols {
 public:
  /// Where a section lies in the loaded image and in the file.
  struct Section {
    std::uint64_t address;
    std::uint64_t offset;
    std::uint64_t size;
  };

  /// `fd` must stay open as long as this is used.
  explicit ElfSymbols(int fd) : fd_(fd) {
    Elf64_Ehdr header{};
    if (!Read(0, &header, sizeof(header)) || std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0) return;
    if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != kByteOrder) return;
    if (header.e_type != ET_EXEC && header.e_type != ET_DYN) return;
    if (header.e_shentsize != sizeof(Elf64_Shdr) || header.e_phentsize != sizeof(Elf64_Phdr)) return;
    sections_.resize(header.e_shnum);
    segments_.resize(header.e_phnum);
    machine_ = header.e_machine;
    names_at_ = header.e_shstrndx;
    valid_ = ReadAll(header.e_shoff, sections_) && ReadAll(header.e_phoff, segments_);
  }

  /// Whether the file is one this can read.
  bool valid() const { return valid_; }
  /// EM_X86_64, EM_AARCH64, …
  std::uint16_t machine() const { return machine_; }

  /// The file offset of the function of that name, in the table for linking or the full one.
  std::optional<std::uint64_t> FindFunction(std::string_view name) const {
    std::optional<std::uint64_t> found;
    FindFunctions({&name, 1}, {&found, 1});
    return found;
  }

  /// The same for several names at once: each table is read once. What is in `out` already is left as it is.
  void FindFunctions(std::span<const std::string_view> names, std::span<std::optional<std::uint64_t>> out) const {
    if (!valid_) return;
    for (const Elf64_Shdr& section : sections_) {
      if (section.sh_type != SHT_DYNSYM && section.sh_type != SHT_SYMTAB) continue;
      FindIn(section, names, out);
      if (std::all_of(out.begin(), out.end(), [](const auto& offset) { return offset.has_value(); })) return;
    }
  }

  /// The first section of that name which has bytes in the file.
  std::optional<Section> FindSection(std::string_view name) const {
    if (!valid_ || names_at_ >= sections_.size() || sections_[names_at_].sh_size > kMostBytes) return std::nullopt;
    std::vector<char> text(sections_[names_at_].sh_size);
    if (!ReadAll(sections_[names_at_].sh_offset, text)) return std::nullopt;
    for (const Elf64_Shdr& section : sections_)
      if (section.sh_type != SHT_NOBITS && NameIs(text, section.sh_name, name))
        return Section{.address = section.sh_addr, .offset = section.sh_offset, .size = section.sh_size};
    return std::nullopt;
  }

  /// From an address of code in the loaded image to a place in the file.
  std::optional<std::uint64_t> OffsetOf(std::uint64_t address) const {
    for (const Elf64_Phdr& segment : segments_) {
      if (segment.p_type != PT_LOAD || (segment.p_flags & PF_X) == 0) continue;
      if (address < segment.p_vaddr || address - segment.p_vaddr >= segment.p_filesz) continue;
      return address - segment.p_vaddr + segment.p_offset;
    }
    return std::nullopt;
  }

  /// Bytes of the file. False: there are not so many.
  bool Read(std::uint64_t offset, void* to, std::size_t size) const {
    return offset <= INT64_MAX && pread(fd_, to, size, static_cast<off_t>(offset)) == static_cast<ssize_t>(size);
  }

  static constexpr std::size_t kMostBytes = std::size_t{256} << 20U;  // of one table: a module must not fill the memory

 private:
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
  static constexpr unsigned char kByteOrder = ELFDATA2LSB;
#else
  static constexpr unsigned char kByteOrder = ELFDATA2MSB;
#endif

  template <class T>
  bool ReadAll(std::uint64_t offset, std::vector<T>& to) const {
    return to.empty() || Read(offset, to.data(), to.size() * sizeof(T));
  }

  void FindIn(const Elf64_Shdr& section, std::span<const std::string_view> names,
              std::span<std::optional<std::uint64_t>> out) const {
    if (section.sh_link >= sections_.size() || section.sh_size > kMostBytes) return;
    const Elf64_Shdr& strings = sections_[section.sh_link];
    if (strings.sh_size > kMostBytes) return;
    std::vector<Elf64_Sym> symbols(section.sh_size / sizeof(Elf64_Sym));
    std::vector<char> text(strings.sh_size);
    if (!ReadAll(section.sh_offset, symbols) || !ReadAll(strings.sh_offset, text)) return;
    for (const Elf64_Sym& symbol : symbols) {
      if (ELF64_ST_TYPE(symbol.st_info) != STT_FUNC || symbol.st_shndx == SHN_UNDEF) continue;
      for (std::size_t i = 0; i < names.size(); ++i)
        if (!out[i] && NameIs(text, symbol.st_name, names[i])) out[i] = OffsetOf(symbol.st_value);
    }
  }

  static bool NameIs(const std::vector<char>& text, std::size_t at, std::string_view name) {
    if (at >= text.size() || text.size() - at <= name.size()) return false;
    return text[at + name.size()] == '\0' && std::string_view(text.data() + at, name.size()) == name;
  }

  int fd_;
  bool valid_ = false;
  std::uint16_t machine_ = EM_NONE;
  std::uint16_t names_at_ = SHN_UNDEF;
  std::vector<Elf64_Shdr> sections_;
  std::vector<Elf64_Phdr> segments_;
};

}  // namespace probed::sdk
