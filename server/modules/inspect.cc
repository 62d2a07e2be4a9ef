// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/modules/inspect.h"

#include <elf.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "api/module/probe_module.h"
#include "server/modules/reasons.h"
#include "server/modules/sealed_image.h"

namespace probed::modules {
namespace {

Status Corrupt(const std::string& name, std::string_view what) {
  return Refused(kModuleCorrupt, name, fmt::format("module {}: the file {}", name, what));
}

Result<Manifest> CheckedManifest(Bytes text, const std::string& name) {
  // A section may be padded with zeros.
  std::string_view view(reinterpret_cast<const char*>(text.data()), text.size());
  view = view.substr(0, view.find_last_not_of('\0') + 1);
  Result<Manifest> manifest = ParseManifest(view);
  if (!manifest.ok()) {
    return Refused(kManifestInvalid, name, fmt::format("module {}: {}", name, Message(manifest.status())),
                   GetErrorDetails(manifest.status()).fields);
  }
  if (manifest->name != name) {
    const std::string what = fmt::format("says \"{}\", but the file is named \"{}\"", manifest->name, name);
    return Refused(kManifestInvalid, name, fmt::format("module {}: the manifest's name {}", name, what),
                   {{"name", what}});
  }
  return manifest;
}

Status CheckAbi(const Manifest& manifest) {
  if (manifest.abi_major == PROBE_ABI_MAJOR && manifest.abi_minor_min <= PROBE_ABI_MINOR) return OkStatus();
  return Refused(kModuleAbiMismatch, manifest.name,
                 fmt::format("module {} needs ABI {}.{} or a later minor, this daemon has {}.{}", manifest.name,
                             manifest.abi_major, manifest.abi_minor_min, +PROBE_ABI_MAJOR, +PROBE_ABI_MINOR));
}

Status CheckDigest(const ManifestBpfObject& object, Bytes content, const std::string& name) {
  const std::string digest = Sha256Hex(content);
  const auto same = [](char a, char b) { return std::tolower(a) == std::tolower(b); };
  if (std::equal(digest.begin(), digest.end(), object.sha256.begin(), object.sha256.end(), same)) return OkStatus();
  return Refused(
      kModuleDigestMismatch, name,
      fmt::format("module {}: {} has digest {}, the manifest says {}", name, object.section, digest, object.sha256));
}

Result<BpfObjectPlace> PlaceObject(const ElfImage& elf, Bytes image, const ManifestBpfObject& object,
                                   const std::string& name) {
  Result<std::optional<Bytes>> section = elf.Find(object.section);
  if (!section.ok()) return Corrupt(name, Message(section.status()));
  if (!section->has_value()) return Corrupt(name, "has no section " + object.section);
  RETURN_IF_ERROR(CheckDigest(object, **section, name));
  return BpfObjectPlace{object.prototype, static_cast<std::uint64_t>((*section)->data() - image.data()),
                        (*section)->size()};
}

Result<std::uint64_t> EntrySize(const ElfImage& elf, const std::string& name) {
  const Result<std::vector<ElfSymbol>> symbols = elf.DynamicSymbols();
  if (!symbols.ok()) return Corrupt(name, Message(symbols.status()));
  const auto found = std::find_if(symbols->begin(), symbols->end(), [](const ElfSymbol& symbol) {
    return symbol.defined && symbol.type == STT_OBJECT && symbol.name == PROBE_MODULE_SYMBOL;
  });
  if (found != symbols->end()) return found->size;
  return Refused(kModuleAbiMismatch, name, fmt::format("module {}: it exports no {}", name, PROBE_MODULE_SYMBOL));
}

bool IsBpfObject(Bytes object) {
  Elf64_Ehdr header{};
  if (object.size() < sizeof(header)) return false;
  std::memcpy(&header, object.data(), sizeof(header));
  return std::memcmp(header.e_ident, ELFMAG, SELFMAG) == 0 && header.e_machine == EM_BPF && header.e_type == ET_REL;
}

}  // namespace

Result<Inspection> InspectImage(Bytes image, const std::string& name) {
  const Result<ElfImage> elf = ElfImage::Parse(image);
  if (!elf.ok()) return Corrupt(name, Message(elf.status()));
  const Result<std::optional<Bytes>> section = elf->Find(kManifestSection);
  if (!section.ok()) return Corrupt(name, Message(section.status()));
  if (!section->has_value()) return Corrupt(name, fmt::format("has no section {}", kManifestSection));

  Inspection inspection;
  ASSIGN_OR_RETURN(inspection.manifest, CheckedManifest(**section, name));
  RETURN_IF_ERROR(CheckAbi(inspection.manifest));
  for (const ManifestBpfObject& object : inspection.manifest.bpf_objects) {
    ASSIGN_OR_RETURN(BpfObjectPlace place, PlaceObject(*elf, image, object, name));
    inspection.objects.push_back(std::move(place));
  }
  ASSIGN_OR_RETURN(inspection.entry_size, EntrySize(*elf, name));
  return inspection;
}

Result<Inspection> InspectFolder(Bytes manifest, Bytes object, const std::string& name) {
  Inspection inspection;
  ASSIGN_OR_RETURN(inspection.manifest, CheckedManifest(manifest, name));
  RETURN_IF_ERROR(CheckAbi(inspection.manifest));
  if (!IsBpfObject(object)) return Corrupt(name, fmt::format("{}.bpf.o is no BPF object", name));
  for (const ManifestBpfObject& declared : inspection.manifest.bpf_objects) {
    RETURN_IF_ERROR(CheckDigest(declared, object, name));
    inspection.objects.push_back({declared.prototype, 0, object.size()});
  }
  if (inspection.objects.empty()) inspection.objects.push_back({"event", 0, object.size()});
  return inspection;
}

}  // namespace probed::modules
