// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "modules/http/decode/memo.h"

#include <cstring>
#include <new>

#include "api/sdk/text.h"
#include "api/sdk/trace_context.h"

namespace probed::mod::http {
namespace {

constexpr std::size_t kVersionSize = 8;       // "HTTP/1.1"
constexpr std::size_t kTraceparentSize = 55;  // of version 0
constexpr std::size_t kStep = 128;            // blocks are multiples of it, so that a head a little longer fits too

std::uint64_t Load(const char* from) {
  std::uint64_t word = 0;
  std::memcpy(&word, from, sizeof(word));
  return word;
}

bool SameBytes(const char* a, const char* b, std::size_t size) { return std::memcmp(a, b, size) == 0; }

/// From positions in the head to positions behind its first line.
void Shift(std::size_t line, Slice* slice) {
  if (slice->size != 0) slice->offset -= static_cast<std::uint32_t>(line);
}

RequestHead BehindLine(RequestHead head, std::size_t line) {
  for (Slice* slice : {&head.host, &head.user_agent, &head.forwarded, &head.x_forwarded_for, &head.x_forwarded_host,
                       &head.x_forwarded_proto, &head.traceparent}) {
    Shift(line, slice);
  }
  for (Slice& slice : head.tracestate) Shift(line, &slice);
  return head;
}

/// A block with room for `size` bytes behind the struct; what was remembered is gone. False: no memory.
template <class Memo>
bool Renew(sdk::Stream stream, std::size_t size, std::uint32_t capacity, Memo** memo) {
  if (*memo != nullptr && capacity >= size) return true;
  Memo::Release(stream, memo);
  void* memory = stream.Alloc(sizeof(Memo) + (size + kStep - 1) / kStep * kStep);
  if (memory != nullptr) *memo = ::new (memory) Memo();
  return memory != nullptr;
}

std::uint32_t CapacityFor(std::size_t size) { return static_cast<std::uint32_t>((size + kStep - 1) / kStep * kStep); }

}  // namespace

void RequestMemo::Remember(sdk::Stream stream, std::string_view block, const RequestHead& head,
                           std::uint32_t generation, RequestMemo** memo) {
  if (*memo != nullptr && (*memo)->users != 0) return;
  const std::size_t line = block.find('\n') + 1;
  const std::size_t size = head.size - line;
  if (head.folded || size > kMostRemembered || head.method.size >= kMethodWord) return;
  const std::uint32_t capacity = *memo == nullptr ? 0 : (*memo)->capacity_;
  if (!Renew(stream, size, capacity, memo)) return;
  RequestMemo& out = **memo;
  if (out.capacity_ == 0) out.capacity_ = CapacityFor(size);
  out.constant.set = 0;
  out.size_ = static_cast<std::uint32_t>(size);
  out.generation_ = generation;
  out.method_size_ = head.method.size;
  std::memset(out.method_, 0, kMethodWord);
  std::memcpy(out.method_, block.data(), head.method.size + std::size_t{1});
  out.method_mask_ = ~std::uint64_t{0} >> (8 * (kMethodWord - 1 - head.method.size));
  const char* const line_end = block.data() + head.target.offset + head.target.size;
  out.version_ = Load(line_end + 1);
  out.head_ = BehindLine(head, line);
  std::memcpy(out.memory(), block.data() + line, size);
}

void RequestMemo::Release(sdk::Stream stream, RequestMemo** memo) {
  if (*memo != nullptr) stream.Free(*memo, sizeof(RequestMemo) + (*memo)->capacity_);
  *memo = nullptr;
}

/// A traceparent of the same length may be another one, if it is valid: then it has no blank to trim and no line end.
inline bool RequestMemo::SameLines(const char* lines, probe_trace_context_t* remote) const {
  if (head_.traceparents == 0) return SameBytes(lines, this->lines(), size_);
  if (head_.traceparents != 1 || head_.traceparent.size != kTraceparentSize) return false;
  const std::size_t at = head_.traceparent.offset;
  const std::size_t behind = at + kTraceparentSize;
  return SameBytes(lines, this->lines(), at) && SameBytes(lines + behind, this->lines() + behind, size_ - behind) &&
         sdk::ParseTraceparent({lines + at, kTraceparentSize}, remote);
}

bool RequestMemo::Match(std::string_view block, std::uint32_t generation, RequestHead* head,
                        probe_trace_context_t* remote) const {
  const char* const base = block.data();
  if (size_ == 0 || generation_ != generation || block.size() < size_ + kMethodWord) return false;
  if ((Load(base) & method_mask_) != Load(method_)) return false;
  const char* const end = base + block.size();
  const char* const eol = sdk::FindByte(base, base, end, '\n');
  if (static_cast<std::size_t>(end - eol) <= size_) return false;
  const char* const line_end = eol[-1] == '\r' ? eol - 1 : eol;
  const char* const target = base + method_size_ + 1;
  if (line_end - target < static_cast<std::ptrdiff_t>(kVersionSize + 2)) return false;
  const char* const version = line_end - kVersionSize;
  if (version[-1] != ' ' || Load(version) != version_) return false;
  if (!SameLines(eol + 1, remote)) return false;
  *head = head_;
  head->method = {0, method_size_};
  head->target = {method_size_ + 1, static_cast<std::uint32_t>(version - 1 - target)};
  head->size = static_cast<std::uint32_t>(eol + 1 - base) + size_;
  return true;
}

void ResponseMemo::Remember(sdk::Stream stream, std::string_view block, const ResponseHead& head, ResponseMemo** memo) {
  if (head.folded || head.size > kMostRemembered) return;
  const std::uint32_t capacity = *memo == nullptr ? 0 : (*memo)->capacity_;
  if (!Renew(stream, head.size, capacity, memo)) return;
  ResponseMemo& out = **memo;
  if (out.capacity_ == 0) out.capacity_ = CapacityFor(head.size);
  out.size_ = head.size;
  out.head_ = head;
  std::memcpy(out.memory(), block.data(), head.size);
}

void ResponseMemo::Release(sdk::Stream stream, ResponseMemo** memo) {
  if (*memo != nullptr) stream.Free(*memo, sizeof(ResponseMemo) + (*memo)->capacity_);
  *memo = nullptr;
}

bool ResponseMemo::Match(std::string_view block, ResponseHead* head) const {
  if (size_ == 0 || block.size() < size_) return false;
  if (!SameBytes(block.data(), reinterpret_cast<const char*>(this + 1), size_)) return false;
  *head = head_;
  return true;
}

}  // namespace probed::mod::http
