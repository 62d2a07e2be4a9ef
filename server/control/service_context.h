// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// What all services share, and how a call gets to its answer: from a snapshot at once, or over [control]. gRPC's own
// threads never run domain code.
#pragma once

#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/post.hpp>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "server/control/audit.h"
#include "server/control/calls.h"
#include "server/control/errors.h"
#include "server/control/peer.h"
#include "server/state/engine.h"
#include "server/state/ports.h"

namespace probed::control {

/// Facts for GetInfo that are known at start.
struct DaemonFacts {
  std::string version;
  std::uint32_t abi_major = 1;
  std::uint32_t abi_minor_min = 0;
  std::uint32_t abi_minor_max = 0;
  state::PlatformInfo platform;
  std::string machine;
  std::vector<std::string> module_dirs;
  std::uint64_t started_utc_ns = 0;
  std::uint64_t ring_bytes = 0;
  std::uint32_t tail_batches = 0;
  std::uint32_t watch_events = 0;
  std::function<std::vector<state::Condition>()> conditions;  // [any]; may be empty
};

struct ServiceContext {
  state::Engine& engine;
  state::LedgerPort& ledger;
  state::TailPort& tail;
  boost::asio::any_io_executor control;  // the strand; runs until the server was shut down
  Admission admission;
  PeerTable& peers;
  Calls& calls;
  const Audit& audit;
  DaemonFacts facts;
};

/// Counts a call for as long as it lives; copies count too.
class CallTicket {
 public:
  explicit CallTicket(Calls& calls) : calls_(&calls) { calls_->Enter(); }
  CallTicket(const CallTicket& other) : CallTicket(*other.calls_) {}
  CallTicket& operator=(const CallTicket&) = delete;
  ~CallTicket() { calls_->Leave(); }

 private:
  Calls* calls_;
};

/// Who calls: UNAVAILABLE while stopping, UNAUTHENTICATED when the connection is gone, PERMISSION_DENIED.
inline Result<Peer> Admit(const ServiceContext& context, const grpc::CallbackServerContext& call) {
  if (context.calls.stopping()) return ShuttingDown();
  std::optional<Peer> peer = context.peers.Find(call.peer());
  if (!peer) return Unauthenticated();
  if (!context.admission.Admits(*peer)) return PermissionDenied();
  return std::move(*peer);
}

/// Answers on the calling thread: for what a snapshot holds. `work`: Status(const Peer&).
template <typename Work>
grpc::ServerUnaryReactor* AnswerNow(const ServiceContext& context, grpc::CallbackServerContext* call, Work work) {
  auto* reactor = call->DefaultReactor();
  const Result<Peer> peer = Admit(context, *call);
  reactor->Finish(ToGrpc(peer.ok() ? work(*peer) : peer.status()));
  return reactor;
}

/// Answers from [control]. `work`: Status(const Peer&).
template <typename Work>
grpc::ServerUnaryReactor* AnswerOnControl(const ServiceContext& context, grpc::CallbackServerContext* call, Work work) {
  auto* reactor = call->DefaultReactor();
  Result<Peer> peer = Admit(context, *call);
  if (!peer.ok()) {
    reactor->Finish(ToGrpc(peer.status()));
    return reactor;
  }
  boost::asio::post(context.control, [reactor, ticket = CallTicket(context.calls), who = *std::move(peer),
                                      todo = std::move(work)]() mutable { reactor->Finish(ToGrpc(todo(who))); });
  return reactor;
}

/// Answers from a fresh snapshot, or from the last one when a change is being made: reading never waits for it.
template <typename Work>
grpc::ServerUnaryReactor* AnswerFresh(const ServiceContext& context, grpc::CallbackServerContext* call, Work work) {
  state::Engine& engine = context.engine;
  if (engine.busy()) {
    return AnswerNow(context, call, [&](const Peer&) { return work(*engine.snapshot()); });
  }
  return AnswerOnControl(context, call, [&engine, todo = std::move(work)](const Peer&) {
    engine.Refresh();
    return todo(*engine.snapshot());
  });
}

}  // namespace probed::control
