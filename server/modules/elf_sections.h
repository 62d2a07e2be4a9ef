// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Reads an ELF shared object as data: sections by name, exported symbols, needed libraries. Every offset of the file is
// checked against its size before it is used, so a truncated or hostile file gives an error and nothing worse. Not
// libelf: its lazy accessors check less, and this needs 64-bit files of this machine only. Runs no code of the file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "server/base/status.h"

namespace probed::modules {

using Bytes = std::span<const std::uint8_t>;

struct ElfSection {
  std::string name;
  std::uint32_t type = 0;
  std::uint32_t link = 0;
  Bytes bytes;             // empty for sections without content in the file
  std::uint64_t size = 0;  // also for those
};

struct ElfSymbol {
  std::string name;
  std::uint8_t binding = 0;  // STB_*
  std::uint8_t type = 0;     // STT_*
  bool defined = false;
  std::uint64_t size = 0;
};

/// A parsed view. LIFETIME: the bytes it was parsed from.
class ElfImage {
 public:
  /// Checks headers, segments and section bounds. The error text says which part is wrong, and where.
  static Result<ElfImage> Parse(Bytes file);

  const std::vector<ElfSection>& sections() const { return sections_; }

  /// The bytes of the one section of that name; nullopt when there is none, an error when there are several.
  Result<std::optional<Bytes>> Find(std::string_view name) const;

  /// Entries of .dynsym, without the null symbol.
  Result<std::vector<ElfSymbol>> DynamicSymbols() const;

  /// DT_NEEDED of .dynamic.
  Result<std::vector<std::string>> NeededLibraries() const;

 private:
  const ElfSection* SectionOfType(std::uint32_t type) const;
  Result<Bytes> LinkedStrings(const ElfSection& section) const;

  std::vector<ElfSection> sections_;
};

}  // namespace probed::modules
