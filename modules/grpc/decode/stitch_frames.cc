// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Stitcher, frames: bytes of a record to frames, whatever they are split over, and what each means for its call.
#include <algorithm>

#include "modules/grpc/bpf/h2_frames.h"
#include "modules/grpc/decode/stitch.h"

namespace probed::mod::grpc {
namespace {

constexpr std::uint8_t kPreface = 0xff;  // as a type: the rest of the client's preface
constexpr std::uint32_t kTailBytes = H2_TAIL_BYTES;
constexpr std::uint16_t kHeaderTableSize = 1;  // SETTINGS_HEADER_TABLE_SIZE

std::uint32_t ReadU32(const std::uint8_t* bytes) { return h2_u32(bytes); }

bool NeedsStream(std::uint8_t type) {
  return type == H2_DATA || type == H2_HEADERS || type == H2_RST_STREAM || type == H2_PUSH_PROMISE ||
         type == H2_CONTINUATION;
}

/// Bytes of fixed fields in front of the payload proper.
std::uint8_t FixedBytes(std::uint8_t type, std::uint8_t flags) {
  const std::uint8_t pad = (flags & H2_PADDED) != 0 ? 1 : 0;
  switch (type) {
    case H2_DATA: return pad;
    case H2_HEADERS: return static_cast<std::uint8_t>(pad + ((flags & H2_HAS_PRIORITY) != 0 ? 5 : 0));
    case H2_PUSH_PROMISE: return static_cast<std::uint8_t>(pad + 4);
    case H2_RST_STREAM: return 4;
    case H2_GOAWAY: return 8;
    case H2_SETTINGS: return 6;
    default: return 0;
  }
}

bool HasBlock(std::uint8_t type) { return type == H2_HEADERS || type == H2_PUSH_PROMISE || type == H2_CONTINUATION; }

bool IsPadded(const Frame& frame) {
  return (frame.flags & H2_PADDED) != 0 &&
         (frame.type == H2_DATA || frame.type == H2_HEADERS || frame.type == H2_PUSH_PROMISE);
}

}  // namespace

FrameStart Stitcher::StartAt(std::uint64_t offset) const {
  return {.ktime_ns = segment_->ktime_ns,
          .cookie = segment_->cookie,
          .offset = offset,
          .generation = segment_->generation,
          .wire_sequence = segment_->wire_sequence == 0
                               ? 0
                               : segment_->wire_sequence + static_cast<std::uint32_t>(offset - segment_->offset),
          .thread = segment_->thread_id,
          .cause = segment_->cause};
}

/// The first record of a direction. One that was not seen from its first byte on must begin where a frame does.
void Stitcher::Start(Direction& d) {
  d.started = true;
  d.synced = d.whole = c_->from_start;
  d.expected = c_->from_start ? 0 : segment_->offset;
  c_->late = c_->late || segment_->offset > d.expected;
  if (d.synced || segment_->captured == 0) return;
  std::array<std::uint8_t, H2_SEEN_BYTES> head{};
  const std::uint32_t known = std::min<std::uint32_t>(segment_->captured, H2_SEEN_BYTES);
  std::copy_n(segment_->bytes, known, head.begin());
  const bool preface = h2_recognise_preface(segment_->bytes, segment_->captured) == H2_YES;
  d.synced = preface || h2_recognise_frame(head.data(), known) == H2_YES;
}

/// Bytes of this direction are missing.
void Stitcher::Hole(Direction& d, std::uint64_t length) {
  const Frame& frame = d.frame;
  if (!d.synced) return;
  const bool inside =
      frame.have == H2_HEAD_BYTES && length <= frame.left && !h2_keeps_payload(frame.type) && frame.type != kPreface;
  if (!inside) return Desync(d);
  // The kernel always shows the end of a stream: if that is not here, it was lost, and nobody knows when it was.
  if (length == frame.left && frame.type == H2_DATA && (frame.flags & H2_END_STREAM) != 0) {
    Call* call = c_->calls.Find(frame.id);
    if (call != nullptr && !IsRequestSide(d)) Drop(call, PROBE_ABORTED_GAP);
  }
  PassPayload(d, static_cast<std::uint32_t>(length));
}

/// From here on nothing is known of the direction but that frames will begin again somewhere.
void Stitcher::Desync(Direction& d) {
  d.synced = d.whole = false;
  d.hpack.Close();
  d.under_way.open = false;
  d.frame.have = 0;
  d.frame.left = 0;
  const bool response = c_->request_direction >= 0 && !IsRequestSide(d);
  for (Call* call = c_->calls.oldest(); call != nullptr; call = call->newer) {
    call->body_unsure[response ? 1 : 0] = true;
    call->torn = true;
  }
}

void Stitcher::Malformed(Direction& d) {
  failure_ = PROBE_UNDECODABLE_MALFORMED;
  Desync(d);
}

void Stitcher::Read(Direction& d) {
  if (!d.synced) {
    if ((segment_->hint & H2_HINT_ALIGNED) == 0) {
      failure_ = PROBE_UNDECODABLE_GAP;
      return;
    }
    d.synced = true;
    d.frame.have = 0;
  }
  continues_ = d.frame.have == H2_HEAD_BYTES;
  while (at_ < end_ && d.synced) {
    const bool progress = d.frame.have < H2_HEAD_BYTES ? ReadHead(d) : ReadPayload(d);
    if (progress) continue;
    failure_ = PROBE_UNDECODABLE_GAP;  // the record has less than it stands for
    return Desync(d);
  }
}

/// A head, or a piece of one. False: there are no bytes.
bool Stitcher::ReadHead(Direction& d) {
  Frame& frame = d.frame;
  if (frame.have == 0) frame.start = StartAt(at_);
  const std::size_t count = std::min<std::size_t>({H2_HEAD_BYTES - std::size_t{frame.have}, bytes_.size(), end_ - at_});
  if (count == 0) return false;
  std::copy_n(bytes_.begin(), count, frame.head.begin() + frame.have);
  bytes_.remove_prefix(count);
  at_ += count;
  frame.have = static_cast<std::uint8_t>(frame.have + count);
  if (frame.have < H2_HEAD_BYTES) return true;
  continues_ = false;
  if (!BeginFrame(d)) {
    Malformed(d);
  } else if (frame.left == 0) {
    EndFrame(d);
  }
  return true;
}

/// Whether the record has the bytes of the payload at hand.
bool Stitcher::HasPayload(const Direction& d) const {
  const Frame& frame = d.frame;
  if (frame.type == kPreface || h2_keeps_payload(frame.type)) return true;
  if (continues_) return !bytes_.empty();
  if ((segment_->hint & H2_HINT_PACKED) == 0) return true;
  return (segment_->hint & H2_HINT_TAILS) != 0 && frame.tail;
}

bool Stitcher::ReadPayload(Direction& d) {
  const auto count = static_cast<std::uint32_t>(std::min<std::uint64_t>(d.frame.left, end_ - at_));
  if (!HasPayload(d)) {
    at_ += count;
    PassPayload(d, count);
    return true;
  }
  const std::string_view piece = bytes_.substr(0, count);
  if (piece.empty()) return false;
  bytes_.remove_prefix(piece.size());
  at_ += piece.size();
  TakePayload(d, piece);
  return true;
}

bool Stitcher::BeginPreface(Direction& d) {
  constexpr std::string_view kBegin = "PRI * HTTP/2.0";
  if (d.frame.start.offset != 0 && c_->proven && d.framed) return false;
  const std::string_view head(reinterpret_cast<const char*>(d.frame.head.data()), H2_HEAD_BYTES);
  if (!kBegin.starts_with(head)) return false;
  d.frame.type = kPreface;
  d.frame.flags = 0;
  d.frame.left = H2_PREFACE_BYTES - H2_HEAD_BYTES;
  c_->request_direction = &d == c_->directions.data() ? PROBE_RECEIVED : PROBE_SENT;
  // It comes before all else, so no header block of either side was missed.
  d.whole = true;
  if (d.frame.start.offset == 0) {
    if (!Other(d).started || Other(d).synced) Other(d).whole = true;
  } else {
    // But for an upgrade: the server's SETTINGS, and its answer, may have come with the 101.
    c_->late = true;
    d.hpack.Allow(Hpack::kMostTable);
  }
  return true;
}

/// A head is there. False: this is no frame of HTTP/2.
bool Stitcher::BeginFrame(Direction& d) {
  Frame& frame = d.frame;
  const auto& head = frame.head;
  frame.fixed_have = frame.fixed_need = frame.pad = 0;
  frame.tail = false;
  if (head[0] == 'P') return BeginPreface(d);
  frame.left = std::uint32_t{head[0]} << 16U | std::uint32_t{head[1]} << 8U | head[2];
  frame.size = frame.left;
  frame.type = head[3];
  frame.flags = head[4];
  frame.id = ReadU32(head.data() + 5) & 0x7fffffffU;
  frame.fixed_need = FixedBytes(frame.type, frame.flags);
  if (frame.type != H2_DATA && frame.left > kMaxFrame) return false;
  if (NeedsStream(frame.type) && frame.id == 0) return false;
  if (frame.type != H2_SETTINGS && frame.left < frame.fixed_need) return false;
  if (frame.type == H2_SETTINGS && (frame.left % 6 != 0 || frame.id != 0)) return false;
  frame.tail = frame.type == H2_DATA && (frame.flags & H2_END_STREAM) != 0 && frame.left <= kTailBytes;
  return !HasBlock(frame.type) && !d.under_way.open ? true : BeginBlock(d);
}

/// The fields in front of the payload proper. Returns what is behind them.
std::string_view Stitcher::TakeFixed(Direction& d, std::string_view bytes) {
  Frame& frame = d.frame;
  while (frame.fixed_have < frame.fixed_need && !bytes.empty()) {
    frame.fixed[frame.fixed_have++] = static_cast<std::uint8_t>(bytes.front());
    bytes.remove_prefix(1);
    --frame.left;
    if (frame.fixed_have < frame.fixed_need) continue;
    if (frame.type == H2_SETTINGS) TakeSetting(d);
    if (!IsPadded(frame)) continue;
    frame.pad = frame.fixed[0];
    if (frame.pad <= frame.left) continue;
    Malformed(d);
    return {};
  }
  return bytes;
}

/// Payload bytes that are there.
void Stitcher::TakePayload(Direction& d, std::string_view bytes) {
  Frame& frame = d.frame;
  bytes = TakeFixed(d, bytes);
  if (!d.synced) return;
  const std::uint32_t proper = frame.left > frame.pad ? frame.left - frame.pad : 0;
  const std::string_view piece = bytes.substr(0, proper);
  const bool first = frame.left == frame.size;
  frame.left -= static_cast<std::uint32_t>(bytes.size());
  if (!piece.empty()) {
    if (HasBlock(frame.type)) TakeFragment(d, piece);
    if (frame.type == H2_DATA) OnData(d, piece, first);
  }
  if (frame.left == 0) EndFrame(d);
}

/// Payload bytes that are not there.
void Stitcher::PassPayload(Direction& d, std::uint32_t count) {
  Frame& frame = d.frame;
  frame.left -= count;
  if (frame.type == H2_DATA) {
    if (Call* call = c_->calls.Find(frame.id); call != nullptr) {
      const std::size_t side = IsRequestSide(d) ? 0 : 1;
      call->messages[side].Skip(count);
      if (frame.fixed_have < frame.fixed_need) call->body_unsure[side] = true;
    }
  }
  if (frame.left == 0) EndFrame(d);
}

void Stitcher::TakeSetting(Direction& d) {
  Frame& frame = d.frame;
  frame.fixed_have = 0;
  const auto id = static_cast<std::uint16_t>(frame.fixed[0] << 8U | frame.fixed[1]);
  // What one side allows is what the other side's writer may use.
  if (id == kHeaderTableSize && (frame.flags & H2_ACK) == 0) Other(d).hpack.Allow(ReadU32(frame.fixed.data() + 2));
}

void Stitcher::EndFrame(Direction& d) {
  Frame& frame = d.frame;
  frame.have = 0;
  d.framed = true;
  switch (frame.type) {
    case H2_DATA: return EndData(d);
    case H2_RST_STREAM: return OnReset(d);
    case H2_GOAWAY: return OnGoAway(d);
    case H2_HEADERS:
    case H2_PUSH_PROMISE:
    case H2_CONTINUATION:
      if ((frame.flags & H2_END_HEADERS) != 0) EndBlock(d);
      return;
    default: return;
  }
}

void Stitcher::EndData(Direction& d) {
  const Frame& frame = d.frame;
  Call* call = c_->calls.Find(frame.id);
  if (call == nullptr || c_->request_direction < 0) return;
  used_ = true;
  const bool request = IsRequestSide(d);
  const std::uint32_t padding = (frame.flags & H2_PADDED) != 0 ? 1U + frame.pad : 0U;
  call->body[request ? 0 : 1] += frame.size - std::min(frame.size, padding);
  if ((frame.flags & H2_END_STREAM) == 0) return;
  if (request) return EndRequest(*call);
  Finish(call, {.ktime_ns = segment_->ktime_ns});
}

}  // namespace probed::mod::grpc
