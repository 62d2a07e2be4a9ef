// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Keeps the unfinished part of a message of one direction until the rest comes. Memory is the stream's (host-bounded)
// and only taken when a message really is split; the common case, whole messages in one segment, never copies:
//
//   view = buffer.Join(stream, segment bytes)   the segment itself, or what was kept + the segment
//   ... parse view ...
//   buffer.Keep(stream, unparsed rest of view)  or buffer.Clear() when nothing is left
//
// A hole ends what was kept: the owner calls Clear.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "api/sdk/host.h"

namespace probed::sdk {

/// Plain data, so that zeroed memory is an empty buffer. Release must be called before its stream goes, unless the
/// host frees the stream's memory anyway.
class StreamBuffer {
 public:
  bool empty() const { return size_ == 0; }
  std::size_t size() const { return size_; }
  /// Stream offset of the first byte kept. Meaningless when empty.
  std::uint64_t offset() const { return offset_; }
  std::string_view view() const { return {data_, size_}; }

  /// Bytes kept and `bytes` as one block; when it has to be copied, at most `limit` long (the rest is left out).
  /// LIFETIME: until the next call. Empty result: no memory; what was kept is gone.
  std::string_view Join(Stream stream, std::string_view bytes, std::size_t limit) {
    if (size_ == 0) return bytes;
    const std::size_t room = limit > size_ ? limit - size_ : 0;
    return Append(stream, bytes.substr(0, room)) ? view() : std::string_view{};
  }

  /// Makes `rest`, a suffix of the last Join, what is kept. `offset`: of its first byte. False: no memory.
  bool Keep(Stream stream, std::string_view rest, std::uint64_t offset) {
    offset_ = offset;
    if (!Holds(rest)) {
      size_ = 0;
      return Append(stream, rest);
    }
    if (rest.data() != data_) std::memmove(data_, rest.data(), rest.size());
    size_ = static_cast<std::uint32_t>(rest.size());
    return true;
  }

  void Clear() { size_ = 0; }

  void Release(Stream stream) {
    if (data_ != nullptr) stream.Free(data_, capacity_);
    *this = {};
  }

 private:
  bool Holds(std::string_view rest) const {
    return data_ != nullptr && rest.data() >= data_ && rest.data() <= data_ + size_;
  }

  bool Append(Stream stream, std::string_view bytes) {
    if (bytes.empty()) return true;
    if (size_ + bytes.size() > capacity_ && !Grow(stream, size_ + bytes.size())) {
      size_ = 0;
      return false;
    }
    std::memcpy(data_ + size_, bytes.data(), bytes.size());
    size_ += static_cast<std::uint32_t>(bytes.size());
    return true;
  }

  bool Grow(Stream stream, std::size_t need) {
    const std::size_t capacity = std::max<std::size_t>({need, std::size_t{capacity_} * 2, 512});
    auto* data = static_cast<char*>(stream.Alloc(capacity));
    if (data == nullptr) return false;
    if (data_ != nullptr) {
      std::memcpy(data, data_, size_);
      stream.Free(data_, capacity_);
    }
    data_ = data;
    capacity_ = static_cast<std::uint32_t>(capacity);
    return true;
  }

  char* data_ = nullptr;
  std::uint32_t size_ = 0;
  std::uint32_t capacity_ = 0;
  std::uint64_t offset_ = 0;
};

}  // namespace probed::sdk
