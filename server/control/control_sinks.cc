// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Control: sinks.
#include "server/control/control_service.h"
#include "server/control/mutation.h"

namespace probed::control {
namespace {

Status NoSuchSink(const std::string& name) {
  return MakeError(absl::StatusCode::kNotFound, "there is no sink \"" + name + "\"",
                   {.reason = "SINK_NOT_FOUND", .metadata = {{"sink", name}}, .fields = {}, .log_tail = {}});
}

AuditEntry DescribePut(const v1::Sink& in) {
  const Result<config::Sink> sink = FromProto(in);
  return {"PutSink", in.name(), sink.ok() ? RedactedSink(*sink) : nlohmann::json::object()};
}

}  // namespace

grpc::ServerUnaryReactor* ControlService::ListSinks(Call* call, const v1::ListSinksRequest* /*in*/,
                                                    v1::ListSinksResponse* out) {
  return AnswerFresh(context_, call, [out](const state::Snapshot& now) {
    for (const state::SinkView& sink : now.sinks) ToProto(sink, *out->add_sinks());
    return OkStatus();
  });
}

grpc::ServerUnaryReactor* ControlService::GetSink(Call* call, const v1::GetSinkRequest* in, v1::GetSinkResponse* out) {
  return AnswerFresh(context_, call, [in, out](const state::Snapshot& now) {
    const state::SinkView* sink = state::FindSink(now, in->name());
    if (sink == nullptr) return NoSuchSink(in->name());
    ToProto(*sink, *out->mutable_sink());
    return OkStatus();
  });
}

grpc::ServerUnaryReactor* ControlService::PutSink(Call* call, const v1::PutSinkRequest* in, v1::PutSinkResponse* out) {
  return Mutate(
      context_, call, in->options(), [in] { return DescribePut(in->sink()); },
      [this, in](const state::MutationContext& how) -> Result<state::SinkReply> {
        ASSIGN_OR_RETURN(const config::Sink sink, FromProto(in->sink()));
        return context_.engine.PutSink(how, sink);
      },
      [out](const state::SinkReply& reply) {
        ToProto(reply.sink, *out->mutable_sink());
        ToProto(reply.outcome, *out->mutable_outcome());
        out->set_created(reply.created);
      });
}

grpc::ServerUnaryReactor* ControlService::DeleteSink(Call* call, const v1::DeleteSinkRequest* in,
                                                     v1::DeleteSinkResponse* out) {
  return Mutate(
      context_, call, in->options(), [in] { return AuditEntry{"DeleteSink", in->name(), nlohmann::json::object()}; },
      [this, in](const state::MutationContext& how) { return context_.engine.DeleteSink(how, in->name()); },
      [out](const state::Outcome& outcome) { ToProto(outcome, *out->mutable_outcome()); });
}

grpc::ServerUnaryReactor* ControlService::TestSink(Call* call, const v1::TestSinkRequest* in,
                                                   v1::TestSinkResponse* out) {
  return AnswerOnControl(context_, call, [this, in, out](const Peer& peer) -> Status {
    context_.audit.StreamOpened(
        peer, {"TestSink", in->has_name() ? in->name() : in->sink().name(), nlohmann::json::object()});
    Result<state::SinkAnswer> answer = state::SinkAnswer{};
    if (in->has_name()) {
      answer = context_.engine.TestSink(in->name());
    } else {
      ASSIGN_OR_RETURN(const config::Sink sink, FromProto(in->sink()));
      answer = context_.engine.TestSink(sink);
    }
    RETURN_IF_ERROR(answer.status());
    out->set_accepted(answer->status.ok());
    out->set_code(static_cast<int>(answer->status.code()));
    out->set_message(Utf8(Message(answer->status)));
    return OkStatus();
  });
}

}  // namespace probed::control
