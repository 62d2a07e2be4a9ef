// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "modules/grpc/decode/hpack.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace probed::mod::grpc {

/// nghttp2 frees without a size, the host wants one: each block carries its own in front.
struct HpackMemoryCalls {
  static constexpr std::size_t kFront = alignof(std::max_align_t);

  static void* Malloc(std::size_t size, void* user) {
    auto& self = *static_cast<HpackMemory*>(user);
    char* block = static_cast<char*>(self.stream_.Alloc(size + kFront));
    if (block == nullptr) return nullptr;
    std::memcpy(block, &size, sizeof(size));
    return block + kFront;
  }
  static std::size_t SizeOf(const void* memory) {
    std::size_t size = 0;
    std::memcpy(&size, static_cast<const char*>(memory) - kFront, sizeof(size));
    return size;
  }
  static void Free(void* memory, void* user) {
    if (memory == nullptr) return;
    auto& self = *static_cast<HpackMemory*>(user);
    self.stream_.Free(static_cast<char*>(memory) - kFront, SizeOf(memory) + kFront);
  }
  static void* Calloc(std::size_t count, std::size_t size, void* user) { return Malloc(count * size, user); }
  static void* Realloc(void* memory, std::size_t size, void* user) {
    if (memory == nullptr) return Malloc(size, user);
    void* moved = Malloc(size, user);
    if (moved == nullptr) return nullptr;
    std::memcpy(moved, memory, std::min(size, SizeOf(memory)));
    Free(memory, user);
    return moved;
  }
};

void HpackMemory::Use(sdk::Stream stream) {
  stream_ = stream;
  memory_ = {this, HpackMemoryCalls::Malloc, HpackMemoryCalls::Free, HpackMemoryCalls::Calloc,
             HpackMemoryCalls::Realloc};
}

namespace {

// As many of the smallest entries (32 bytes and a name of one) as a table of the default size holds: whatever the real
// one had, an index into it meets one of these. The first is a literal with a new name, the others use that name again.
//
//   01 000000 | 0 0000001 | NUL | 0 0000000        literal with incremental indexing, new name, empty value
//   01 111110 | 0 0000000                          the same, name of entry 62
constexpr std::size_t kEntries = 4096 / 33;
constexpr std::array<std::uint8_t, 4 + 2 * (kEntries - 1)> kUnknownEntries = [] {
  std::array<std::uint8_t, 4 + 2 * (kEntries - 1)> block{0x40, 0x01, 0x00, 0x00};
  for (std::size_t i = 4; i < block.size(); i += 2) block[i] = 0x7e;
  return block;
}();

}  // namespace

bool Hpack::Begin(HpackMemory& memory, bool from_start) {
  if (inflater_ == nullptr && !Open(memory, from_start)) return false;
  if (applied_ == allowed_) return true;
  applied_ = allowed_;
  return nghttp2_hd_inflate_change_table_size(inflater_, allowed_) == 0;
}

bool Hpack::Open(HpackMemory& memory, bool from_start) {
  if (nghttp2_hd_inflate_new2(&inflater_, memory.table()) != 0) {
    inflater_ = nullptr;
    return false;
  }
  applied_ = 4096;
  if (from_start) return true;
  // A limit that was agreed on before anybody looked is not known: the highest one stands for it.
  allowed_ = kMostTable;
  return Prime();
}

bool Hpack::Prime() {
  return Inflate({reinterpret_cast<const char*>(kUnknownEntries.data()), kUnknownEntries.size()}, true,
                 [](std::string_view, std::string_view) {});
}

void Hpack::Close() {
  if (inflater_ != nullptr) nghttp2_hd_inflate_del(inflater_);
  inflater_ = nullptr;
}

/// Only ever raised: a writer that has to shrink its table says so in its next block, and until then may not know yet.
void Hpack::Allow(std::uint32_t size) { allowed_ = std::max(allowed_, std::min<std::uint32_t>(size, kMostTable)); }

long Hpack::Step(std::string_view bytes, bool last, nghttp2_nv* field, int* flags) {
  const ssize_t used = nghttp2_hd_inflate_hd2(
      inflater_, field, flags, reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size(), last ? 1 : 0);
  if (used < 0) Close();
  return static_cast<long>(used);
}

}  // namespace probed::mod::grpc
