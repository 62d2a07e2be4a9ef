// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/modules/registry.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "server/modules/reasons.h"

namespace probed::modules {
namespace {

constexpr const char* kManifestFile = "manifest.json";

/// The open files of a module: one shared object, or manifest and kernel object.
using Files = std::vector<Fd>;

Result<Files> OpenFiles(const Finder& finder, const Candidate& candidate) {
  Files files;
  if (candidate.form == ModuleForm::kSharedObject) {
    ASSIGN_OR_RETURN(Fd file, finder.Open(candidate));
    files.push_back(std::move(file));
    return files;
  }
  for (const std::string& leaf : {std::string(kManifestFile), candidate.name + ".bpf.o"}) {
    ASSIGN_OR_RETURN(Fd file, finder.Open(candidate, leaf));
    files.push_back(std::move(file));
  }
  return files;
}

std::vector<std::uint64_t> StampOf(const Files& files) {
  std::vector<std::uint64_t> stamp;
  for (const Fd& file : files) {
    struct stat info{};
    if (fstat(file.get(), &info) != 0) return {};
    for (const auto part :
         {static_cast<std::uint64_t>(info.st_dev), static_cast<std::uint64_t>(info.st_ino),
          static_cast<std::uint64_t>(info.st_size), static_cast<std::uint64_t>(info.st_mtim.tv_sec),
          static_cast<std::uint64_t>(info.st_mtim.tv_nsec), static_cast<std::uint64_t>(info.st_ctim.tv_sec),
          static_cast<std::uint64_t>(info.st_ctim.tv_nsec)}) {
      stamp.push_back(part);
    }
  }
  return stamp;
}

Result<std::vector<SealedImage>> SealAll(const Files& files, const std::string& name) {
  std::vector<SealedImage> images;
  for (const Fd& file : files) {
    ASSIGN_OR_RETURN(SealedImage image, SealedImage::Copy(file.get(), name));
    images.push_back(std::move(image));
  }
  return images;
}

Result<Inspection> InspectAll(const std::vector<SealedImage>& images, const std::string& name) {
  ASSIGN_OR_RETURN(const Mapping first, images[0].Map());
  if (images.size() == 1) return InspectImage(first.bytes(), name);
  ASSIGN_OR_RETURN(const Mapping object, images[1].Map());
  return InspectFolder(first.bytes(), object.bytes(), name);
}

std::string DigestOf(const std::vector<SealedImage>& images) {
  if (images.size() == 1) return images[0].sha256();
  const std::string both = images[0].sha256() + images[1].sha256();
  return Sha256Hex({reinterpret_cast<const std::uint8_t*>(both.data()), both.size()});
}

void SetProblem(const Status& status, ModuleInfo& info) {
  info.problem = std::string(Message(status));
  info.reason = GetErrorDetails(status).reason;
}

void ReadInto(const Files& files, ModuleInfo& info) {
  const Result<std::vector<SealedImage>> images = SealAll(files, info.name);
  if (!images.ok()) return SetProblem(images.status(), info);
  info.digest = DigestOf(*images);
  const Result<Inspection> inspection = InspectAll(*images, info.name);
  if (!inspection.ok()) return SetProblem(inspection.status(), info);
  const Manifest& manifest = inspection->manifest;
  info.version = manifest.version;
  info.description = manifest.description;
  info.status = std::string(ModuleStatusName(manifest.status));
  info.manifest_json = manifest.raw;
}

}  // namespace

OpenedModule::OpenedModule(std::string path, SealedImage image, Inspection inspection, Library library)
    : path_(std::move(path)),
      image_(std::move(image)),
      inspection_(std::move(inspection)),
      library_(std::move(library)) {}

std::vector<std::string> OpenedModule::BpfPrototypes() const {
  std::vector<std::string> prototypes;
  prototypes.reserve(inspection_.objects.size());
  for (const BpfObjectPlace& place : inspection_.objects) prototypes.push_back(place.prototype);
  return prototypes;
}

Result<std::vector<std::uint8_t>> OpenedModule::BpfObject(std::string_view prototype) const {
  const auto& objects = inspection_.objects;
  const auto place =
      std::find_if(objects.begin(), objects.end(), [&](const auto& object) { return object.prototype == prototype; });
  if (place == objects.end()) {
    return MakeStatus(absl::StatusCode::kNotFound,
                      fmt::format("module {} has no kernel object for {}", name(), prototype));
  }
  ASSIGN_OR_RETURN(const Mapping mapping, image_.Map());
  const Bytes bytes = mapping.bytes().subspan(place->offset, place->size);
  return std::vector<std::uint8_t>(bytes.begin(), bytes.end());
}

ModuleInfo Registry::Describe(const Candidate& candidate) {
  ModuleInfo info;
  info.name = candidate.name;
  info.path = candidate.path;
  info.codeless = candidate.form == ModuleForm::kFolder;
  const Result<Files> files = OpenFiles(finder_, candidate);
  if (!files.ok()) {
    SetProblem(files.status(), info);
    return info;
  }
  Stamp stamp = StampOf(*files);
  const auto known = known_.find(candidate.path);
  if (known != known_.end() && known->second.stamp == stamp) return known->second.info;
  ReadInto(*files, info);
  known_[candidate.path] = {std::move(stamp), info};
  return info;
}

std::vector<ModuleInfo> Registry::Discover() {
  std::vector<ModuleInfo> infos;
  for (const Candidate& candidate : finder_.List()) infos.push_back(Describe(candidate));
  const auto is_gone = [&](const auto& item) {
    return std::none_of(infos.begin(), infos.end(), [&](const auto& info) { return info.path == item.first; });
  };
  std::erase_if(known_, is_gone);
  return infos;
}

Result<Manifest> Registry::ReadManifest(std::string_view name) const {
  ASSIGN_OR_RETURN(const Candidate candidate, finder_.Find(name));
  ASSIGN_OR_RETURN(const Files files, OpenFiles(finder_, candidate));
  ASSIGN_OR_RETURN(const std::vector<SealedImage> images, SealAll(files, candidate.name));
  ASSIGN_OR_RETURN(Inspection inspection, InspectAll(images, candidate.name));
  return std::move(inspection.manifest);
}

Result<OpenedModule> Registry::Open(std::string_view name) const {
  ASSIGN_OR_RETURN(const Candidate candidate, finder_.Find(name));
  ASSIGN_OR_RETURN(const Files files, OpenFiles(finder_, candidate));
  ASSIGN_OR_RETURN(std::vector<SealedImage> images, SealAll(files, candidate.name));
  ASSIGN_OR_RETURN(Inspection inspection, InspectAll(images, candidate.name));
  if (candidate.form == ModuleForm::kFolder) {
    return ModuleError(absl::StatusCode::kUnimplemented, kModuleCodeless, candidate.name,
                       fmt::format("module {} has no code of its own ({}): this version can describe such modules, "
                                   "but not run them",
                                   candidate.name, candidate.path));
  }
  ASSIGN_OR_RETURN(Library library, Library::Load(images[0], candidate.name, inspection.entry_size));
  return OpenedModule(candidate.path, std::move(images[0]), std::move(inspection), std::move(library));
}

}  // namespace probed::modules
