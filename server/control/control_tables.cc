// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Control: routes and targets, each read and replaced as a whole.
#include "server/control/control_service.h"
#include "server/control/mutation.h"

namespace probed::control {
namespace {

template <typename Items>
nlohmann::json Names(const Items& items) {
  nlohmann::json names = nlohmann::json::array();
  for (const auto& item : items) names.push_back(item.name());
  return names;
}

}  // namespace

grpc::ServerUnaryReactor* ControlService::GetRoutes(Call* call, const v1::GetRoutesRequest* /*in*/,
                                                    v1::GetRoutesResponse* out) {
  return AnswerNow(context_, call, [&](const Peer&) {
    ToProto(context_.engine.snapshot()->routes, *out->mutable_table());
    return OkStatus();
  });
}

grpc::ServerUnaryReactor* ControlService::PutRoutes(Call* call, const v1::PutRoutesRequest* in,
                                                    v1::PutRoutesResponse* out) {
  return Mutate(
      context_, call, in->options(),
      [in] { return AuditEntry{"PutRoutes", "", {{"routes", Names(in->table().routes())}}}; },
      [this, in](const state::MutationContext& how) -> Result<state::RoutesReply> {
        ASSIGN_OR_RETURN(const std::vector<config::Route> routes, FromProto(in->table()));
        return context_.engine.PutRoutes(how, routes);
      },
      [out](const state::RoutesReply& reply) {
        ToProto(reply.routes, *out->mutable_table());
        ToProto(reply.outcome, *out->mutable_outcome());
      });
}

grpc::ServerUnaryReactor* ControlService::GetTargets(Call* call, const v1::GetTargetsRequest* /*in*/,
                                                     v1::GetTargetsResponse* out) {
  return AnswerNow(context_, call, [&](const Peer&) {
    ToProto(context_.engine.snapshot()->targets, *out->mutable_table());
    return OkStatus();
  });
}

grpc::ServerUnaryReactor* ControlService::PutTargets(Call* call, const v1::PutTargetsRequest* in,
                                                     v1::PutTargetsResponse* out) {
  return Mutate(
      context_, call, in->options(),
      [in] { return AuditEntry{"PutTargets", "", {{"targets", Names(in->table().targets())}}}; },
      [this, in](const state::MutationContext& how) -> Result<state::TargetsReply> {
        ASSIGN_OR_RETURN(const std::vector<config::Target> targets, FromProto(in->table()));
        return context_.engine.PutTargets(how, targets);
      },
      [out](const state::TargetsReply& reply) {
        ToProto(reply.targets, *out->mutable_table());
        ToProto(reply.outcome, *out->mutable_outcome());
      });
}

}  // namespace probed::control
