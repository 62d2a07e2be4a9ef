// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/control/tail_stream.h"

#include <thread>

#include "server/base/thread_tags.h"
#include "server/control/convert.h"
#include "server/control/grpc_limits.h"
#include "server/control/lossy_queue.h"
#include "server/control/write_stream.h"

namespace probed::control {
namespace {

/// How long the thread may take to notice that the client is gone.
constexpr std::chrono::milliseconds kPatience{200};

class TailStream final : public WriteStream<v1::TailResponse> {
 public:
  TailStream(Calls& calls, std::unique_ptr<state::TailReader> reader, std::shared_ptr<std::atomic<std::size_t>> open)
      : WriteStream(calls), reader_(std::move(reader)), open_(std::move(open)) {
    Begin();
    thread_ = std::thread([this] { Read(); });
  }

 private:
  void Read() {
    TagThread(ThreadTag::kGrpc);
    while (!ending()) {
      std::vector<state::TailItem> items = reader_->Next(kPatience);
      if (items.empty()) continue;
      Keep(std::move(items));
      Pump();
    }
  }

  void Keep(std::vector<state::TailItem> items) {
    const std::lock_guard lock(queue_mutex_);
    for (state::TailItem& item : items) {
      const std::uint64_t lost = std::exchange(item.lost, 0);
      if (!IsOnlyLoss(item)) {
        queue_.Push(std::move(item), lost + std::exchange(loss_only_, 0));
      } else {
        loss_only_ += lost;
      }
    }
  }

  /// A reader may tell a loss without an item to go with it.
  static bool IsOnlyLoss(const state::TailItem& item) { return item.json.empty() && item.module.empty(); }

  bool Next(v1::TailResponse& out) override {
    if (!started_) return started_ = true;
    const std::lock_guard lock(queue_mutex_);
    const auto portion = queue_.Take(kTailPortion);
    std::uint64_t lost = portion.lost;
    if (portion.items.empty()) lost = std::exchange(loss_only_, 0);
    if (lost != 0) out.mutable_loss()->set_lost(lost);
    for (const state::TailItem& item : portion.items) ToProto(item, *out.add_items());
    return lost != 0 || !portion.items.empty();
  }

  void Closed() override {
    thread_.join();
    open_->fetch_sub(1);
  }

  std::unique_ptr<state::TailReader> reader_;
  std::shared_ptr<std::atomic<std::size_t>> open_;
  bool started_ = false;
  std::mutex queue_mutex_;
  LossyQueue<state::TailItem> queue_{kTailQueue};
  std::uint64_t loss_only_ = 0;
  std::thread thread_;
};

Status TooManyTails() {
  return MakeError(absl::StatusCode::kResourceExhausted, "too many Tail readers; stop one of them",
                   {.reason = "TOO_MANY_READERS", .metadata = {}, .fields = {}, .log_tail = {}});
}

AuditEntry DescribeTail(const v1::TailRequest& request) {
  return {"Tail",
          "",
          {{"modules", std::vector<std::string>(request.modules().begin(), request.modules().end())},
           {"services", std::vector<std::string>(request.services().begin(), request.services().end())}}};
}

}  // namespace

grpc::ServerWriteReactor<v1::TailResponse>* OpenTail(const ServiceContext& context,
                                                     const grpc::CallbackServerContext& call,
                                                     const v1::TailRequest& request,
                                                     const std::shared_ptr<std::atomic<std::size_t>>& open) {
  const Result<Peer> peer = Admit(context, call);
  if (!peer.ok()) return new RefusedStream<v1::TailResponse>(peer.status());
  const Result<state::TailFilter> filter = FromProto(request);
  if (!filter.ok()) return new RefusedStream<v1::TailResponse>(filter.status());
  if (open->fetch_add(1) >= kMostTails) {
    open->fetch_sub(1);
    return new RefusedStream<v1::TailResponse>(TooManyTails());
  }
  context.audit.StreamOpened(*peer, DescribeTail(request));
  return new TailStream(context.calls, context.tail.OpenTail(*filter), open);
}

}  // namespace probed::control
