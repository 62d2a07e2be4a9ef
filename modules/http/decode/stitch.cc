// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Entry points and exchanges. Heads and bodies: stitch_bytes.cc; messages: stitch_messages.cc.
#include "modules/http/decode/stitch.h"

#include <algorithm>

#include "api/sdk/close_failure.h"

namespace probed::mod::http {
namespace {

void NoteAddresses(Connection& connection, const probe_open_t& open) {
  connection.peer.Set(open.peer);
  connection.local.Set(open.local);
  connection.layer = open.layer;
  connection.opened = true;
}

}  // namespace

/// Takes the connection out of the list and gives its memory back.
void Stitcher::Leave() {
  connections_.Leave(*c_);
  for (Direction& d : c_->directions) {
    DropHead(d);
    d.buffer.Release(stream_);
  }
  c_->queue.Release(stream_);
  RequestMemo::Release(stream_, &c_->request_memo);
  ResponseMemo::Release(stream_, &c_->response_memo);
}

void Stitcher::OnOpen(sdk::Stream stream, Connection& connection, const probe_open_t& open) {
  Enter(stream, connection);
  NoteAddresses(connection, open);
  ForgetConstant();
  if (open.from_start == 0) return;
  for (Direction& d : connection.directions) {
    if (!d.started) d.mode = Mode::kHead;
  }
}

/// Flattened, like what it calls for nearly every record that is not like the last one.
[[gnu::flatten]] void Stitcher::TakeAny(Direction& d, const probe_segment_t& segment) {
  if (!d.started) {
    d.started = true;
    d.expected = segment.offset;
  }
  if (segment.offset > d.expected) SkipHole(d, d.expected, segment.offset - d.expected);
  // An open message of unknown length ends where the next head begins: its last record is the one before that.
  const bool open_ended = d.message_open && (d.mode == Mode::kSearch || d.mode == Mode::kUntilClose);
  if (!open_ended) d.last_ns = segment.ktime_ns;
  const std::uint64_t known = std::min<std::uint64_t>(d.expected - segment.offset, segment.captured);
  std::string_view bytes(reinterpret_cast<const char*>(segment.bytes), segment.captured);
  bytes.remove_prefix(static_cast<std::size_t>(known));
  d.expected += bytes.size();
  Consume(d, bytes);
  const std::uint64_t end = segment.offset + segment.total;
  if (end > d.expected && !c_->upgraded) Advance(d, end - d.expected);
  if ((segment.flags & PROBE_SEGMENT_TRUNCATED) != 0 && !d.buffer.empty()) CutHead(d);
  Settle();
}

/// Says what became of the record, and gives a stream up that never showed a head.
void Stitcher::Settle() {
  if (failure_ != PROBE_REASON_COUNT) {
    stream_.Count(failure_);
  } else if (!used_) {
    stream_.Count(idle_reason_);
  }
  if (c_->role != Role::kUnknown || used_) return;
  if (++c_->undecodable == kUndecodableBeforeGivingUp) stream_.NotMine();
}

/// The kernel lets go of a stream by itself where the 101 is the first of its turn; of any other it is told here.
void Stitcher::AfterUpgrade() {
  stream_.Count(PROBE_IGNORED_AFTER_UPGRADE);
  if (!c_->tunnel) stream_.NotMine();
}

void Stitcher::OnGap(sdk::Stream stream, Connection& connection, std::uint8_t direction, std::uint64_t offset,
                     std::uint64_t length) {
  Enter(stream, connection);
  if (connection.upgraded) return;
  SkipHole(connection.directions[direction == PROBE_RECEIVED ? PROBE_RECEIVED : PROBE_SENT], offset, length);
}

/// A response head that the end of the connection cut short still tells the status.
void Stitcher::NoteCutResponse(Direction& d) {
  Exchange* front = c_->queue.front();
  if (front == nullptr || front->status != 0 || d.buffer.empty() || c_->tombstones != 0) return;
  response_ = {};
  if (ParseResponse(d.buffer.view(), {nullptr, true}, &response_, &captured_) != sdk::ParseState::kOk) return;
  if (response_.status >= 200) front->status = response_.status;
}

void Stitcher::OnClose(sdk::Stream stream, Connection& connection, std::uint32_t reason, std::uint64_t ktime_ns) {
  Enter(stream, connection);
  if (reason == PROBE_CLOSE_EVICTED) {
    while (c_->queue.front() != nullptr) ForgetFront();
  } else if (reason == PROBE_CLOSE_UNLOAD || reason == PROBE_CLOSE_HANDED_OVER) {
    AbortAll(reason == PROBE_CLOSE_UNLOAD ? PROBE_ABORTED_UNLOAD : PROBE_ABORTED_CLOSE);
  } else if (c_->role != Role::kUnknown) {
    Direction& d = ResponseDirection();
    const bool orderly = reason == PROBE_CLOSE_LOCAL || reason == PROBE_CLOSE_PEER;
    const bool open = d.message_open && d.current != nullptr;
    if (open && orderly && d.mode == Mode::kUntilClose) {
      d.last_ns = ktime_ns;
      EndMessage(d);
    } else if (open && orderly && d.mode == Mode::kSearch && !d.torn) {
      EndMessage(d);
    }
    NoteCutResponse(d);
    while (c_->queue.front() != nullptr) FinishFront(ktime_ns, sdk::CloseFailure(reason));
  }
  Leave();
}

// --- exchanges ----------------------------------------------------------------------------------------------------

/// Removes the oldest exchange without a word to the host.
void Stitcher::ForgetFront() {
  Exchange* front = c_->queue.front();
  for (Direction& d : c_->directions) {
    if (d.current == front) d.current = nullptr;
  }
  if (front->id != 0) pins_.Unpin(front->generation);
  if (front->memo != nullptr) --front->memo->users;
  c_->queue.Pop(stream_);
}

[[gnu::flatten]] void Stitcher::FinishFront(std::uint64_t end_ns, std::string_view failure) {
  Exchange* front = c_->queue.front();
  front->end_ns = end_ns;
  if (front->id != 0) emitter_.Emit(stream_, *c_, *front, failure);
  ForgetFront();
}

void Stitcher::DropFront(probe_reason reason) {
  if (const std::uint64_t id = c_->queue.front()->id; id != 0) stream_.Abort(id, reason);
  ForgetFront();
}

void Stitcher::AbortAll(probe_reason reason) {
  while (c_->queue.front() != nullptr) DropFront(reason);
}

/// Makes room for one more. The response of the evicted request, if it has not begun, is still to come.
void Stitcher::EvictIfFull() {
  if (c_->queue.size() < kMaxOpen) return;
  if (ResponseDirection().current != c_->queue.front()) ++c_->tombstones;
  DropFront(PROBE_EVICTED_MEMORY);
}

}  // namespace probed::mod::http
