// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "clients/cli/lib/module_file.h"

#include <absl/status/status.h>
#include <fcntl.h>
#include <gelf.h>
#include <libelf.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <string_view>

namespace probed::cli {
namespace {

constexpr std::string_view kManifestSection = ".probed.manifest";
constexpr std::string_view kBpfPrefix = ".probed.bpf.";

class OpenFile {
 public:
  explicit OpenFile(const std::string& path) : fd_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {}
  ~OpenFile() {
    if (fd_ >= 0) ::close(fd_);
  }
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

using ElfPtr = std::unique_ptr<Elf, int (*)(Elf*)>;

absl::Status NoModule(const std::string& path, const std::string& why) {
  return absl::InvalidArgumentError(path + " is no module: " + why);
}

std::string Content(Elf_Scn* section) {
  std::string out;
  for (Elf_Data* data = elf_rawdata(section, nullptr); data != nullptr; data = elf_rawdata(section, data)) {
    if (data->d_buf != nullptr) out.append(static_cast<const char*>(data->d_buf), data->d_size);
  }
  return out;
}

void TakeSection(Elf* elf, std::size_t names, Elf_Scn* section, ModuleFile& file) {
  GElf_Shdr header;
  if (gelf_getshdr(section, &header) == nullptr) return;
  const char* text = elf_strptr(elf, names, header.sh_name);
  const std::string_view name = text == nullptr ? "" : text;
  if (name == kManifestSection) file.manifest = Content(section);
  if (name.starts_with(kBpfPrefix)) file.bpf_sections.push_back({std::string(name), header.sh_size});
}

}  // namespace

absl::StatusOr<ModuleFile> ReadModuleFile(const std::string& path) {
  const OpenFile fd(path);
  if (fd.get() < 0) return absl::NotFoundError("cannot open " + path + ": " + std::strerror(errno));
  elf_version(EV_CURRENT);
  const ElfPtr elf(elf_begin(fd.get(), ELF_C_READ, nullptr), elf_end);
  if (!elf || elf_kind(elf.get()) != ELF_K_ELF) return NoModule(path, "it is no ELF file");
  std::size_t names = 0;
  if (elf_getshdrstrndx(elf.get(), &names) != 0) return NoModule(path, "its section names cannot be read");
  ModuleFile file;
  for (Elf_Scn* section = elf_nextscn(elf.get(), nullptr); section != nullptr;
       section = elf_nextscn(elf.get(), section)) {
    TakeSection(elf.get(), names, section, file);
  }
  if (file.manifest.empty()) return NoModule(path, "it has no section .probed.manifest");
  return file;
}

}  // namespace probed::cli
