// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Stitcher, header blocks: fragments to fields, and what a whole block means: a request, a response, its trailers.
#include <algorithm>
#include <cstring>

#include "modules/grpc/bpf/h2_frames.h"
#include "modules/grpc/decode/stitch.h"

namespace probed::mod::grpc {

/// A frame with a piece of a block, or another one while a block is open. False: not HTTP/2.
bool Stitcher::BeginBlock(Direction& d) {
  const Frame& frame = d.frame;
  BlockState& state = d.under_way;
  if (frame.type == H2_CONTINUATION && state.open && state.id == frame.id) return true;
  if (state.open) LoseBlock(d);  // nothing may come between
  state.open = false;
  if (frame.type != H2_HEADERS && frame.type != H2_PUSH_PROMISE) {
    // A CONTINUATION of a block whose beginning nobody saw: what it does to the table is not known either.
    if (frame.type == H2_CONTINUATION) LoseBlock(d);
    return true;
  }
  state = {.id = frame.id,
           .bytes = 0,
           .open = true,
           .pushed = frame.type == H2_PUSH_PROMISE,
           .end_stream = frame.type == H2_HEADERS && (frame.flags & H2_END_STREAM) != 0,
           .readable = true,
           .start = frame.start};
  d.block.Begin();
  if (!d.hpack.Begin(c_->memory, d.whole)) LoseBlock(d);
  return true;
}

/// The block at hand cannot be read (on), and so the table is not known any more.
void Stitcher::LoseBlock(Direction& d) {
  d.under_way.readable = false;
  d.block.MarkLossy();
  d.hpack.Close();
  d.whole = false;
}

Block::Wanted Stitcher::WantedOf(const Direction& d) {
  const Config* config = configs_.Find(d.under_way.start.generation);
  if (config == nullptr) return {nullptr, 0};
  const bool request = c_->request_direction >= 0 && IsRequestSide(d);
  if (request) return {&config->http.request_headers, config->http.capture_bytes};
  const Call* call = c_->calls.Find(d.under_way.id);
  const bool trailers = call != nullptr && call->responded;
  return {trailers ? &config->trailers : &config->http.response_headers, config->http.capture_bytes};
}

void Stitcher::TakeFragment(Direction& d, std::string_view bytes) {
  BlockState& state = d.under_way;
  if (!state.open || !state.readable) return;
  state.bytes += static_cast<std::uint32_t>(bytes.size());
  const Block::Wanted wanted = WantedOf(d);
  const bool read =
      state.bytes <= kMaxBlock && d.hpack.Inflate(bytes, false, [&](std::string_view name, std::string_view value) {
        d.block.Add(stream_, wanted, name, value);
      });
  if (read) return;
  failure_ = state.bytes <= kMaxBlock && d.whole ? PROBE_UNDECODABLE_MALFORMED : PROBE_UNDECODABLE_TRUNCATED;
  LoseBlock(d);
}

void Stitcher::LearnRoles(const Direction& d, const Fields& fields) {
  if (c_->request_direction >= 0 || (!fields.pseudo_method && fields.status == 0)) return;
  const bool received = &d == c_->directions.data();
  const bool request = fields.pseudo_method && !d.under_way.pushed;  // a server promises a request
  c_->request_direction = received == request ? PROBE_RECEIVED : PROBE_SENT;
}

/// END_HEADERS: the block is complete.
void Stitcher::EndBlock(Direction& d) {
  BlockState& state = d.under_way;
  if (!state.open) return;
  if (state.readable && !d.hpack.Inflate({}, true, [](std::string_view, std::string_view) {})) {
    failure_ = PROBE_UNDECODABLE_MALFORMED;
    LoseBlock(d);
  }
  state.open = false;
  if (state.readable) c_->proven = true;
  LearnRoles(d, d.block.fields());
  if (state.pushed || c_->request_direction < 0) return;
  used_ = true;
  if (IsRequestSide(d)) {
    OnRequest(d);
  } else {
    OnResponse(d);
  }
}

void Stitcher::OnRequest(Direction& d) {
  const BlockState& state = d.under_way;
  if (state.id > c_->last_id) {
    if (c_->first_id == 0) c_->first_id = state.id;
    c_->last_id = state.id;
    Call* call = Begin(d);
    if (call != nullptr && state.end_stream) EndRequest(*call);
    return;
  }
  // Trailers of a request, or something late for a call that is over.
  Call* call = c_->calls.Find(state.id);
  if (call != nullptr && state.end_stream) EndRequest(*call);
}

void Stitcher::OnResponse(Direction& d) {
  const BlockState& state = d.under_way;
  Call* call = c_->calls.Find(state.id);
  if (call != nullptr) return OnResponseBlock(d, *call);
  // Its request was before anybody looked, or was lost. Once for each such call: at its end.
  if (state.id == 1 && c_->late) return OnFirstAnswer(d);
  const bool unseen = state.id > c_->last_id || state.id < c_->first_id || c_->first_id == 0;
  if (unseen && state.end_stream && state.id % 2 == 1) CountLost(state.start, PROBE_ABORTED_UNMATCHED);
}

/// Its request was HTTP/1's, and so is its span.
void Stitcher::OnFirstAnswer(const Direction& d) {
  const std::uint16_t status = d.block.fields().status;
  if (c_->first_answered || (status >= 100 && status < 200)) return;
  c_->first_answered = true;
  CountLost(d.under_way.start, PROBE_ABORTED_UNMATCHED);
}

void Stitcher::OnResponseBlock(Direction& d, Call& call) {
  const BlockState& state = d.under_way;
  const Fields& fields = d.block.fields();
  call.response_lossy = call.response_lossy || fields.lossy;
  call.cut = call.cut || fields.cut;
  if (fields.grpc_status >= 0) call.grpc_status = fields.grpc_status;
  const bool interim = fields.status >= 100 && fields.status < 200 && !state.end_stream;
  if (interim) return;
  // A block without :status is one of trailers, unless it is the first and an unknown field may be that.
  const bool trailers = call.responded || (fields.status == 0 && !fields.lossy);
  if (trailers) {
    call.has_trailers = true;
    KeepHeaders(d, call, &call.response_trailers);
  } else {
    call.responded = true;
    call.status = fields.status;
    call.response_content = fields.content;
    KeepHeaders(d, call, &call.response_headers);
  }
  if (state.end_stream) Finish(&call, {.ktime_ns = segment_->ktime_ns});
}

/// Copies the captured headers of the block at hand: the block is gone when the span is built.
void Stitcher::KeepHeaders(Direction& d, Call& call, KeptHeaders* kept) {
  const std::uint32_t count = d.block.fields().captured;
  if (count == 0 || kept->memory != nullptr) return;
  const std::size_t size = count * sizeof(CapturedHeader) + d.block.size();
  auto* memory = static_cast<char*>(stream_.Alloc(size));
  if (memory == nullptr) {
    call.cut = true;
    return;
  }
  std::memcpy(memory, d.block.captured(), count * sizeof(CapturedHeader));
  if (d.block.size() != 0) std::memcpy(memory + count * sizeof(CapturedHeader), d.block.bytes(), d.block.size());
  *kept = {memory, static_cast<std::uint32_t>(size), count};
}

}  // namespace probed::mod::grpc
