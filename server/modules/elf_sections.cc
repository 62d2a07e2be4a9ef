// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/modules/elf_sections.h"

#include <elf.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace probed::modules {
namespace {

constexpr std::size_t kMaxSections = 4096;  // a module has about 40
constexpr std::size_t kMaxName = 4096;      // else many entries naming one huge string cost their product
#if defined(__aarch64__)
constexpr Elf64_Half kNativeMachine = EM_AARCH64;
#else
constexpr Elf64_Half kNativeMachine = EM_X86_64;
#endif

Status Malformed(std::string_view what) { return MakeStatus(absl::StatusCode::kDataLoss, what); }

/// [offset, offset + length) of `file`, or nothing when it is not all there. Overflow-safe.
std::optional<Bytes> Slice(Bytes file, std::uint64_t offset, std::uint64_t length) {
  if (offset > file.size() || length > file.size() - offset) return std::nullopt;
  return file.subspan(offset, length);
}

/// A structure at `offset`; the caller has checked the bounds. Copies, because nothing says the file aligns it.
template <typename T>
T ReadAt(Bytes bytes, std::size_t offset) {
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof(T));
  return value;
}

std::optional<std::string> StringAt(Bytes table, std::uint64_t offset) {
  if (offset >= table.size()) return std::nullopt;
  const Bytes rest = table.subspan(offset, std::min<std::size_t>(kMaxName, table.size() - offset));
  const auto end = std::find(rest.begin(), rest.end(), std::uint8_t{0});
  if (end == rest.end()) return std::nullopt;
  return std::string(rest.begin(), end);
}

Status CheckIdentity(const Elf64_Ehdr& header) {
  if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0) return Malformed("is not an ELF file");
  if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != ELFDATA2LSB) {
    return Malformed("is not a 64-bit little-endian ELF file");
  }
  if (header.e_machine != kNativeMachine) {
    return Malformed(
        fmt::format("is built for another machine (ELF machine {}, this one is {})", header.e_machine, kNativeMachine));
  }
  if (header.e_type != ET_DYN) return Malformed("is not a shared object");
  return OkStatus();
}

Status CheckSegments(Bytes file, const Elf64_Ehdr& header) {
  if (header.e_phentsize != sizeof(Elf64_Phdr)) return Malformed("has program headers of a wrong size");
  const std::uint64_t length = std::uint64_t{header.e_phnum} * sizeof(Elf64_Phdr);
  const auto table = Slice(file, header.e_phoff, length);
  if (!table) return Malformed("is truncated: its program headers lie outside the file");
  for (std::size_t i = 0; i < header.e_phnum; ++i) {
    const auto segment = ReadAt<Elf64_Phdr>(*table, i * sizeof(Elf64_Phdr));
    if (segment.p_type == PT_LOAD && !Slice(file, segment.p_offset, segment.p_filesz)) {
      return Malformed(fmt::format("is truncated: segment {} needs {} bytes at {}, the file has {}", i,
                                   segment.p_filesz, segment.p_offset, file.size()));
    }
  }
  return OkStatus();
}

Result<Bytes> SectionTable(Bytes file, const Elf64_Ehdr& header) {
  if (header.e_shnum == 0) return Malformed("has no section headers");
  if (header.e_shnum > kMaxSections) return Malformed(fmt::format("has {} sections", header.e_shnum));
  if (header.e_shentsize != sizeof(Elf64_Shdr)) return Malformed("has section headers of a wrong size");
  if (header.e_shstrndx >= header.e_shnum) return Malformed("names a section-name table that does not exist");
  const auto table = Slice(file, header.e_shoff, std::uint64_t{header.e_shnum} * sizeof(Elf64_Shdr));
  if (!table) return Malformed("is truncated: its section headers lie outside the file");
  return *table;
}

Result<Bytes> Content(Bytes file, const Elf64_Shdr& section, std::size_t index) {
  if (section.sh_type == SHT_NOBITS || section.sh_type == SHT_NULL) return Bytes{};
  const auto content = Slice(file, section.sh_offset, section.sh_size);
  if (content) return *content;
  return Malformed(fmt::format("is truncated: section {} needs {} bytes at {}, the file has {}", index, section.sh_size,
                               section.sh_offset, file.size()));
}

}  // namespace

