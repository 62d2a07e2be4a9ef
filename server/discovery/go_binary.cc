// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/discovery/go_binary.h"

#include <elf.h>
#include <fcntl.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

#include "server/base/fd.h"

namespace probed::discovery {
namespace {

constexpr std::size_t kMaxNameBytes = 1U << 16U;  // Go's own table of section names is a few hundred bytes
constexpr std::string_view kSection(".go.buildinfo", sizeof(".go.buildinfo"));  // with its terminating zero

bool ReadAt(const Fd& file, std::uint64_t offset, void* to, std::size_t size) {
  return pread(file.get(), to, size, static_cast<off_t>(offset)) == static_cast<ssize_t>(size);
}

bool ReadHeader(const Fd& file, Elf64_Ehdr& header) {
  constexpr unsigned char kOrder = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? ELFDATA2LSB : ELFDATA2MSB;
  if (!ReadAt(file, 0, &header, sizeof(header))) return false;
  return std::memcmp(header.e_ident, ELFMAG, SELFMAG) == 0 && header.e_ident[EI_CLASS] == ELFCLASS64 &&
         header.e_ident[EI_DATA] == kOrder && header.e_shentsize == sizeof(Elf64_Shdr);
}

std::string ReadSectionNames(const Fd& file, const Elf64_Ehdr& header) {
  Elf64_Shdr names{};
  if (header.e_shstrndx >= header.e_shnum) return {};
  if (!ReadAt(file, header.e_shoff + header.e_shstrndx * sizeof(names), &names, sizeof(names))) return {};
  if (names.sh_size > kMaxNameBytes) return {};
  std::string text(names.sh_size, '\0');
  if (!ReadAt(file, names.sh_offset, text.data(), text.size())) return {};
  return text;
}

}  // namespace

bool IsGoBinary(const std::string& path) {
  const Fd file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  Elf64_Ehdr header{};
  if (!file.valid() || !ReadHeader(file, header)) return false;
  // The table of names holds names of sections only: that the name is there is enough.
  return ReadSectionNames(file, header).find(kSection) != std::string::npos;
}

}  // namespace probed::discovery
