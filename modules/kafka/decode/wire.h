// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Reads Kafka's primitive types from bytes somebody else owns. A read past the end, or of a length that cannot be,
// gives nothing and makes ok() false for good: a schema is read field by field and asked once at its end. So does a
// read of a field that lies in a hole, where the reader was told of holes; Pass leads over them.
//
//   classic    string: i16 length, -1 is null    bytes: i32 length, -1 is null    array: i32 count, -1 is null
//   flexible   string, bytes, array: unsigned varint of length + 1, 0 is null; a section of tagged fields behind each
//              struct (KIP-482)
#pragma once

#include <algorithm>
#include <array>
#include <concepts>
#include <cstdint>
#include <span>
#include <string_view>

#include "api/sdk/byte_reader.h"
#include "api/sdk/framed_stream.h"

namespace probed::mod::kafka {

using Uuid = std::array<std::uint8_t, 16>;

/// Bytes of a message, the holes in them, and whether their end is missing as well.
struct Seen {
  std::string_view bytes;
  bool cut = false;
  std::span<const sdk::Hole> holes{};
  std::size_t at = 0;  // of `bytes` in what the holes' positions count
};

class WireReader {
 public:
  WireReader(std::string_view bytes, bool flexible) : bytes_(bytes), flexible_(flexible) {}
  WireReader(const Seen& seen, bool flexible)
      : bytes_(seen.bytes), later_(seen.bytes), later_at_(seen.at), holes_(seen.holes), flexible_(flexible) {
    NextPiece();
  }

  bool ok() const { return ok_; }
  bool flexible() const { return flexible_; }
  /// Up to the next hole.
  std::size_t remaining() const { return bytes_.remaining(); }
  bool at_end() const { return remaining() == 0 && holes_.empty() && later_.empty(); }
  std::string_view rest() const { return bytes_.rest(); }
  void Fail() { ok_ = false; }

  std::int8_t Int8() { return static_cast<std::int8_t>(Integer<std::uint8_t>()); }
  std::int16_t Int16() { return static_cast<std::int16_t>(Integer<std::uint16_t>()); }
  std::int32_t Int32() { return static_cast<std::int32_t>(Integer<std::uint32_t>()); }
  std::int64_t Int64() { return static_cast<std::int64_t>(Integer<std::uint64_t>()); }

  void Skip(std::size_t count) { ok_ = ok_ && bytes_.Skip(count); }

  /// LEB128 of at most `most_bits` bits.
  std::uint64_t Varint(unsigned most_bits = 32) {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < most_bits; shift += 7) {
      const std::uint8_t byte = Integer<std::uint8_t>();
      value |= std::uint64_t{byte & 0x7fU} << shift;
      if ((byte & 0x80U) == 0) return ok_ ? value : 0;
    }
    ok_ = false;
    return 0;
  }
  /// Zigzag, as in records.
  std::int64_t SignedVarint() {
    const std::uint64_t value = Varint(64);
    return static_cast<std::int64_t>(value >> 1U) ^ -static_cast<std::int64_t>(value & 1U);
  }

  /// null_value: whether it was null; may be nullptr.
  std::string_view String(bool* is_null = nullptr) {
    return Take(flexible_ ? CompactLength() : std::int64_t{Int16()}, is_null);
  }
  /// A string that is classic in every version: the client id.
  std::string_view ClassicString() { return Take(Int16(), nullptr); }
  std::int64_t BytesLength() { return flexible_ ? CompactLength() : std::int64_t{Int32()}; }
  /// Number of elements; 0 for null. An element takes a byte at least.
  std::int64_t ArrayCount() {
    const std::int64_t count = flexible_ ? CompactLength() : std::int64_t{Int32()};
    if (count < -1) ok_ = false;
    return ok_ && count > 0 ? count : 0;
  }
  Uuid Id() {
    Uuid id{};
    std::string_view bytes;
    ok_ = ok_ && bytes_.Read(id.size(), &bytes);
    if (ok_) bytes.copy(reinterpret_cast<char*>(id.data()), id.size());
    return id;
  }
  /// An array of fixed-size elements.
  void SkipArray(std::size_t element_size) { Skip(static_cast<std::size_t>(ArrayCount()) * element_size); }
  /// Those of a flexible struct, unread.
  void Tags() {
    if (!flexible_) return;
    const std::uint64_t count = Varint();
    for (std::uint64_t i = 0; i < count && ok_; ++i) {
      Varint();
      Skip(Varint());
    }
  }
  /// `length` bytes, -1 for null.
  std::string_view Take(std::int64_t length, bool* is_null) {
    if (is_null != nullptr) *is_null = length == -1;
    std::string_view out;
    if (length == -1) return out;
    ok_ = ok_ && length >= 0 && bytes_.Read(static_cast<std::size_t>(length), &out);
    return out;
  }
  /// `count` bytes, unread, with the holes in them. Not ok: they are not all there.
  void Pass(std::uint64_t count) {
    while (ok_) {
      const std::uint64_t here = std::min<std::uint64_t>(count, remaining());
      Skip(static_cast<std::size_t>(here));
      count -= here;
      if (count == 0) return;
      if (holes_.empty()) return Fail();
      const std::uint64_t missing = std::min<std::uint64_t>(count, holes_.front().length - passed_);
      count -= missing;
      passed_ += missing;
      if (passed_ != holes_.front().length) return;
      holes_ = holes_.subspan(1);
      passed_ = 0;
      NextPiece();
    }
  }

 private:
  template <std::unsigned_integral T>
  T Integer() {
    T value = 0;
    ok_ = ok_ && bytes_.ReadBigEndian(&value);
    return value;
  }
  std::int64_t CompactLength() { return static_cast<std::int64_t>(Varint()) - 1; }
  /// What lies up to the next hole becomes the bytes at hand.
  void NextPiece() {
    std::size_t size = later_.size();
    if (!holes_.empty() && holes_.front().at - later_at_ < size) size = holes_.front().at - later_at_;
    bytes_ = sdk::ByteReader(later_.substr(0, size));
    later_.remove_prefix(size);
    later_at_ += size;
  }

  sdk::ByteReader bytes_;
  std::string_view later_;  // behind the next hole
  std::size_t later_at_ = 0;
  std::span<const sdk::Hole> holes_;  // behind bytes_
  std::uint64_t passed_ = 0;          // bytes of the first of them
  bool flexible_;
  bool ok_ = true;
};

}  // namespace probed::mod::kafka
