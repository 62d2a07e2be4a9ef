// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// A change over the API: options checked, made on [control], audited whatever comes of it.
#pragma once

#include <probed/v1/types.pb.h>

#include <memory>

#include "server/control/convert.h"
#include "server/control/service_context.h"

namespace probed::control {

inline constexpr std::size_t kLongestRequestId = 128;

inline Status CheckOptions(const v1::ChangeOptions& options) {
  if (options.request_id().size() <= kLongestRequestId) return OkStatus();
  return MakeError(absl::StatusCode::kInvalidArgument, "the request_id is too long",
                   {.reason = "REQUEST_INVALID",
                    .metadata = {},
                    .fields = {{"options.request_id", "must have at most 128 characters"}},
                    .log_tail = {}});
}

inline const state::Outcome* OutcomeOf(const state::Outcome& outcome) { return &outcome; }
template <typename Reply>
const state::Outcome* OutcomeOf(const Reply& reply) {
  return &reply.outcome;
}

/// `describe`: AuditEntry(); `change`: Result<Reply>(const MutationContext&); `answer`: void(const Reply&). All run on
/// [control].
template <typename Describe, typename ChangeIt, typename Answer>
grpc::ServerUnaryReactor* Mutate(const ServiceContext& context, grpc::CallbackServerContext* call,
                                 const v1::ChangeOptions& options, Describe describe, ChangeIt change, Answer answer) {
  return AnswerOnControl(context, call, [&context, &options, describe, change, answer](const Peer& peer) {
    const state::MutationContext how{options.request_id(), options.etag(), options.validate_only(), ScopeOf(peer)};
    const AuditEntry entry = describe();
    Status status = CheckOptions(options);
    if (!status.ok()) {
      context.audit.Change(peer, entry, how, status, nullptr);
      return status;
    }
    const auto reply = change(how);
    context.audit.Change(peer, entry, how, reply.status(), reply.ok() ? OutcomeOf(*reply) : nullptr);
    if (reply.ok()) answer(*reply);
    return reply.status();
  });
}

}  // namespace probed::control
