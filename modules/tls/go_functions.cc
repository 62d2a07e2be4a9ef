// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
//   header   u32 magic, u8 0 0, u8 unit of code, u8 bytes of a pointer, then u64 each: count of functions, count of
//            files, address of the first function (0 since Go 1.26), offsets of names, compilation units, files,
//            counters, table
//   names    strings, each with a zero behind it
//   table    per function {u32 distance of its code from the first function's, u32 offset of its entry in the table};
//            behind the last one the distance of the end
//   entry    u32 the same distance, u32 offset of its name, …
//
// (Go: runtime/symtab.go, cmd/link/internal/ld/pcln.go.) Nothing in the file is taken on trust.
#include "modules/tls/go_functions.h"

#include <array>
#include <cstring>
#include <string>
#include <utility>

namespace probed::mod::tls {
namespace {

constexpr std::uint32_t kMagic118 = 0xfffffff0;  // Go 1.18, 1.19
constexpr std::uint32_t kMagic120 = 0xfffffff1;  // Go 1.20 and newer
constexpr std::string_view kTables[] = {".gopclntab", ".data.rel.ro.gopclntab"};
/// Go: runtime.moduledata.text, since Go 1.26 in a section of its own.
constexpr std::uint64_t kTextInModule = 176;

struct Header {
  std::uint32_t magic;
  std::array<std::uint8_t, 2> zero;
  std::uint8_t code_unit;
  std::uint8_t pointer_bytes;
  std::uint64_t functions;
  std::uint64_t files;
  std::uint64_t text;
  std::uint64_t names;
  std::uint64_t units;
  std::uint64_t file_names;
  std::uint64_t counters;
  std::uint64_t table;
};
struct Row {
  std::uint32_t begin;
  std::uint32_t entry;
};
struct Entry {
  std::uint32_t begin;
  std::uint32_t name;
};

/// The table as it is in the file.
class Table {
 public:
  explicit Table(std::string bytes) : bytes_(std::move(bytes)) {
    if (!Load(0, header_)) return;
    if (header_.magic != kMagic118 && header_.magic != kMagic120) return;
    if (header_.pointer_bytes != sizeof(std::uint64_t) || header_.names >= header_.units) return;
    valid_ = header_.units <= bytes_.size() && header_.table <= bytes_.size() &&
             header_.functions < (bytes_.size() - header_.table) / sizeof(Row);
  }

  bool valid() const { return valid_; }
  std::uint64_t text() const { return header_.text; }

  std::optional<GoFunction> Find(std::string_view name) const {
    const std::optional<std::uint32_t> name_at = FindName(name);
    if (!name_at) return std::nullopt;
    for (std::uint64_t i = 0; i < header_.functions; ++i) {
      Row row{};
      Row next{};
      Entry entry{};
      const std::uint64_t at = header_.table + i * sizeof(Row);
      if (!Load(at, row) || !Load(header_.table + row.entry, entry)) return std::nullopt;
      if (entry.name != *name_at || entry.begin != row.begin) continue;
      // Behind the last row stands half of one more.
      if (!Load(at + sizeof(Row), next.begin) || next.begin <= row.begin) return std::nullopt;
      return GoFunction{.begin = row.begin, .end = next.begin};
    }
    return std::nullopt;
  }

 private:
  template <class T>
  bool Load(std::uint64_t offset, T& to) const {
    if (offset > bytes_.size() || bytes_.size() - offset < sizeof(T)) return false;
    std::memcpy(&to, bytes_.data() + offset, sizeof(T));
    return true;
  }

  std::optional<std::uint32_t> FindName(std::string_view name) const {
    const std::string_view names = std::string_view(bytes_).substr(header_.names, header_.units - header_.names);
    std::string whole(1, '\0');
    whole.append(name).push_back('\0');
    const std::size_t at = names.find(whole);
    if (at == std::string_view::npos) return std::nullopt;
    return static_cast<std::uint32_t>(at + 1);
  }

  std::string bytes_;
  Header header_{};
  bool valid_ = false;
};

std::vector<std::uint64_t> BasesOf(const sdk::ElfSymbols& elf, const Table& table) {
  std::vector<std::uint64_t> bases;
  if (table.text() != 0) bases.push_back(table.text());
  if (const auto text = elf.FindSection(".text")) bases.push_back(text->address);
  std::uint64_t linked = 0;
  const auto module = elf.FindSection(".go.module");
  if (module && elf.Read(module->offset + kTextInModule, &linked, sizeof(linked))) bases.push_back(linked);
  return bases;
}

}  // namespace

std::optional<GoFunctions> FindGoFunctions(const sdk::ElfSymbols& elf, std::span<const std::string_view> names) {
  std::optional<sdk::ElfSymbols::Section> section;
  for (const std::string_view name : kTables)
    if (!section) section = elf.FindSection(name);
  if (!section || section->size > sdk::ElfSymbols::kMostBytes) return std::nullopt;
  std::string bytes(section->size, '\0');
  if (!elf.Read(section->offset, bytes.data(), bytes.size())) return std::nullopt;
  const Table table(std::move(bytes));
  if (!table.valid()) return std::nullopt;
  GoFunctions found;
  for (const std::string_view name : names) found.functions.push_back(table.Find(name));
  found.bases = BasesOf(elf, table);
  return found;
}

}  // namespace probed::mod::tls
