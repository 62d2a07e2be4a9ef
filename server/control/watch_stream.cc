// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/control/watch_stream.h"

#include <algorithm>

#include "server/control/convert.h"
#include "server/control/write_stream.h"

namespace probed::control {
namespace {

constexpr std::size_t kChangesAtOnce = 32;

class WatchStream final : public WriteStream<v1::WatchResponse> {
 public:
  WatchStream(state::ChangeLog& log, Calls& calls, std::uint64_t since, std::vector<v1::ResourceKind> kinds)
      : WriteStream(calls), log_(log), cursor_(since), kinds_(std::move(kinds)) {
    listener_ = log_.Listen([this] { Pump(); });
    Begin();
  }

 private:
  bool Next(v1::WatchResponse& out) override {
    if (!started_) {
      started_ = true;
      out.set_version(cursor_);
      out.mutable_started();
      return true;
    }
    while (true) {
      const state::ChangeLog::Reading reading = log_.After(cursor_, kChangesAtOnce);
      if (reading.lost != 0) {
        cursor_ += reading.lost;
        out.set_version(cursor_);
        out.mutable_loss()->set_lost(reading.lost);
        return true;
      }
      if (reading.events.empty()) return false;
      for (const auto& event : reading.events) {
        cursor_ = event->version;
        if (!Wanted(*event)) continue;
        ToProto(*event, out);
        return true;
      }
    }
  }

  bool Wanted(const state::WatchEvent& event) const {
    return kinds_.empty() || std::find(kinds_.begin(), kinds_.end(), ToProto(state::KindOf(event))) != kinds_.end();
  }

  void Closed() override { log_.Unlisten(listener_); }

  state::ChangeLog& log_;
  std::uint64_t cursor_;
  const std::vector<v1::ResourceKind> kinds_;
  bool started_ = false;
  std::uint64_t listener_ = 0;
};

}  // namespace

grpc::ServerWriteReactor<v1::WatchResponse>* OpenWatch(const ServiceContext& context,
                                                       const grpc::CallbackServerContext& call,
                                                       const v1::WatchRequest& request) {
  state::ChangeLog& log = context.engine.change_log();
  Status status = Admit(context, call).status();
  const std::uint64_t since = request.has_since_version() ? request.since_version() : log.version();
  if (status.ok()) status = log.CheckResume(since);
  if (!status.ok()) return new RefusedStream<v1::WatchResponse>(status);
  std::vector<v1::ResourceKind> kinds;
  for (const int kind : request.kinds()) kinds.push_back(static_cast<v1::ResourceKind>(kind));
  return new WatchStream(log, context.calls, since, std::move(kinds));
}

}  // namespace probed::control
