// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Entry points and calls. Frames: stitch_frames.cc; header blocks: stitch_blocks.cc.
#include "modules/grpc/decode/stitch.h"

#include <algorithm>

#include "api/sdk/close_failure.h"
#include "modules/grpc/bpf/h2_frames.h"

namespace probed::mod::grpc {

void Stitcher::Enter(sdk::Stream stream, Connection& connection) {
  stream_ = stream;
  c_ = &connection;
  segment_ = nullptr;
  used_ = false;
  requests_ = 0;
  failure_ = PROBE_REASON_COUNT;
  connection.memory.Use(stream);
  connections_.Enter(connection, stream.raw());
}

/// Takes the connection out of the list and gives its memory back.
void Stitcher::Leave() {
  connections_.Leave(*c_);
  for (Direction& d : c_->directions) {
    d.hpack.Close();
    d.block.Release(stream_);
  }
  c_->calls.Release(stream_);
}

void Stitcher::OnOpen(sdk::Stream stream, Connection& connection, const probe_open_t& open) {
  Enter(stream, connection);
  connection.peer.Set(open.peer);
  connection.local.Set(open.local);
  connection.layer = open.layer;
  connection.opened = true;
  const bool started = connection.directions[0].started || connection.directions[1].started;
  connection.from_start = open.from_start != 0 && !started;
}

void Stitcher::OnSegment(sdk::Stream stream, Connection& connection, const probe_segment_t& segment) {
  Enter(stream, connection);
  segment_ = &segment;
  connection.layer = segment.layer;
  Direction& d = connection.directions[segment.direction == PROBE_RECEIVED ? PROBE_RECEIVED : PROBE_SENT];
  if (!d.started) Start(d);
  at_ = segment.offset;
  end_ = segment.offset + segment.total;
  bytes_ = {reinterpret_cast<const char*>(segment.bytes), segment.captured};
  if (at_ < d.expected) {  // twice the same bytes: nobody can say which are right
    failure_ = PROBE_UNDECODABLE_GAP;
    if (end_ > d.expected) Desync(d);
  } else {
    if (at_ > d.expected) Hole(d, at_ - d.expected);
    Read(d);
  }
  d.expected = std::max(d.expected, end_);
  Settle();
}

/// Says what became of the record, and gives a stream up that never showed a header block.
void Stitcher::Settle() {
  if (failure_ != PROBE_REASON_COUNT) {
    stream_.Count(failure_);
    if (!c_->proven && ++c_->undecodable == kUndecodableBeforeGivingUp) stream_.NotMine();
  } else if (!used_) {
    stream_.Count(PROBE_IGNORED_BODY);
  }
}

void Stitcher::OnClose(sdk::Stream stream, Connection& connection, std::uint32_t reason, std::uint64_t ktime_ns) {
  Enter(stream, connection);
  if (reason == PROBE_CLOSE_EVICTED) {
    while (c_->calls.oldest() != nullptr) Forget(c_->calls.oldest());
  } else if (reason == PROBE_CLOSE_UNLOAD || reason == PROBE_CLOSE_HANDED_OVER) {
    while (c_->calls.oldest() != nullptr)
      Drop(c_->calls.oldest(), reason == PROBE_CLOSE_UNLOAD ? PROBE_ABORTED_UNLOAD : PROBE_ABORTED_CLOSE);
  } else {
    const Ending ending{.kind = Ending::Kind::kClosed, .ktime_ns = ktime_ns, .failure = sdk::CloseFailure(reason)};
    while (Call* call = c_->calls.oldest()) Finish(call, ending);
  }
  Leave();
}

// --- calls --------------------------------------------------------------------------------------------------------

/// An exchange that is opened only to say that it is lost: the ledger counts it.
void Stitcher::CountLost(const FrameStart& start, probe_reason reason) {
  stream_.Abort(emitter_.BeginUnknown(stream_, *c_, start), reason);
}

/// Opens the call whose request is the block at hand. nullptr: it is of no interest, or there is no memory.
Call* Stitcher::Begin(Direction& d) {
  const BlockState& state = d.under_way;
  const Config* config = configs_.Find(state.start.generation);
  if (c_->calls.size() >= kMaxOpen) Drop(c_->calls.oldest(), PROBE_EVICTED_MEMORY);
  // Whoever is at work on a connection writes what others have for it, first of all who saw it stand. A thread that
  // asked before is taken to ask for itself.
  const bool knows = state.id != 1 && c_->asker == state.start.thread;
  c_->asker = state.start.thread;
  const bool alone = c_->calls.size() == 0 && ++requests_ == 1 && knows;
  const std::uint64_t exchange = emitter_.Begin(stream_, *c_, state.start, d.block, at_, alone);
  const std::string_view path = d.block.text(kPath);
  if (config != nullptr && !config->http.ignored.empty() &&
      !config->http.ignored.Match(path.substr(0, path.find('?'))).empty()) {
    stream_.Abort(exchange, PROBE_IGNORED_CONFIGURED);
    return nullptr;
  }
  Call* call = config == nullptr ? nullptr : c_->calls.Add(stream_, state.id, d.block);
  if (call == nullptr) {
    stream_.Abort(exchange, PROBE_EVICTED_MEMORY);
    return nullptr;
  }
  call->exchange = exchange;
  call->config = config;
  call->start_ns = state.start.ktime_ns;
  call->generation = state.start.generation;
  call->cut = d.block.fields().cut;
  // Until the other direction's frames are found, the end of a call may pass unseen.
  call->torn = c_->late && !Other(d).synced;
  pins_.Pin(call->generation);
  return call;
}

/// Bytes of DATA that are there; `first`: of their frame.
void Stitcher::OnData(Direction& d, std::string_view bytes, bool first) {
  Call* call = c_->calls.Find(d.frame.id);
  if (call == nullptr || c_->request_direction < 0) return;
  const bool request = IsRequestSide(d);
  MessageReader& messages = call->messages[request ? 0 : 1];
  if (first && d.frame.size <= H2_TAIL_BYTES) messages.BeginTail(d.frame.size);
  messages.Read(bytes, [call, request](std::string_view piece) {
    if (request) return;
    const std::size_t room = call->web_status.size() - call->web_status_size;
    const std::size_t count = std::min(room, piece.size());
    std::copy_n(piece.begin(), count, call->web_status.begin() + call->web_status_size);
    call->web_status_size = static_cast<std::uint8_t>(call->web_status_size + count);
  });
}

void Stitcher::EndRequest(Call& call) { call.request_done = true; }

void Stitcher::OnReset(Direction& d) {
  Call* call = c_->calls.Find(d.frame.id);
  if (call == nullptr || c_->request_direction < 0) return;
  used_ = true;
  Finish(call, {.kind = Ending::Kind::kReset,
                .by_client = IsRequestSide(d),
                .code = h2_u32(d.frame.fixed.data()),
                .ktime_ns = segment_->ktime_ns});
}

/// The server looks at no stream above the one it names.
void Stitcher::OnGoAway(Direction& d) {
  used_ = true;
  if (c_->request_direction < 0 || IsRequestSide(d)) return;
  const std::uint32_t last = h2_u32(d.frame.fixed.data()) & 0x7fffffffU;
  Call* call = c_->calls.oldest();
  while (call != nullptr) {
    Call* newer = call->newer;
    if (call->id > last) Finish(call, {.kind = Ending::Kind::kRefused, .ktime_ns = segment_->ktime_ns});
    call = newer;
  }
}

/// Removes the call without a word to the host.
void Stitcher::Forget(Call* call) {
  pins_.Unpin(call->generation);
  c_->calls.Remove(stream_, call);
}

void Stitcher::Drop(Call* call, probe_reason reason) {
  stream_.Abort(call->exchange, reason);
  Forget(call);
}

/// A call whose end may have been lost did not necessarily end with the connection; and a request of which not even the
/// method is known makes no HTTP span.
void Stitcher::Finish(Call* call, const Ending& ending) {
  if (call->torn && ending.kind == Ending::Kind::kClosed) return Drop(call, PROBE_ABORTED_GAP);
  const bool rpc = emitter_.IsRpc(*c_, *call);
  if (!rpc && call->Get(kMethod).empty()) {
    return Drop(call, call->request.lossy || call->cut ? PROBE_ABORTED_GAP : PROBE_ABORTED_CLOSE);
  }
  call->end_ns = ending.ktime_ns;
  c_->speaks_grpc = c_->speaks_grpc || rpc;
  emitter_.Emit(stream_, *c_, *call, ending);
  Forget(call);
}

}  // namespace probed::mod::grpc
