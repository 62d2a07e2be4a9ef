// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// A request waiting for its response, and the queue of them: HTTP/1 answers in order, so the oldest request gets the
// next response. An exchange is one block of the stream's memory: the struct, the captured headers, a copy of the head.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <string_view>

#include "api/sdk/host.h"
#include "modules/http/config.h"
#include "modules/http/decode/memo.h"
#include "modules/http/decode/types.h"

namespace probed::mod::http {

struct Exchange {
  Exchange() = default;

  Exchange* next = nullptr;
  std::uint64_t id = 0;  // 0: ignored by configuration, only holds its place in the queue
  const Config* config = nullptr;
  std::uint64_t start_ns = 0;
  std::uint64_t end_ns = 0;
  std::uint64_t request_body = 0;
  std::uint64_t response_body = 0;
  std::uint32_t generation = 0;
  std::uint32_t capacity = 0;   // bytes of the block behind the struct
  RequestHead head;             // with a memo: the target alone
  RequestMemo* memo = nullptr;  // has the head but for its target: then bytes() are the target alone
  std::uint32_t captured = 0;
  std::uint32_t response_captured = 0;
  char* response_values = nullptr;  // captured response headers: CapturedHeader[response_captured], then their bytes
  std::uint32_t response_values_size = 0;
  std::uint16_t status = 0;
  std::uint8_t response_minor_version = 1;
  bool is_head = false;     // a HEAD request: its response has no body
  bool is_connect = false;  // a CONNECT request: a 2xx opens a tunnel
  bool has_request_body = false;
  bool has_response_body = false;
  bool request_done = false;
  bool framing_conflict = false;
  bool head_truncated = false;

  CapturedHeader* captured_headers() { return reinterpret_cast<CapturedHeader*>(this + 1); }
  /// Where the values of the head are.
  const char* values() { return memo == nullptr ? bytes() : memo->lines(); }
  char* bytes() { return reinterpret_cast<char*>(captured_headers() + captured); }
};

/// Open exchanges in the order of their requests. Plain data: zeroed memory is an empty queue. Keeps the last block
/// freed, so that a keep-alive connection allocates once.
class ExchangeQueue {
 public:
  Exchange* front() const { return front_; }
  std::uint32_t size() const { return size_; }

  /// A fresh exchange with room for the captured headers and the head's bytes; not yet queued. nullptr: no memory.
  Exchange* Make(sdk::Stream stream, std::uint32_t captured, std::size_t head_size) {
    const std::size_t need = captured * sizeof(CapturedHeader) + head_size;
    std::uint32_t capacity = 0;
    void* memory = TakeSpare(stream, need, &capacity);
    if (memory == nullptr) {
      capacity = static_cast<std::uint32_t>((need + 255) / 256 * 256);
      memory = stream.Alloc(sizeof(Exchange) + capacity);
      if (memory == nullptr) return nullptr;
    }
    auto* made = ::new (memory) Exchange();
    made->capacity = capacity;
    made->captured = captured;
    return made;
  }

  void Push(Exchange* exchange) {
    (front_ == nullptr ? front_ : back_->next) = exchange;
    back_ = exchange;
    ++size_;
  }

  /// Removes the oldest and gives its memory back.
  void Pop(sdk::Stream stream) {
    Exchange* gone = front_;
    front_ = gone->next;
    --size_;
    if (gone->response_values != nullptr) stream.Free(gone->response_values, gone->response_values_size);
    gone->response_values = nullptr;
    Drop(stream, spare_);
    spare_ = gone;
  }

  void Release(sdk::Stream stream) {
    while (front_ != nullptr) Pop(stream);
    Drop(stream, spare_);
    spare_ = nullptr;
  }

 private:
  static void Drop(sdk::Stream stream, Exchange* exchange) {
    if (exchange != nullptr) stream.Free(exchange, sizeof(Exchange) + exchange->capacity);
  }

  void* TakeSpare(sdk::Stream stream, std::size_t need, std::uint32_t* capacity) {
    Exchange* spare = spare_;
    if (spare == nullptr) return nullptr;
    spare_ = nullptr;
    *capacity = spare->capacity;
    if (spare->capacity >= need) return spare;
    Drop(stream, spare);
    return nullptr;
  }

  Exchange* front_;
  Exchange* back_;
  Exchange* spare_;
  std::uint32_t size_;
};

}  // namespace probed::mod::http
