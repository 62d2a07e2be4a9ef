// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// The common part of server streams: one write in flight, an end asked for from any thread, and self-deletion when gRPC
// is done with it. A subclass says what to write next.
#pragma once

#include <grpcpp/support/server_callback.h>

#include <mutex>
#include <optional>

#include "server/control/calls.h"
#include "server/control/errors.h"

namespace probed::control {

template <typename Response>
class WriteStream : public grpc::ServerWriteReactor<Response>, public Stream {
 public:
  explicit WriteStream(Calls& calls) : calls_(calls) {}

  void EndForShutdown() override { End(ShuttingDown()); }

 protected:
  /// The next message; false: there is none now. Called with the stream's lock held, never twice at a time.
  virtual bool Next(Response& out) = 0;
  /// gRPC is done; nothing of it will be called any more. May block for a moment.
  virtual void Closed() {}

  /// To be called once, when the subclass can answer to Next and Closed.
  void Begin() {
    if (!calls_.Add(this)) return End(ShuttingDown());
    Pump();
  }

  /// Something may be there to be written. [any]
  void Pump() {
    const std::lock_guard lock(mutex_);
    PumpLocked();
  }

  /// [any] After the write in flight.
  void End(const Status& status) {
    const std::lock_guard lock(mutex_);
    if (!end_) end_ = status;
    PumpLocked();
  }

  bool ending() {
    const std::lock_guard lock(mutex_);
    return end_.has_value();
  }

 private:
  void PumpLocked() {
    if (writing_ || finished_) return;
    if (end_) {
      finished_ = true;
      this->Finish(ToGrpc(*end_));
      return;
    }
    message_.Clear();
    if (!Next(message_)) return;
    writing_ = true;
    this->StartWrite(&message_);
  }

  void OnWriteDone(bool ok) override {
    const std::lock_guard lock(mutex_);
    writing_ = false;
    if (!ok && !end_) end_ = MakeStatus(absl::StatusCode::kCancelled, "the client is gone");
    PumpLocked();
  }

  void OnCancel() override { End(MakeStatus(absl::StatusCode::kCancelled, "the client is gone")); }

  void OnDone() override {
    Closed();
    calls_.Remove(this);
    delete this;
  }

  Calls& calls_;
  std::mutex mutex_;
  Response message_;
  bool writing_ = false;
  bool finished_ = false;
  std::optional<Status> end_;
};

/// A stream that is refused at once.
template <typename Response>
class RefusedStream final : public grpc::ServerWriteReactor<Response> {
 public:
  explicit RefusedStream(const Status& status) { this->Finish(ToGrpc(status)); }
  void OnDone() override { delete this; }
};

}  // namespace probed::control
