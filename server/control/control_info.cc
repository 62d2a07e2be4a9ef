// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Control: the daemon as a whole.
#include <unistd.h>

#include "server/control/control_service.h"
#include "server/control/convert.h"
#include "server/control/grpc_limits.h"
#include "server/control/watch_stream.h"

namespace probed::control {
namespace {

void PlatformToProto(const state::PlatformInfo& platform, const std::string& machine, v1::Platform& out) {
  out.set_kernel_release(platform.kernel_release);
  out.set_backend(platform.backend);
  for (const std::string& backend : platform.backends_available) out.add_backends_available(backend);
  for (const std::string& feature : platform.missing_features) out.add_missing_features(Utf8(feature));
  for (const std::string& capability : platform.capabilities) out.add_capabilities(capability);
  out.set_shards(platform.shards);
  out.set_machine(machine);
}

void LimitsToProto(const DaemonFacts& facts, v1::Limits& out) {
  out.set_ring_bytes(facts.ring_bytes);
  out.set_tail_batches(facts.tail_batches);
  out.set_max_request_bytes(kMaxRequestBytes);
  out.set_watch_events(facts.watch_events);
}

}  // namespace

grpc::ServerUnaryReactor* ControlService::GetInfo(Call* call, const v1::GetInfoRequest* /*in*/,
                                                  v1::GetInfoResponse* out) {
  return AnswerNow(context_, call, [&](const Peer& peer) {
    const DaemonFacts& facts = context_.facts;
    out->set_version(facts.version);
    out->mutable_module_abi()->set_major(facts.abi_major);
    out->mutable_module_abi()->set_minor_min(facts.abi_minor_min);
    out->mutable_module_abi()->set_minor_max(facts.abi_minor_max);
    PlatformToProto(facts.platform, facts.machine, *out->mutable_platform());
    LimitsToProto(facts, *out->mutable_limits());
    SetTime(facts.started_utc_ns, *out->mutable_started_at());
    for (const std::string& directory : facts.module_dirs) out->add_module_dirs(directory);
    if (facts.conditions) {
      for (const state::Condition& condition : facts.conditions()) {
        control::ToProto(condition, *out->add_conditions());
      }
    }
    out->mutable_caller()->set_uid(peer.uid);
    out->mutable_caller()->set_gid(peer.gid);
    out->mutable_caller()->set_may_change(true);
    out->set_pid(static_cast<std::uint32_t>(getpid()));
    return OkStatus();
  });
}

grpc::ServerUnaryReactor* ControlService::GetState(Call* call, const v1::GetStateRequest* /*in*/,
                                                   v1::GetStateResponse* out) {
  return AnswerFresh(context_, call, [out](const state::Snapshot& now) {
    ToProto(now, *out);
    return OkStatus();
  });
}

grpc::ServerWriteReactor<v1::WatchResponse>* ControlService::Watch(Call* call, const v1::WatchRequest* in) {
  return OpenWatch(context_, *call, *in);
}

}  // namespace probed::control
