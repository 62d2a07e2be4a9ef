// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Stitcher, first half: where heads begin and end, how bodies pass, what missing bytes mean.
#include <algorithm>

#include "modules/http/decode/stitch.h"

namespace probed::mod::http {
namespace {

using sdk::ParseState;

constexpr std::size_t kMaxHead = 65536;    // whatever capture_bytes says
constexpr std::size_t kSurelyShaped = 64;  // once so much of a head was accepted, more of its line changes nothing

/// Empty lines before a request line are allowed (RFC 9112 §2.2) and harmless before a status line.
std::size_t LeadingLineEnds(std::string_view text) {
  std::size_t count = 0;
  while (count < text.size() && (text[count] == '\r' || text[count] == '\n')) ++count;
  return count;
}

}  // namespace

/// Somewhere in a chunked response that nobody asked anything behind: what looks like another one is some of its data.
bool Stitcher::MayBeLostChunk(const Direction& d) const {
  return d.lost_chunks && d.message_open && d.mode == Mode::kSearch && d.current != nullptr && c_->queue.size() <= 1 &&
         &d == &ResponseDirection();
}

[[gnu::flatten]] void Stitcher::Consume(Direction& d, std::string_view bytes) {
  // Framed without knowing the request: after HEAD there is no body, whatever the head says.
  if (d.message_open && d.current == nullptr && &d == &ResponseDirection() &&
      LooksLikeResponse(bytes) == Likeness::kYes) {
    EndMessage(d);
  }
  if (d.mode == Mode::kSearch && d.message_open && d.lost_chunks && d.buffer.empty() && FindChunks(d, bytes)) {
    d.last_ns = segment_->ktime_ns;
  }
  while (!bytes.empty() && !c_->upgraded) {
    if (d.blind) {
      idle_reason_ = PROBE_UNDECODABLE_GAP;
      return;
    }
    if (MayBeLostChunk(d)) {
      d.last_ns = segment_->ktime_ns;
      return;
    }
    switch (d.mode) {
      case Mode::kSearch:
      case Mode::kHead: bytes = ReadHead(d, bytes); break;
      case Mode::kLength: {
        const auto taken = static_cast<std::size_t>(std::min<std::uint64_t>(d.remaining, bytes.size()));
        bytes.remove_prefix(taken);
        AdvanceLength(d, taken);
        break;
      }
      case Mode::kChunked: bytes = ReadChunks(d, bytes); break;
      case Mode::kUntilClose:
        // The assumption "no framing" is dropped when a status line follows and somebody waits for one.
        if (c_->queue.size() > 1 && LooksLikeResponse(bytes) == Likeness::kYes) {
          d.untrusted = false;
          EndMessage(d);
          break;
        }
        d.last_ns = segment_->ktime_ns;
        d.body_bytes += bytes.size();
        return;
    }
    // Where a message with contradictory framing ends is a guess: nothing behind it in this record is believed.
    if (d.untrusted && !d.message_open) {
      d.untrusted = false;
      return;
    }
  }
}

// --- heads --------------------------------------------------------------------------------------------------------

/// A long unfinished head that grew by bytes without a line end is still one: no need to parse it all again.
bool Stitcher::MustWait(const Direction& d, std::string_view bytes, std::size_t kept) const {
  return d.mode != Mode::kSearch && kept >= kSurelyShaped && kept + bytes.size() < kMaxHead &&
         bytes.find('\n') == std::string_view::npos;
}

/// Returns what is left of `bytes`, the tail of the current record, behind the head.
inline std::string_view Stitcher::ReadHead(Direction& d, std::string_view bytes) {
  if (d.buffer.empty() && bytes.front() > '\r') {  // nearly always: a whole head, right here
    const ParseState state = TryHead(d, bytes, StartAt(d.expected - bytes.size()), false);
    if (state == ParseState::kOk) {
      bytes.remove_prefix(used_request_ ? request_.size : response_.size);
      return bytes;
    }
  }
  return SearchHead(d, bytes);
}

/// ReadHead of bytes that continue a head, or hold none at their very beginning.
[[gnu::noinline]] std::string_view Stitcher::SearchHead(Direction& d, std::string_view bytes) {
  const std::size_t kept = d.buffer.size();
  const std::uint64_t base = d.expected - bytes.size() - kept;
  const bool wait = MustWait(d, bytes, kept);
  const std::string_view view = d.buffer.Join(stream_, bytes, kMaxHead);
  if (view.empty()) {  // no memory for the longer head
    pins_.Unpin(d.start.generation);
    failure_ = PROBE_UNDECODABLE_GAP;
    LoseBoundary(d);
    return {};
  }
  std::size_t at = 0;
  while (true) {
    at += LeadingLineEnds(view.substr(at));
    if (at >= view.size()) break;
    const std::string_view block = view.substr(at);
    const HeadStart start = at < kept ? d.start : StartAt(base + at);
    const ParseState state = wait ? ParseState::kNeedMore : TryHead(d, block, start, false);
    if (state == ParseState::kOk) {
      const std::size_t end = at + (used_request_ ? request_.size : response_.size);
      DropHead(d);
      return bytes.substr(end - kept);
    }
    if (state == ParseState::kNeedMore) {
      KeepHead(d, block, start);
      if (block.size() >= kMaxHead) CutHead(d);
      return {};
    }
    if (state == ParseState::kEndOfStream) break;
    Undecodable(d);
    const std::size_t line_end = block.find('\n');
    if (line_end == std::string_view::npos) break;
    at += line_end + 1;
  }
  DropHead(d);
  if (d.message_open) d.last_ns = segment_->ktime_ns;
  return {};
}

/// What does not begin a head: body bytes of a message whose end is unknown, the rest of a hole, or malformed.
void Stitcher::Undecodable(Direction& d) {
  if (d.mode == Mode::kSearch) {
    if (!d.message_open) idle_reason_ = PROBE_UNDECODABLE_GAP;
    return;
  }
  failure_ = PROBE_UNDECODABLE_MALFORMED;
  d.mode = Mode::kSearch;
  const bool response = c_->role != Role::kUnknown && &d == &ResponseDirection();
  if (response && c_->tombstones == 0 && !c_->draining && c_->queue.front() != nullptr) {
    FinishFront(d.last_ns, "malformed_response");
  }
}

void Stitcher::KeepHead(Direction& d, std::string_view rest, const HeadStart& start) {
  const bool first = d.buffer.empty();
  used_ = true;
  if (first) pins_.Pin(start.generation);
  if (!first && start.generation != d.start.generation) {
    pins_.Unpin(d.start.generation);
    pins_.Pin(start.generation);
  }
  d.start = start;
  if (d.buffer.Keep(stream_, rest, start.offset)) return;
  pins_.Unpin(start.generation);
  failure_ = PROBE_UNDECODABLE_GAP;
  LoseBoundary(d);
}

void Stitcher::DropHead(Direction& d) {
  if (!d.buffer.empty()) pins_.Unpin(d.start.generation);
  d.buffer.Clear();
}

/// The rest of the head in the buffer will never come: takes what is there.
void Stitcher::CutHead(Direction& d) {
  failure_ = PROBE_UNDECODABLE_TRUNCATED;
  const HeadStart start = d.start;
  const ParseState state = TryHead(d, d.buffer.view(), start, true);
  DropHead(d);
  if (state != ParseState::kOk) LoseBoundary(d);
}

inline ParseState Stitcher::TryHead(Direction& d, std::string_view block, const HeadStart& start, bool cut) {
  bool expects_response = c_->role != Role::kUnknown && &d == &ResponseDirection();
  if (c_->confirmed) [[likely]] {
    return expects_response ? TryResponse(d, block, start, cut) : TryRequest(d, block, start, cut);
  }
  const Likeness response = LooksLikeResponse(block);
  if (c_->role == Role::kUnknown) {
    // "HTTP" may yet become a method.
    if (response == Likeness::kMaybe && block.size() < 5 && !cut) return ParseState::kNeedMore;
    expects_response = response != Likeness::kNo;
  } else if (block.size() >= 5) {
    expects_response = response != Likeness::kNo;
  }
  return expects_response ? TryResponse(d, block, start, cut) : TryRequest(d, block, start, cut);
}

/// Into request_: what the connection's last head was, or parsed.
inline ParseState Stitcher::ReadRequest(Direction& d, std::string_view block, const HeadStart& start, bool cut) {
  captured_.count = 0;
  remembered_ = nullptr;
  RequestMemo* const memo = c_->request_memo;
  if (memo != nullptr && !cut && !d.torn && memo->Match(block, start.generation, &request_, &remote_)) [[likely]] {
    remembered_ = memo;
    return ParseState::kOk;
  }
  request_ = {};
  const Config* config = configs_.Find(start.generation);
  const ParseOptions options{config == nullptr ? nullptr : &config->http.request_headers, cut, d.torn};
  const ParseState state = ParseRequest(block, options, &request_, &captured_);
  const bool parsed = state == ParseState::kOk && !cut && config != nullptr && options.filter->empty();
  if (parsed && c_->confirmed) {
    RequestMemo::Remember(stream_, block, request_, start.generation, &c_->request_memo);
  }
  return state;
}

/// Into response_. Other than a request's, its meaning does not depend on the configuration.
inline ParseState Stitcher::ReadResponse(std::string_view block, bool cut) {
  captured_.count = 0;
  const Exchange* front = c_->queue.front();
  const ParseOptions options{front == nullptr ? nullptr : &front->config->http.response_headers, cut};
  const bool repeats = !cut && (options.filter == nullptr || options.filter->empty());
  if (repeats && c_->response_memo != nullptr && c_->response_memo->Match(block, &response_)) return ParseState::kOk;
  response_ = {};
  const ParseState state = ParseResponse(block, options, &response_, &captured_);
  if (repeats && state == ParseState::kOk && c_->request_memo != nullptr) {
    ResponseMemo::Remember(stream_, block, response_, &c_->response_memo);
  }
  return state;
}

ParseState Stitcher::TryRequest(Direction& d, std::string_view block, const HeadStart& start, bool cut) {
  const ParseState state = ReadRequest(d, block, start, cut);
  if (state == ParseState::kEndOfStream) {
    failure_ = PROBE_UNDECODABLE_MALFORMED;
    stream_.NotMine();
  }
  if (state != ParseState::kOk) return state;
  used_ = used_request_ = true;
  if (d.message_open) EndMessage(d);
  SetRole(d, true);
  if (d.torn && start.offset != segment_->offset) Drain();  // sent together with something that was lost
  d.last_ns = segment_->ktime_ns;
  OnRequest(d, block.substr(0, request_.size), start, cut);
  return state;
}

ParseState Stitcher::TryResponse(Direction& d, std::string_view block, const HeadStart& start, bool cut) {
  const ParseState state = ReadResponse(block, cut);
  if (state != ParseState::kOk) return state;
  used_ = true;
  used_request_ = false;
  if (d.message_open) EndMessage(d);
  SetRole(d, false);
  d.last_ns = segment_->ktime_ns;
  OnResponse(d, block.substr(0, response_.size), start, cut);
  return state;
}

// --- bodies and missing bytes -------------------------------------------------------------------------------------

std::string_view Stitcher::ReadChunks(Direction& d, std::string_view bytes) {
  const ParseState state = d.chunks.Feed(&bytes, &d.body_bytes);
  if (state == ParseState::kOk) EndMessage(d);
  if (state != ParseState::kInvalid) return bytes;
  failure_ = PROBE_UNDECODABLE_MALFORMED;
  const bool response = &d == &ResponseDirection();
  d.mode = Mode::kSearch;
  d.message_open = false;
  d.blind = !response;
  if (response && d.current != nullptr) FinishFront(d.last_ns, "malformed_response");
  d.current = nullptr;
  return {};
}

/// A kernel side that walks bodies to their end may say so. (PROBE_SEGMENT_SKIPPED does not: a chunk may end there.)
bool Stitcher::MarksMessageEnd() const { return (segment_->hint & kHintMessageEnd) != 0; }

/// A record that begins with a chunk-size line shows the place in the chunks again.
bool Stitcher::FindChunks(Direction& d, std::string_view bytes) {
  const std::size_t line_end = bytes.find('\n');
  if (line_end == std::string_view::npos) return false;
  ChunkReader reader;
  std::uint64_t payload = 0;
  std::string_view line = bytes.substr(0, line_end + 1);
  if (reader.Feed(&line, &payload) != ParseState::kNeedMore) return false;
  d.mode = Mode::kChunked;
  d.chunks.Reset();
  d.lost_chunks = d.blind = false;
  return true;
}

/// The place in the chunks is lost; the message goes on until something shows its end.
void Stitcher::LoseChunks(Direction& d) {
  d.mode = Mode::kSearch;
  d.lost_chunks = true;
  const bool answered = d.current == nullptr || d.current->status != 0;
  d.blind = &d == &RequestDirection() && !answered;
  d.torn = segment_ == nullptr;
  if (d.current == nullptr) return;
  (&d == &ResponseDirection() ? d.current->has_response_body : d.current->has_request_body) = false;
}

/// `count` bytes of the current record follow that were not shipped.
[[gnu::flatten]] void Stitcher::Advance(Direction& d, std::uint64_t count) {
  // Bytes behind a complete message in a record that shipped some are announced by on_gap, if they matter.
  const bool whole_record = segment_->captured == 0;
  if (!d.buffer.empty()) {
    d.expected += count;
    return CutHead(d);
  }
  switch (d.mode) {
    case Mode::kLength: {
      const std::uint64_t taken = std::min(count, d.remaining);
      d.expected += taken;
      AdvanceLength(d, taken);
      used_ = used_ || !d.message_open;
      if (taken == count || !whole_record) return;
      d.expected += count - taken;
      break;
    }
    case Mode::kChunked:
      d.expected += count;
      if (d.chunks.Skip(count, &d.body_bytes)) return;
      LoseChunks(d);
      if (MarksMessageEnd()) EndMessage(d);
      return;
    case Mode::kUntilClose:
      d.expected += count;
      d.last_ns = segment_->ktime_ns;
      d.body_bytes += count;
      return;
    case Mode::kSearch:
      if (whole_record) d.expected += count;
      if (!d.message_open) {
        idle_reason_ = PROBE_UNDECODABLE_GAP;
        return;
      }
      d.last_ns = segment_->ktime_ns;
      if (MarksMessageEnd()) EndMessage(d);
      return;
    case Mode::kHead:
      if (!whole_record) return;
      d.expected += count;
      break;
  }
  idle_reason_ = PROBE_UNDECODABLE_GAP;
  LoseBoundary(d);
}

void Stitcher::SkipHole(Direction& d, std::uint64_t offset, std::uint64_t length) {
  const std::uint64_t end = offset + length;
  if (!d.started) {
    d.started = true;
    d.expected = offset;
  }
  if (end <= d.expected) return;
  std::uint64_t count = end - d.expected;
  d.expected = end;
  d.torn = d.torn || d.mode == Mode::kSearch;
  const bool in_head = !d.buffer.empty();
  if (in_head) LoseHead(d);
  switch (d.mode) {
    case Mode::kLength: {
      const std::uint64_t taken = std::min(count, d.remaining);
      AdvanceLength(d, taken);
      if (taken == count) return;
      break;
    }
    case Mode::kChunked:
      if (!d.chunks.Skip(count, &d.body_bytes)) LoseChunks(d);
      return;
    case Mode::kUntilClose: d.body_bytes += count; return;
    case Mode::kSearch:
      if (!in_head) return;
      break;
    case Mode::kHead: break;
  }
  LoseBoundary(d);
}

/// The order of a pipelined connection is lost: nothing is matched until it was idle.
void Stitcher::Drain() {
  c_->draining = c_->pipelined = true;
  c_->tombstones = 0;
  c_->drain_ns = std::max(RequestDirection().last_ns, ResponseDirection().last_ns);
  AbortAll(PROBE_ABORTED_GAP);
}

/// A hole in a request's head: the request is lost. Its response comes, if it did not yet, and is nobody else's.
void Stitcher::LoseHead(Direction& d) {
  const bool request =
      LooksLikeRequest(d.buffer.view()) == Likeness::kYes && (!c_->confirmed || &d == &RequestDirection());
  if (request && !c_->draining) {
    SetRole(d, true);
    const bool answered = ResponseDirection().last_ns > d.start.ktime_ns;
    if (!answered) CountLost(d.start, PROBE_ABORTED_GAP);
    if (c_->queue.front() != nullptr) {
      Drain();
    } else if (!answered) {
      ++c_->tombstones;
    }
  }
  DropHead(d);
}

/// Unknown messages went by. Whatever their order makes uncertain is given up.
void Stitcher::LoseBoundary(Direction& d) {
  d.mode = Mode::kSearch;
  d.message_open = d.untrusted = false;
  d.torn = true;
  d.current = nullptr;
  if (c_->role == Role::kUnknown) return;
  if (c_->pipelined) {
    Drain();
  } else if (&d == &RequestDirection()) {
    return;  // what waits for a response still gets it first
  } else {
    RequestDirection().blind = false;
    c_->owed = c_->queue.size() + c_->tombstones;
    c_->tombstones = 0;
  }
  AbortAll(PROBE_ABORTED_GAP);
}

}  // namespace probed::mod::http
