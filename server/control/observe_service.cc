// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/control/observe_service.h"

#include "server/base/clock.h"
#include "server/control/convert.h"
#include "server/control/tail_stream.h"

namespace probed::control {

grpc::ServerWriteReactor<v1::TailResponse>* ObserveService::Tail(grpc::CallbackServerContext* call,
                                                                 const v1::TailRequest* in) {
  return OpenTail(context_, *call, *in, tails_);
}

grpc::ServerUnaryReactor* ObserveService::GetLedger(grpc::CallbackServerContext* call,
                                                    const v1::GetLedgerRequest* /*in*/, v1::GetLedgerResponse* out) {
  return AnswerOnControl(context_, call, [this, out](const Peer&) {
    out->set_closes(true);
    for (const state::LedgerLine& line : context_.ledger.ReadLedger()) {
      ToProto(line, *out->add_lines());
      if (!line.imbalance.empty()) out->set_closes(false);
    }
    SetTime(SystemClock().UtcNs(), *out->mutable_read_at());
    return OkStatus();
  });
}

}  // namespace probed::control
