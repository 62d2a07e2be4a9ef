// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Protobuf's wire format, written by hand into memory that is never cleared first. Knows no OTLP message.
//
//   field    = tag(varint: number << 3 | type) value
//   value    = varint | 4 bytes | 8 bytes | length(varint) bytes        (encoding.md of protobuf)
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>
#include <utility>

namespace probed::exporter {

static_assert(std::endian::native == std::endian::little, "fixed-width fields are copied as they lie in memory");

namespace wire {

constexpr std::size_t kTagRoom = 5;      // a 32-bit varint
constexpr std::size_t kScalarRoom = 16;  // tag and the longest scalar

enum Type : std::uint32_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

constexpr std::uint32_t Tag(std::uint32_t field, Type type) { return field << 3U | type; }

/// Bytes a varint takes: one per started group of seven bits.
constexpr std::size_t VarintSize(std::uint64_t value) {
  return (static_cast<std::size_t>(std::bit_width(value | 1U)) * 9 + 64) / 64;
}

inline char* PutVarint(char* out, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7U) *out++ = static_cast<char>(value | 0x80U);
  *out++ = static_cast<char>(value);
  return out;
}

template <typename T>
char* PutFixed(char* out, T value) {
  std::memcpy(out, &value, sizeof value);
  return out + sizeof value;
}

/// Copies `size` bytes eight at a time and says whether all were ASCII.
inline bool CopyAscii(char* out, const char* in, std::size_t size) {
  constexpr std::uint64_t kHighBits = 0x8080808080808080;
  std::uint64_t seen = 0;
  const auto copy = [&]<typename Word>(std::size_t at, Word) {
    Word word;
    std::memcpy(&word, in + at, sizeof word);
    std::memcpy(out + at, &word, sizeof word);
    seen |= word;
  };
  if (size >= 8) {
    for (std::size_t at = 0; at + 8 < size; at += 8) copy(at, std::uint64_t{});
    copy(size - 8, std::uint64_t{});
  } else if (size >= 4) {
    copy(0, std::uint32_t{});
    copy(size - 4, std::uint32_t{});
  } else if (size > 0) {  // one to three bytes: first, middle and last are all of them
    copy(0, std::uint8_t{});
    copy(size / 2, std::uint8_t{});
    copy(size - 1, std::uint8_t{});
  }
  return (seen & kHighBits) == 0;
}

}  // namespace wire

/// A growing buffer and the fields written into it. One thread. Positions are offsets: growth moves the bytes.
class WireWriter {
 public:
  WireWriter() = default;
  WireWriter(WireWriter&& other) noexcept { *this = std::move(other); }
  WireWriter& operator=(WireWriter&& other) noexcept {
    bytes_ = std::move(other.bytes_);
    size_ = std::exchange(other.size_, 0);
    capacity_ = std::exchange(other.capacity_, 0);
    return *this;
  }

  std::size_t size() const { return size_; }
  std::size_t capacity() const { return capacity_; }
  std::string_view view() const { return {bytes_.get(), size_}; }
  char* data() { return bytes_.get(); }
  void Clear() { size_ = 0; }
  void Release();

  /// A place with room for `room` bytes; Advance says how far it was used.
  char* Ensure(std::size_t room) {
    if (capacity_ - size_ < room) Grow(room);
    return bytes_.get() + size_;
  }
  const char* limit() const { return bytes_.get() + capacity_; }
  void Advance(const char* end) { size_ = static_cast<std::size_t>(end - bytes_.get()); }

  // --- whole fields, defaults included -------------------------------------------------------------------------------
  void Varint(std::uint32_t field, std::uint64_t value);
  void Fixed64(std::uint32_t field, std::uint64_t value);
  void Fixed32(std::uint32_t field, std::uint32_t value);
  void Double(std::uint32_t field, double value);
  void Bytes(std::uint32_t field, std::string_view value);
  /// Like Bytes; what is not UTF-8 is replaced.
  void Text(std::uint32_t field, std::string_view value);
  void Append(std::string_view encoded);

  /// Opens a nested message whose length will need `length_bytes`; Close puts the length in place and moves the body
  /// only when the guess was wrong.
  std::size_t Open(std::uint32_t field, std::size_t length_bytes = 1);
  void Close(std::size_t body, std::size_t length_bytes = 1);

 private:
  void Grow(std::size_t room);
  void CloseMoved(std::size_t body, std::size_t length_bytes, std::size_t needed);

  std::unique_ptr<char[]> bytes_;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

inline void WireWriter::Varint(std::uint32_t field, std::uint64_t value) {
  char* out = wire::PutVarint(Ensure(wire::kScalarRoom), wire::Tag(field, wire::kVarint));
  Advance(wire::PutVarint(out, value));
}

inline void WireWriter::Fixed32(std::uint32_t field, std::uint32_t value) {
  char* out = wire::PutVarint(Ensure(wire::kScalarRoom), wire::Tag(field, wire::kFixed32));
  Advance(wire::PutFixed(out, value));
}

inline void WireWriter::Append(std::string_view encoded) {
  char* out = Ensure(encoded.size());
  if (!encoded.empty()) std::memcpy(out, encoded.data(), encoded.size());
  Advance(out + encoded.size());
}

inline std::size_t WireWriter::Open(std::uint32_t field, std::size_t length_bytes) {
  char* out = wire::PutVarint(Ensure(wire::kTagRoom + length_bytes), wire::Tag(field, wire::kBytes));
  Advance(out + length_bytes);
  return size_;
}

inline void WireWriter::Close(std::size_t body, std::size_t length_bytes) {
  const std::size_t length = size_ - body;
  const std::size_t needed = wire::VarintSize(length);
  if (needed != length_bytes) [[unlikely]] {
    CloseMoved(body, length_bytes, needed);
  }
  wire::PutVarint(bytes_.get() + body - length_bytes, length);
}

}  // namespace probed::exporter
