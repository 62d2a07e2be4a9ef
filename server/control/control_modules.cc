// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Control: modules.
#include "server/control/control_service.h"
#include "server/control/mutation.h"

namespace probed::control {
namespace {

Status NoSuchModule(const std::string& name) {
  return MakeError(absl::StatusCode::kNotFound, "there is no module \"" + name + "\"",
                   {.reason = "MODULE_NOT_FOUND", .metadata = {{"module", name}}, .fields = {}, .log_tail = {}});
}

Status CheckMode(v1::DesiredMode mode) {
  if (mode == v1::DESIRED_MODE_UNSPECIFIED || mode == v1::DESIRED_MODE_ACTIVE) return OkStatus();
  return MakeError(absl::StatusCode::kInvalidArgument, "this mode is not accepted",
                   {.reason = "REQUEST_INVALID",
                    .metadata = {},
                    .fields = {{"spec.mode", "must be ACTIVE; unload a module to disable it"}},
                    .log_tail = {}});
}

AuditEntry DescribeModule(const ServiceContext& context, const char* call, const std::string& name,
                          const std::string& config_json) {
  return {call, name, {{"config", RedactedConfig(*context.engine.snapshot(), name, config_json)}}};
}

/// What the module replies of all three changes have in common.
template <typename Response>
auto AnswerModule(Response* out) {
  return [out](const state::ModuleReply& reply) {
    ToProto(reply.module, Manifest::kWithout, *out->mutable_module());
    ToProto(reply.outcome, *out->mutable_outcome());
  };
}

}  // namespace

grpc::ServerUnaryReactor* ControlService::ListModules(Call* call, const v1::ListModulesRequest* in,
                                                      v1::ListModulesResponse* out) {
  return AnswerFresh(context_, call, [in, out](const state::Snapshot& now) {
    for (const state::ModuleView& module : now.modules) {
      if (module.desired || !in->loaded_only()) ToProto(module, Manifest::kWithout, *out->add_modules());
    }
    return OkStatus();
  });
}

grpc::ServerUnaryReactor* ControlService::GetModule(Call* call, const v1::GetModuleRequest* in,
                                                    v1::GetModuleResponse* out) {
  return AnswerFresh(context_, call, [in, out](const state::Snapshot& now) {
    const state::ModuleView* module = state::FindModule(now, in->name());
    if (module == nullptr) return NoSuchModule(in->name());
    ToProto(*module, Manifest::kWith, *out->mutable_module());
    return OkStatus();
  });
}

grpc::ServerUnaryReactor* ControlService::LoadModule(Call* call, const v1::LoadModuleRequest* in,
                                                     v1::LoadModuleResponse* out) {
  return Mutate(
      context_, call, in->options(),
      [this, in] { return DescribeModule(context_, "LoadModule", in->spec().name(), in->spec().config_json()); },
      [this, in](const state::MutationContext& how) -> Result<state::ModuleReply> {
        RETURN_IF_ERROR(CheckMode(in->spec().mode()));
        return context_.engine.LoadModule(how, in->spec().name(), in->spec().config_json());
      },
      AnswerModule(out));
}

grpc::ServerUnaryReactor* ControlService::ConfigureModule(Call* call, const v1::ConfigureModuleRequest* in,
                                                          v1::ConfigureModuleResponse* out) {
  return Mutate(
      context_, call, in->options(),
      [this, in] { return DescribeModule(context_, "ConfigureModule", in->name(), in->config_json()); },
      [this, in](const state::MutationContext& how) {
        return context_.engine.ConfigureModule(how, in->name(), in->config_json());
      },
      AnswerModule(out));
}

grpc::ServerUnaryReactor* ControlService::UnloadModule(Call* call, const v1::UnloadModuleRequest* in,
                                                       v1::UnloadModuleResponse* out) {
  return Mutate(
      context_, call, in->options(), [in] { return AuditEntry{"UnloadModule", in->name(), nlohmann::json::object()}; },
      [this, in](const state::MutationContext& how) { return context_.engine.UnloadModule(how, in->name()); },
      [out](const state::ModuleReply& reply) {
        AnswerModule(out)(reply);
        for (const std::string& left : reply.left_behind) out->add_left_behind(Utf8(left));
      });
}

grpc::ServerUnaryReactor* ControlService::RescanModules(Call* call, const v1::RescanModulesRequest* /*in*/,
                                                        v1::RescanModulesResponse* out) {
  return AnswerOnControl(context_, call, [this, out](const Peer& peer) {
    context_.engine.Rescan();
    context_.audit.Change(peer, {"RescanModules", "", nlohmann::json::object()}, {}, OkStatus(), nullptr);
    const state::SnapshotPtr now = context_.engine.snapshot();
    for (const state::ModuleView& module : now->modules) ToProto(module, Manifest::kWithout, *out->add_modules());
    return OkStatus();
  });
}

}  // namespace probed::control