Result<ElfImage> ElfImage::Parse(Bytes file) {
  if (file.size() < sizeof(Elf64_Ehdr)) return Malformed("is too short to be an ELF file");
  const auto header = ReadAt<Elf64_Ehdr>(file, 0);
  RETURN_IF_ERROR(CheckIdentity(header));
  RETURN_IF_ERROR(CheckSegments(file, header));
  ASSIGN_OR_RETURN(const Bytes table, SectionTable(file, header));
  const auto names_header = ReadAt<Elf64_Shdr>(table, header.e_shstrndx * sizeof(Elf64_Shdr));
  ASSIGN_OR_RETURN(const Bytes names, Content(file, names_header, header.e_shstrndx));

  ElfImage image;
  image.sections_.reserve(header.e_shnum);
  for (std::size_t i = 0; i < header.e_shnum; ++i) {
    const auto section = ReadAt<Elf64_Shdr>(table, i * sizeof(Elf64_Shdr));
    auto name = StringAt(names, section.sh_name);
    if (!name) return Malformed(fmt::format("has no name for section {}", i));
    ASSIGN_OR_RETURN(const Bytes content, Content(file, section, i));
    image.sections_.push_back({*std::move(name), section.sh_type, section.sh_link, content, section.sh_size});
  }
  return image;
}

Result<std::optional<Bytes>> ElfImage::Find(std::string_view name) const {
  std::optional<Bytes> found;
  for (const ElfSection& section : sections_) {
    if (section.name != name) continue;
    if (found) return Malformed(fmt::format("has several sections {}", name));
    found = section.bytes;
  }
  return found;
}

const ElfSection* ElfImage::SectionOfType(std::uint32_t type) const {
  const auto found = std::find_if(sections_.begin(), sections_.end(), [type](const auto& s) { return s.type == type; });
  return found == sections_.end() ? nullptr : &*found;
}

Result<Bytes> ElfImage::LinkedStrings(const ElfSection& section) const {
  if (section.link >= sections_.size()) return Malformed(section.name + " names a string table that does not exist");
  return sections_[section.link].bytes;
}

Result<std::vector<ElfSymbol>> ElfImage::DynamicSymbols() const {
  const ElfSection* table = SectionOfType(SHT_DYNSYM);
  if (table == nullptr) return Malformed("has no dynamic symbols");
  ASSIGN_OR_RETURN(const Bytes strings, LinkedStrings(*table));
  std::vector<ElfSymbol> symbols;
  const std::size_t count = table->bytes.size() / sizeof(Elf64_Sym);
  for (std::size_t i = 1; i < count; ++i) {
    const auto symbol = ReadAt<Elf64_Sym>(table->bytes, i * sizeof(Elf64_Sym));
    auto name = StringAt(strings, symbol.st_name);
    if (!name) return Malformed(fmt::format("has no name for dynamic symbol {}", i));
    symbols.push_back({*std::move(name), static_cast<std::uint8_t>(ELF64_ST_BIND(symbol.st_info)),
                       static_cast<std::uint8_t>(ELF64_ST_TYPE(symbol.st_info)), symbol.st_shndx != SHN_UNDEF,
                       symbol.st_size});
  }
  return symbols;
}

Result<std::vector<std::string>> ElfImage::NeededLibraries() const {
  const ElfSection* table = SectionOfType(SHT_DYNAMIC);
  if (table == nullptr) return Malformed("has no dynamic section");
  ASSIGN_OR_RETURN(const Bytes strings, LinkedStrings(*table));
  std::vector<std::string> needed;
  const std::size_t count = table->bytes.size() / sizeof(Elf64_Dyn);
  for (std::size_t i = 0; i < count; ++i) {
    const auto entry = ReadAt<Elf64_Dyn>(table->bytes, i * sizeof(Elf64_Dyn));
    if (entry.d_tag != DT_NEEDED) continue;
    auto name = StringAt(strings, entry.d_un.d_val);
    if (!name) return Malformed("has no name for a needed library");
    needed.push_back(*std::move(name));
  }
  return needed;
}

}  // namespace probed::modules
