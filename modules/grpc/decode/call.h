// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// An open call (a request and what is known of its response), and the table of those of a connection: HTTP/2 answers in
// any order, so a call is found by its stream identifier. A call is one block of the stream's memory: the struct, the
// captured headers, the texts of the request.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>

#include "api/sdk/host.h"
#include "modules/grpc/config.h"
#include "modules/grpc/decode/block.h"
#include "modules/grpc/decode/messages.h"
#include "modules/grpc/decode/status.h"
#include "modules/grpc/decode/types.h"

namespace probed::mod::grpc {

/// Captured headers of a block that is gone: `count` CapturedHeaders, then their bytes.
struct KeptHeaders {
  char* memory = nullptr;
  std::uint32_t size = 0;
  std::uint32_t count = 0;

  const CapturedHeader* items() const { return reinterpret_cast<const CapturedHeader*>(memory); }
  const char* bytes() const { return memory + count * sizeof(CapturedHeader); }
};

struct Call {
  Call* newer = nullptr;
  Call* older = nullptr;
  Call* chain = nullptr;  // of the same bucket
  std::uint64_t exchange = 0;
  const Config* config = nullptr;
  std::uint64_t start_ns = 0;
  std::uint64_t end_ns = 0;
  std::array<std::uint64_t, 2> body{};      // DATA without padding; [0] of the request, [1] of the response
  std::array<MessageReader, 2> messages{};  // the same
  Fields request{};
  KeptHeaders response_headers;
  KeptHeaders response_trailers;
  std::uint32_t id = 0;  // of the stream
  std::uint32_t generation = 0;
  std::uint32_t capacity = 0;  // bytes of the block behind the struct
  std::int32_t grpc_status = kNoStatus;
  std::uint16_t status = 0;
  Content response_content = Content::kUnknown;
  bool responded = false;  // final response headers were seen
  bool has_trailers = false;
  bool request_done = false;
  bool response_lossy = false;  // not all of what the response said is known
  bool cut = false;
  bool torn = false;                   // bytes of the connection were lost while it was open: its end may be among them
  std::array<bool, 2> body_unsure{};   // padding of unknown size, or lost frames
  std::array<char, 124> web_status{};  // first bytes of gRPC-Web's trailers; no more of them leave the kernel
  std::uint8_t web_status_size = 0;

  CapturedHeader* captured() { return reinterpret_cast<CapturedHeader*>(this + 1); }
  const CapturedHeader* captured() const { return reinterpret_cast<const CapturedHeader*>(this + 1); }
  char* text() { return reinterpret_cast<char*>(captured() + request.captured); }
  const char* text() const { return reinterpret_cast<const char*>(captured() + request.captured); }
  std::string_view Get(Text which) const { return request.texts[which].In(text()); }
};

/// Plain data: zeroed memory is an empty table. Keeps some freed blocks, so that a busy connection does not allocate.
class CallTable {
 public:
  static constexpr std::size_t kBuckets = 64;
  static constexpr std::uint32_t kSpares = 16;

  Call* oldest() const { return oldest_; }
  std::uint32_t size() const { return size_; }

  Call* Find(std::uint32_t id) const {
    Call* at = buckets_[Bucket(id)];
    while (at != nullptr && at->id != id) at = at->chain;
    return at;
  }

  /// A call with a copy of what the block said. nullptr: no memory.
  Call* Add(sdk::Stream stream, std::uint32_t id, const Block& block) {
    const Fields& fields = block.fields();
    const std::size_t need = fields.captured * sizeof(CapturedHeader) + block.size();
    std::uint32_t capacity = 0;
    void* memory = Take(stream, need, &capacity);
    if (memory == nullptr) return nullptr;
    auto* made = ::new (memory) Call;
    made->id = id;
    made->capacity = capacity;
    made->request = fields;
    std::copy_n(block.captured(), fields.captured, made->captured());
    if (block.size() != 0) std::memcpy(made->text(), block.bytes(), block.size());
    made->chain = buckets_[Bucket(id)];
    buckets_[Bucket(id)] = made;
    made->older = newest_;
    (newest_ == nullptr ? oldest_ : newest_->newer) = made;
    newest_ = made;
    ++size_;
    return made;
  }

  void Remove(sdk::Stream stream, Call* call) {
    Call** at = &buckets_[Bucket(call->id)];
    while (*at != call) at = &(*at)->chain;
    *at = call->chain;
    (call->older == nullptr ? oldest_ : call->older->newer) = call->newer;
    (call->newer == nullptr ? newest_ : call->newer->older) = call->older;
    --size_;
    Drop(stream, call->response_headers);
    Drop(stream, call->response_trailers);
    if (spares_ == kSpares) return Free(stream, call);
    call->chain = spare_;
    spare_ = call;
    ++spares_;
  }

  void Release(sdk::Stream stream) {
    while (oldest_ != nullptr) Remove(stream, oldest_);
    while (spare_ != nullptr) {
      Call* gone = spare_;
      spare_ = gone->chain;
      Free(stream, gone);
    }
    spares_ = 0;
  }

  static void Drop(sdk::Stream stream, KeptHeaders& kept) {
    if (kept.memory != nullptr) stream.Free(kept.memory, kept.size);
    kept = {};
  }

 private:
  static std::size_t Bucket(std::uint32_t id) { return id / 2 % kBuckets; }
  static void Free(sdk::Stream stream, Call* call) { stream.Free(call, sizeof(Call) + call->capacity); }

  void* Take(sdk::Stream stream, std::size_t need, std::uint32_t* capacity) {
    if (spare_ != nullptr && spare_->capacity >= need) {
      Call* taken = spare_;
      spare_ = taken->chain;
      --spares_;
      *capacity = taken->capacity;
      return taken;
    }
    *capacity = static_cast<std::uint32_t>((need + 255) / 256 * 256);
    return stream.Alloc(sizeof(Call) + *capacity);
  }

  std::array<Call*, kBuckets> buckets_;
  Call* oldest_;
  Call* newest_;
  Call* spare_;
  std::uint32_t size_;
  std::uint32_t spares_;
};

}  // namespace probed::mod::grpc
