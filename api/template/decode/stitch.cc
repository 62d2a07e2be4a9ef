// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "decode/stitch.h"

#include <algorithm>

namespace probed::mod::ping {

void Stitcher::OnSegment(sdk::Stream stream, Connection& connection, const probe_segment_t& segment,
                         const Config& config) {
  const std::string_view bytes(reinterpret_cast<const char*>(segment.bytes), segment.captured);
  sdk::StreamBuffer& buffer = connection.buffers[segment.direction == PROBE_RECEIVED ? PROBE_RECEIVED : PROBE_SENT];
  std::string_view view = buffer.Join(stream, bytes, kMaxLine);
  bool used = false;
  Frame frame;
  while (!view.empty()) {
    const sdk::ParseState state = ParseFrame(view, &frame);
    if (state == sdk::ParseState::kNeedMore) break;
    if (state == sdk::ParseState::kOk) used = OnFrame(stream, connection, segment, frame, config) || used;
    view.remove_prefix(state == sdk::ParseState::kOk ? frame.size : std::min(view.find('\n'), view.size() - 1) + 1);
  }
  const std::uint64_t end = segment.offset + segment.captured;
  if (!view.empty()) used = buffer.Keep(stream, view, end - view.size());
  if (view.empty()) buffer.Clear();
  if (!used) stream.Count(PROBE_UNDECODABLE_MALFORMED);
}

/// False: the frame fits nothing that is open.
bool Stitcher::OnFrame(sdk::Stream stream, Connection& connection, const probe_segment_t& segment, const Frame& frame,
                       const Config& config) {
  if (frame.kind == FrameKind::kPing) {
    Open(stream, connection, segment, frame, config);
    return true;
  }
  if (connection.exchange == 0) return false;
  Finish(stream, connection, segment.ktime_ns, frame.kind == FrameKind::kOk ? "" : "ping_error");
  return true;
}

void Stitcher::Open(sdk::Stream stream, Connection& connection, const probe_segment_t& segment, const Frame& frame,
                    const Config& config) {
  Abort(stream, connection, PROBE_ABORTED_UNMATCHED);  // the one before was never answered
  connection.kind = segment.direction == PROBE_RECEIVED ? PROBE_SPAN_SERVER : PROBE_SPAN_CLIENT;
  connection.start_ns = segment.ktime_ns;
  connection.config = &config;
  connection.generation = segment.generation;
  connection.word_size = static_cast<std::uint8_t>(std::min(frame.text.size(), sizeof(connection.word)));
  std::copy_n(frame.text.data(), connection.word_size, connection.word);

  probe_exchange_t exchange{};
  exchange.struct_size = sizeof(exchange);
  exchange.kind = connection.kind;
  exchange.start_ns = segment.ktime_ns;
  exchange.cookie = segment.cookie;
  exchange.offset = segment.offset;
  exchange.end_offset = segment.offset + segment.captured;
  exchange.wire_sequence = segment.wire_sequence;
  exchange.layer = segment.layer;
  exchange.cause = segment.cause;
  connection.exchange = stream.Begin(exchange);
}

void Stitcher::Finish(sdk::Stream stream, Connection& connection, std::uint64_t end_ns, std::string_view error) {
  span_.Start(static_cast<probe_span_kind>(connection.kind), connection.exchange);
  span_.Name("PING");
  span_.Times(connection.start_ns, end_ns);
  if (connection.config->capture_word) span_.String(keys_.word, {connection.word, connection.word_size});
  if (!error.empty()) span_.Error(error);
  span_.Measure(keys_.duration, span_.seconds());
  span_.Emit(stream);
  connection.exchange = 0;
}

void Stitcher::Abort(sdk::Stream stream, Connection& connection, probe_reason reason) {
  if (connection.exchange != 0) stream.Abort(connection.exchange, reason);
  connection.exchange = 0;
}

void Stitcher::OnGap(sdk::Stream stream, Connection& connection, std::uint8_t direction) {
  connection.buffers[direction == PROBE_RECEIVED ? PROBE_RECEIVED : PROBE_SENT].Clear();
  Abort(stream, connection, PROBE_ABORTED_GAP);
}

void Stitcher::OnClose(sdk::Stream stream, Connection& connection, std::uint32_t reason, std::uint64_t ktime_ns) {
  if (reason == PROBE_CLOSE_UNLOAD) Abort(stream, connection, PROBE_ABORTED_UNLOAD);
  if (reason == PROBE_CLOSE_HANDED_OVER) Abort(stream, connection, PROBE_ABORTED_CLOSE);
  if (reason == PROBE_CLOSE_EVICTED) connection.exchange = 0;  // the host has ended it
  if (connection.exchange != 0) {
    Finish(stream, connection, ktime_ns, reason == PROBE_CLOSE_RESET ? "connection_reset" : "connection_closed");
  }
  for (sdk::StreamBuffer& buffer : connection.buffers) buffer.Release(stream);
}

}  // namespace probed::mod::ping
