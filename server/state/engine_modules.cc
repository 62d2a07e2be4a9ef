// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// What Engine does with modules: load, configure, unload, rescan.
#include <spdlog/spdlog.h>

#include <algorithm>

#include "server/config/validate.h"
#include "server/state/engine.h"
#include "server/state/engine_once.h"

namespace probed::state {
namespace {

Status NoSuchModule(const std::string& name, const Snapshot& snapshot) {
  std::vector<std::string> names;
  names.reserve(snapshot.modules.size());
  for (const ModuleView& module : snapshot.modules) names.push_back(module.name);
  const std::string nearest = NearestWord(name, names);
  return StateError(absl::StatusCode::kNotFound, "MODULE_NOT_FOUND",
                    "no module \"" + name + "\" in the module directories" +
                        (nearest.empty() ? "" : "; did you mean " + nearest + "?"),
                    {{"module", name}});
}

Status NotLoaded(const std::string& name) {
  return StateError(absl::StatusCode::kFailedPrecondition, "MODULE_NOT_LOADED", "module " + name + " is not loaded",
                    {{"module", name}});
}

Status AboutModule(const Status& status, const std::string& name) {
  if (status.ok()) return status;
  ErrorDetails details = GetErrorDetails(status);
  details.metadata.emplace("module", name);
  const std::string_view message = Message(status);
  const bool named = message.find(name) != std::string_view::npos;
  return MakeError(status.code(), named ? std::string(message) : "module " + name + ": " + std::string(message),
                   std::move(details));
}

}  // namespace

Result<ModuleReply> Engine::LoadModule(const MutationContext& context, const std::string& name,
                                       const std::string& config_json) {
  const config::Module module{name, config_json.empty() ? "{}" : config_json};
  return Once<ModuleReply>(context, "LoadModule\n" + name + "\n" + module.config_json,
                           [&] { return DoLoad(context, module); });
}

Result<ModuleReply> Engine::ConfigureModule(const MutationContext& context, const std::string& name,
                                            const std::string& config_json) {
  const config::Module module{name, config_json.empty() ? "{}" : config_json};
  return Once<ModuleReply>(context, "ConfigureModule\n" + name + "\n" + module.config_json,
                           [&] { return DoConfigure(context, module); });
}

Result<ModuleReply> Engine::UnloadModule(const MutationContext& context, const std::string& name) {
  return Once<ModuleReply>(context, "UnloadModule\n" + name, [&] { return DoUnload(context, name); });
}

Result<ModuleReply> Engine::DoLoad(const MutationContext& context, const config::Module& module) {
  RETURN_IF_ERROR(config::ToStatus(config::ValidateModule(module, "spec"), "the request is not valid"));
  ASSIGN_OR_RETURN(const ModuleView view, KnownModule(module.name));
  RETURN_IF_ERROR(CheckEtag(context, view.etag, "module " + module.name));
  if (driver_.Running(module.name)) {
    if (SameConfig(view.config_json, module.config_json)) return ModuleNow(module.name, Unchanged());
    return StateError(absl::StatusCode::kAlreadyExists, "MODULE_ALREADY_LOADED",
                      "module " + module.name + " is loaded with another configuration; configure it instead",
                      {{"module", module.name}});
  }
  if (context.validate_only) {
    RETURN_IF_ERROR(CheckLoadable(view, module));
    return Prospect(view, module);
  }
  RETURN_IF_ERROR(ports_.modules.Forgive(module.name));
  config::State from = desired_;
  std::erase_if(from.modules, [&](const config::Module& other) { return other.name == module.name; });
  config::State next = from;
  next.modules.push_back(module);
  Result<Transition> transition = MoveTo(next, from);
  if (!transition.ok()) return AboutModule(transition.status(), module.name);
  return ModuleNow(module.name, std::move(*transition));
}

Result<ModuleReply> Engine::DoConfigure(const MutationContext& context, const config::Module& module) {
  ASSIGN_OR_RETURN(const ModuleView view, KnownModule(module.name));
  RETURN_IF_ERROR(config::ToStatus(config::ValidateModule(module, ""), "the request is not valid"));
  if (!driver_.Running(module.name)) return NotLoaded(module.name);
  RETURN_IF_ERROR(CheckEtag(context, view.etag, "module " + module.name));
  if (SameConfig(view.config_json, module.config_json)) return ModuleNow(module.name, Unchanged());
  if (context.validate_only) {
    RETURN_IF_ERROR(CheckModuleConfig(module));
    return Prospect(view, module);
  }
  config::State next = desired_;
  for (config::Module& existing : next.modules) {
    if (existing.name == module.name) existing = module;
  }
  Result<Transition> transition = MoveTo(next, desired_);
  if (!transition.ok()) return AboutModule(transition.status(), module.name);
  return ModuleNow(module.name, std::move(*transition));
}

Result<ModuleReply> Engine::DoUnload(const MutationContext& context, const std::string& name) {
  ASSIGN_OR_RETURN(const ModuleView view, KnownModule(name));
  if (!view.desired) return NotLoaded(name);
  RETURN_IF_ERROR(CheckEtag(context, view.etag, "module " + name));
  if (context.validate_only) {
    ModuleReply reply{view, {}, ValidatedOnly()};
    reply.module.desired = false;
    reply.module.config_json = "{}";
    return reply;
  }
  config::State from = desired_;
  if (!driver_.Running(name)) {
    std::erase_if(from.modules, [&](const config::Module& other) { return other.name == name; });
  }
  config::State next = desired_;
  std::erase_if(next.modules, [&](const config::Module& other) { return other.name == name; });
  Result<Transition> transition = MoveTo(next, from);
  if (!transition.ok()) return AboutModule(transition.status(), name);
  failed_digests_.erase(name);
  return ModuleNow(name, std::move(*transition));
}

/// What is known of a name; looks through the directories once more before it says that there is none.
Result<ModuleView> Engine::KnownModule(const std::string& name) {
  SnapshotPtr now = snapshot();
  if (FindModule(*now, name) == nullptr) {
    found_ = ports_.modules.Discover();
    Publish();
    now = snapshot();
  }
  const ModuleView* view = FindModule(*now, name);
  if (view == nullptr) return NoSuchModule(name, *now);
  return *view;
}

Status Engine::CheckModuleConfig(const config::Module& module) {
  return AboutModule(driver_.Check(module.name, module.config_json), module.name);
}

Status Engine::CheckLoadable(const ModuleView& view, const config::Module& module) {
  if (view.description && !view.description->problem.empty()) {
    return StateError(absl::StatusCode::kFailedPrecondition, "MODULE_UNUSABLE",
                      "module " + module.name + " cannot be used: " + view.description->problem,
                      {{"module", module.name}});
  }
  return CheckModuleConfig(module);
}

/// The reply of validate_only: the module as it would be wanted.
ModuleReply Engine::Prospect(ModuleView view, const config::Module& module) const {
  view.desired = true;
  view.config_json = module.config_json;
  view.etag = ModuleEtag(true, module.config_json);
  return {std::move(view), {}, ValidatedOnly()};
}

ModuleReply Engine::ModuleNow(const std::string& name, Transition transition) const {
  const SnapshotPtr now = snapshot();
  ModuleReply reply;
  reply.module.name = name;
  if (const ModuleView* view = FindModule(*now, name)) reply.module = *view;
  reply.left_behind = std::move(transition.left_behind);
  reply.outcome = std::move(transition.outcome);
  return reply;
}

void Engine::Rescan() {
  PROBED_ASSERT_ON(Control);
  const BusyScope busy(busy_);
  found_ = ports_.modules.Discover();
  RetryFailed();
  Publish();
}

void Engine::RetryFailed() {
  for (const config::Module& module : desired_.modules) {
    if (driver_.Running(module.name)) continue;
    const auto found =
        std::find_if(found_.begin(), found_.end(), [&](const ModuleDescription& d) { return d.name == module.name; });
    if (found == found_.end() || !found->problem.empty()) continue;
    const auto failed = failed_digests_.find(module.name);
    if (failed != failed_digests_.end() && failed->second == found->digest) continue;
    const Status loaded = driver_.Load(module.name, module.config_json);
    if (loaded.ok()) {
      failed_digests_.erase(module.name);
      continue;
    }
    failed_digests_[module.name] = found->digest;
    spdlog::error("cannot load module {}: {}", module.name, Message(loaded));
  }
}

}  // namespace probed::state
