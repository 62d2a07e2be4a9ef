// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Stitcher, second half: what a whole head means for the queue of exchanges and for the bytes behind it.
#include <algorithm>
#include <cstring>

#include "modules/http/decode/stitch.h"

namespace probed::mod::http {
namespace {

/// Makes one line of a folded value in place.
void ReplaceFolds(char* bytes, std::size_t size) {
  for (std::size_t i = 0; i + 1 < size; ++i) {
    if (bytes[i] != '\n' || (bytes[i + 1] != ' ' && bytes[i + 1] != '\t')) continue;
    bytes[i] = ' ';
    if (i != 0 && bytes[i - 1] == '\r') bytes[i - 1] = ' ';
  }
}

constexpr std::uint32_t kUsualMethodSize = 3;  // GET and PUT: neither of those that change what a response is

}  // namespace

/// An exchange that is opened only to say that it is lost: the ledger counts it.
void Stitcher::CountLost(const HeadStart& start, probe_reason reason) {
  stream_.Abort(emitter_.Begin(stream_, *c_, start, {}, {}), reason);
}

/// Opens and queues the exchange of the request in request_. nullptr: given up at once, and its response with it.
Exchange* Stitcher::Begin(const HeadStart& start, std::string_view head, bool cut) {
  const bool linked = remembered_ != nullptr && request_.traceparents != 0;
  const std::uint64_t id = emitter_.Begin(stream_, *c_, start, request_, head, linked ? &remote_ : nullptr);
  const Config* config = configs_.Find(start.generation);
  const bool ignored =
      config != nullptr && !config->http.ignored.empty() &&
      !config->http.ignored.Match(sdk::http::ParseTarget(request_.target.In(head.data())).path).empty();
  const std::string_view kept = remembered_ == nullptr ? head : request_.target.In(head.data());
  Exchange* made = config == nullptr ? nullptr : c_->queue.Make(stream_, captured_.count, ignored ? 0 : kept.size());
  if (made == nullptr) {
    stream_.Abort(id, PROBE_EVICTED_MEMORY);
    c_->tombstones += c_->queue.size() + 1;
    if (ResponseDirection().current != nullptr) --c_->tombstones;
    AbortAll(PROBE_EVICTED_MEMORY);
    return nullptr;
  }
  if (remembered_ == nullptr) {
    made->head = request_;
  } else {
    made->head.target = {0, request_.target.size};
  }
  made->config = config;
  made->start_ns = start.ktime_ns;
  made->generation = start.generation;
  if (request_.method.size != kUsualMethodSize) {
    const std::string_view method = request_.method.In(head.data());
    made->is_head = method == "HEAD";
    made->is_connect = method == "CONNECT";
  }
  if (ignored) {
    made->captured = 0;
    stream_.Abort(id, PROBE_IGNORED_CONFIGURED);
  } else {
    made->id = id;
    made->framing_conflict = request_.body.conflict;
    made->head_truncated = cut;
    std::copy_n(captured_.items.begin(), captured_.count, made->captured_headers());
    std::memcpy(made->bytes(), kept.data(), kept.size());
    if (request_.folded) ReplaceFolds(made->bytes(), head.size());
    if (remembered_ != nullptr) {
      made->memo = remembered_;
      ++remembered_->users;
    }
    pins_.Pin(start.generation);
  }
  c_->queue.Push(made);
  return made;
}

[[gnu::flatten]] void Stitcher::OnRequest(Direction& d, std::string_view head, const HeadStart& start, bool cut) {
  if (c_->draining && start.ktime_ns > std::max(ResponseDirection().last_ns, c_->drain_ns) + kIdleNs) {
    c_->draining = c_->pipelined = false;
  }
  if (!c_->pipelined) c_->owed = 0;  // whoever waits for responses had them all before it asks again
  Exchange* exchange = nullptr;
  if (c_->draining) {
    CountLost(start, PROBE_ABORTED_GAP);
  } else {
    EvictIfFull();
    exchange = Begin(start, head, cut);
  }
  BeginMessage(d, exchange, request_.body.conflict);
  if (cut) return Blind(d);
  FrameRequest(d);
}

/// Whose response this is; nullptr: nobody's that is still of interest.
Exchange* Stitcher::OwnerOfResponse(const HeadStart& start) {
  if (c_->draining) return nullptr;
  if (c_->tombstones != 0) {
    --c_->tombstones;
    return nullptr;
  }
  if (Exchange* front = c_->queue.front(); front != nullptr) {
    c_->confirmed = true;
    c_->pipelined = c_->pipelined || c_->queue.size() > 1;
    return front;
  }
  if (c_->owed == 0) {
    CountLost(start, PROBE_ABORTED_UNMATCHED);
  } else {
    --c_->owed;
  }
  return nullptr;
}

[[gnu::flatten]] void Stitcher::OnResponse(Direction& d, std::string_view head, const HeadStart& start, bool cut) {
  const std::uint16_t status = response_.status;
  if (status < 200 && status != 101) {  // interim: the final one follows
    d.mode = Mode::kHead;
    return;
  }
  if (c_->queue.size() <= 1) RequestDirection().blind = false;
  Exchange* owner = OwnerOfResponse(start);
  if (owner != nullptr) NoteResponse(*owner, head, cut);
  const bool upgrade = status == 101 || (owner != nullptr && owner->is_connect && status < 300);
  if (owner != nullptr && (cut || upgrade)) FinishFront(segment_->ktime_ns, {});
  if (upgrade) [[unlikely]] {
    AbortAll(PROBE_ABORTED_UNMATCHED);
    c_->upgraded = true;
    c_->tunnel = status != 101;
    return;
  }
  BeginMessage(d, cut ? nullptr : owner, response_.body.conflict);
  if (cut) {
    d.mode = Mode::kSearch;
    d.message_open = false;
    return;
  }
  FrameResponse(d, owner);
}

void Stitcher::NoteResponse(Exchange& owner, std::string_view head, bool cut) {
  owner.status = response_.status;
  owner.response_minor_version = response_.minor_version;
  owner.framing_conflict = owner.framing_conflict || response_.body.conflict;
  owner.head_truncated = owner.head_truncated || cut;
  if (captured_.count != 0 && owner.id != 0) KeepCaptured(owner, head);
}

/// Copies the captured response headers: the head is gone when the span is built.
void Stitcher::KeepCaptured(Exchange& owner, std::string_view head) {
  std::size_t size = captured_.count * sizeof(CapturedHeader);
  for (std::uint32_t i = 0; i < captured_.count; ++i) size += captured_.items[i].value.size;
  auto* memory = static_cast<char*>(stream_.Alloc(size));
  if (memory == nullptr) return;
  auto* items = reinterpret_cast<CapturedHeader*>(memory);
  std::size_t at = captured_.count * sizeof(CapturedHeader);
  for (std::uint32_t i = 0; i < captured_.count; ++i) {
    const std::string_view value = captured_.items[i].value.In(head.data());
    items[i] = {captured_.items[i].index, {static_cast<std::uint32_t>(at), static_cast<std::uint32_t>(value.size())}};
    std::memcpy(memory + at, value.data(), value.size());
    if (response_.folded) ReplaceFolds(memory + at, value.size());
    at += value.size();
  }
  owner.response_values = memory;
  owner.response_values_size = static_cast<std::uint32_t>(size);
  owner.response_captured = captured_.count;
}

/// RFC 9112 §6.3, request.
void Stitcher::FrameRequest(Direction& d) {
  const BodyHeaders& body = request_.body;
  const bool chunked = body.chunked;
  if (d.untrusted && !chunked) return Blind(d);
  if (d.current != nullptr) d.current->has_request_body = chunked || body.length != 0;
  if (!chunked) return FrameLength(d, body.length);
  d.mode = Mode::kChunked;
  d.chunks.Reset();
}

/// RFC 9112 §6.3, response. Without its request nobody knows whether a body follows at all; see Consume.
void Stitcher::FrameResponse(Direction& d, const Exchange* owner) {
  const BodyHeaders& body = response_.body;
  const bool none = EndsWithoutBody(response_.status) || (owner != nullptr && owner->is_head) ||
                    (body.has_length && body.length == 0 && !body.chunked);
  if (none) return FrameLength(d, 0);
  if (owner != nullptr) d.current->has_response_body = !d.untrusted;
  if (body.chunked) {
    d.mode = Mode::kChunked;
    d.chunks.Reset();
  } else if (body.has_length && !body.other_coding && !d.untrusted) {
    FrameLength(d, body.length);
  } else {
    d.mode = owner == nullptr ? Mode::kSearch : Mode::kUntilClose;
  }
}

/// The message of this direction is complete; its last byte came with the record of last_ns.
void Stitcher::EndMessage(Direction& d) {
  Exchange* owner = d.current;
  used_ = true;
  d.mode = d.untrusted ? Mode::kSearch : Mode::kHead;
  d.message_open = false;
  d.current = nullptr;
  d.blind = d.untrusted && &d == &RequestDirection();
  if (owner == nullptr) return;
  if (&d == &ResponseDirection()) {
    owner->response_body = d.body_bytes;
    FinishFront(d.last_ns, {});
  } else {
    owner->request_body = d.body_bytes;
    owner->request_done = true;
  }
}

}  // namespace probed::mod::http
