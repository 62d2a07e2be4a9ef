// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// A cursor over bytes somebody else owns. Reads return false at the end and then consume nothing, so a parser can turn
// the first false into ParseState::kNeedMore.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace probed::sdk {

class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes) : bytes_(bytes) {}

  std::size_t position() const { return position_; }
  std::size_t remaining() const { return bytes_.size() - position_; }
  std::string_view rest() const { return bytes_.substr(position_); }

  [[nodiscard]] bool Skip(std::size_t count) {
    if (count > remaining()) return false;
    position_ += count;
    return true;
  }

  [[nodiscard]] bool Read(std::size_t count, std::string_view* out) {
    if (count > remaining()) return false;
    *out = bytes_.substr(position_, count);
    position_ += count;
    return true;
  }

  /// Network byte order.
  template <std::unsigned_integral T>
  [[nodiscard]] bool ReadBigEndian(T* out) {
    return ReadInteger(out, [](std::size_t i) { return 8 * (sizeof(T) - 1 - i); });
  }
  template <std::unsigned_integral T>
  [[nodiscard]] bool ReadLittleEndian(T* out) {
    return ReadInteger(out, [](std::size_t i) { return 8 * i; });
  }

  /// Up to, without, and past the delimiter.
  [[nodiscard]] bool ReadUntil(char delimiter, std::string_view* out) {
    const std::size_t end = bytes_.find(delimiter, position_);
    if (end == std::string_view::npos) return false;
    *out = bytes_.substr(position_, end - position_);
    position_ = end + 1;
    return true;
  }

  /// A line without its LF or CRLF.
  [[nodiscard]] bool ReadLine(std::string_view* out) {
    if (!ReadUntil('\n', out)) return false;
    if (out->ends_with('\r')) out->remove_suffix(1);
    return true;
  }

 private:
  template <class T, class Shift>
  bool ReadInteger(T* out, Shift shift) {
    if (sizeof(T) > remaining()) return false;
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < sizeof(T); ++i) {
      value |= std::uint64_t{static_cast<std::uint8_t>(bytes_[position_ + i])} << shift(i);
    }
    *out = static_cast<T>(value);
    position_ += sizeof(T);
    return true;
  }

  std::string_view bytes_;
  std::size_t position_ = 0;
};

}  // namespace probed::sdk
