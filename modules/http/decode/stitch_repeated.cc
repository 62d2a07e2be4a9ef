// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Stitcher, the short way: records of a connection in order that hold one message each, like the last one of their
// direction. Does what the long way (stitch_bytes.cc, stitch_messages.cc) does with such a record, and nothing with any
// other.
#include "modules/http/decode/stitch.h"

namespace probed::mod::http {
namespace {

/// The record follows the last one of its direction, which ended a message.
bool FollowsMessage(const Direction& d, const probe_segment_t& segment) {
  return d.mode == Mode::kHead && segment.offset == d.expected && d.started && d.buffer.empty() &&
         (segment.flags & PROBE_SEGMENT_TRUNCATED) == 0 && !d.message_open && !d.torn && !d.lost_chunks && !d.untrusted;
}

std::string_view BytesOf(const probe_segment_t& segment) {
  return {reinterpret_cast<const char*>(segment.bytes), segment.captured};
}

}  // namespace

/// False: nothing was done. Flattened: of small steps, each taken for nearly every record.
[[gnu::flatten]] bool Stitcher::TakeRepeated(Direction& d, const probe_segment_t& segment) {
  if (!c_->confirmed || c_->draining || c_->tombstones != 0 || !FollowsMessage(d, segment)) return false;
  return &d == &RequestDirection() ? TakeRepeatedRequest(d, segment) : TakeRepeatedResponse(d, segment);
}

/// Without a body, and nobody waits for a response.
inline bool Stitcher::TakeRepeatedRequest(Direction& d, const probe_segment_t& segment) {
  RequestMemo* const memo = c_->request_memo;
  if (memo == nullptr || c_->queue.front() != nullptr || segment.captured != segment.total) return false;
  const std::string_view bytes = BytesOf(segment);
  if (!memo->Match(bytes, segment.generation, &request_, &remote_)) return false;
  const BodyHeaders& body = request_.body;
  if (request_.size != bytes.size() || body.length != 0 || body.chunked || body.conflict) return false;
  remembered_ = memo;
  captured_.count = 0;
  d.last_ns = segment.ktime_ns;
  d.expected += bytes.size();
  d.body_bytes = 0;
  if (!c_->pipelined) c_->owed = 0;
  if (Exchange* made = Begin(StartAt(segment.offset), bytes, false)) made->request_done = true;
  return true;
}

/// With the length of its body, which the record reaches to the end of.
inline bool Stitcher::TakeRepeatedResponse(Direction& d, const probe_segment_t& segment) {
  Exchange* const front = c_->queue.front();
  const ResponseMemo* const memo = c_->response_memo;
  if (memo == nullptr || front == nullptr || c_->queue.size() != 1) return false;
  if (front->is_head || front->is_connect || !front->config->http.response_headers.empty()) return false;
  if (!memo->Match(BytesOf(segment), &response_)) return false;
  const BodyHeaders& body = response_.body;
  if (EndsWithoutBody(response_.status) || !body.has_length || body.chunked || body.other_coding || body.conflict) {
    return false;
  }
  if (segment.total != response_.size + body.length) return false;
  front->status = response_.status;
  front->response_minor_version = response_.minor_version;
  front->has_response_body = body.length != 0;
  front->response_body = body.length;
  d.last_ns = segment.ktime_ns;
  d.expected += segment.total;
  d.body_bytes = body.length;
  FinishFront(segment.ktime_ns, {});
  return true;
}

}  // namespace probed::mod::http
