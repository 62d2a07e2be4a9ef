// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "tests/conformance/rig.h"

#include <fcntl.h>

#include <utility>

#include "server/base/fd.h"
#include "server/modules/config_schema.h"
#include "server/modules/inspect.h"
#include "server/modules/sealed_image.h"

namespace probed::conformance {
namespace {

Result<LoadedModule> Load(const Subject& subject) {
  const Fd file(open(subject.path.c_str(), O_RDONLY | O_CLOEXEC));
  ASSIGN_OR_RETURN(const modules::SealedImage image, modules::SealedImage::Copy(file.get(), subject.name));
  modules::Inspection inspection;
  {
    ASSIGN_OR_RETURN(const modules::Mapping mapping, image.Map());
    ASSIGN_OR_RETURN(inspection, modules::InspectImage(mapping.bytes(), subject.name));
  }
  ASSIGN_OR_RETURN(modules::Library library, modules::Library::Load(image, subject.name, inspection.entry_size));
  return LoadedModule{std::move(inspection.manifest), std::move(library)};
}

}  // namespace

std::optional<LoadedModule> LoadSubject(const Subject& subject, Report& report) {
  Result<LoadedModule> loaded = Load(subject);
  if (loaded.ok()) return std::move(loaded).value();
  report.Fail(std::string(Message(loaded.status())));
  return std::nullopt;
}

std::optional<std::string> DefaultConfig(const modules::Manifest& manifest, Report& report) {
  Result<std::string> config = modules::CompleteConfig(manifest.config_schema, "{}");
  if (config.ok()) return std::move(config).value();
  report.Fail("the defaults of its configuration: " + std::string(Message(config.status())));
  return std::nullopt;
}

std::unique_ptr<Rig> Rig::Start(const Subject& subject, Report& report) {
  std::unique_ptr<Rig> rig(new Rig);
  rig->module_ = LoadSubject(subject, report);
  if (!rig->module_) return nullptr;
  const auto config = DefaultConfig(rig->manifest(), report);
  if (!config) return nullptr;
  rig->default_config_ = *config;
  auto instance = modules::ModuleInstance::Create(subject.name, 1, rig->entry(), *rig->host_.table());
  if (!report.Expect(instance.ok(), Message(instance.status()))) return nullptr;
  rig->instance_ = std::move(instance).value();
  auto prepared = rig->instance_->Prepare(rig->default_config_);
  if (!report.Expect(prepared.ok(), Message(prepared.status()))) return nullptr;
  rig->instance_->Commit(std::move(prepared).value(), 1);
  auto shard = rig->instance_->StartShard(0, rig->host_.shard_context());
  if (!report.Expect(shard.ok(), Message(shard.status()))) return nullptr;
  rig->shard_.emplace(std::move(shard).value());
  return rig;
}

modules::UnloadOutcome Rig::Stop() {
  shard_.reset();
  instance_.reset();
  modules::UnloadOutcome outcome;
  if (module_) outcome = module_->library.Unload();
  module_.reset();
  return outcome;
}

Rig::~Rig() { Stop(); }

}  // namespace probed::conformance
