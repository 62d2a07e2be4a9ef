// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// gRPC messages in the DATA of one direction of a call, wherever frames and records cut them:
//
//   +----------------+----------------------+------------------+
//   | compressed (8) | length (32)          | message (length) |  ...      gRPC-Web: bit 7 of the first byte marks the
//   +----------------+----------------------+------------------+           trailers, sent as a last message
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>

namespace probed::mod::grpc {

/// Plain data: zeroed memory is the beginning.
class MessageReader {
 public:
  /// Payload bytes that are there. Calls trailers(bytes) with pieces of gRPC-Web's last message.
  template <class Trailers>
  void Read(std::string_view bytes, Trailers&& trailers) {
    while (!bytes.empty() && (!broken_ || tail_ != 0)) {
      if (have_ < prefix_.size()) {
        prefix_[have_++] = static_cast<std::uint8_t>(bytes.front());
        bytes.remove_prefix(1);
        if (have_ == prefix_.size()) Begin();
        continue;
      }
      const std::string_view piece = bytes.substr(0, left_);
      if (is_trailers()) trailers(piece);
      Pass(piece.size());
      bytes.remove_prefix(piece.size());
    }
  }

  /// A short frame of `size` bytes begins, which may be the last one that is not empty. If bytes before it were left
  /// out, it counts for nothing but the trailers, which it must be from its first byte to its last.
  void BeginTail(std::uint32_t size) {
    if (!broken_) return;
    have_ = 0;
    left_ = 0;
    tail_ = size;
  }

  /// Payload bytes that were left out. Inside a message that does no harm.
  void Skip(std::uint64_t count) {
    if (count == 0) return;
    tail_ = 0;
    if (broken_) return;
    if (have_ < prefix_.size() || count > left_ || is_trailers()) {
      broken_ = true;
      return;
    }
    Pass(static_cast<std::size_t>(count));
  }

  /// Whether the count is that of the wire: nothing is missing, and nothing is half done.
  bool exact() const { return !broken_ && have_ == 0; }
  bool broken() const { return broken_; }
  std::uint32_t count() const { return count_; }
  /// At least one message with a sound prefix was seen.
  bool plausible() const { return count_ != 0 && !broken_; }

 private:
  bool is_trailers() const { return (prefix_[0] & 0x80U) != 0; }
  void Begin() {
    left_ = std::uint32_t{prefix_[1]} << 24U | std::uint32_t{prefix_[2]} << 16U | std::uint32_t{prefix_[3]} << 8U |
            prefix_[4];
    if ((prefix_[0] & 0x7eU) != 0) broken_ = true;
    if (tail_ != 0 && ((prefix_[0] & 0xfeU) != 0x80 || left_ + prefix_.size() != tail_)) tail_ = 0;
    if (!is_trailers()) ++count_;
    if (left_ == 0) have_ = 0;
  }
  void Pass(std::size_t count) {
    left_ -= static_cast<std::uint32_t>(count);
    if (left_ == 0) have_ = 0;
  }

  std::array<std::uint8_t, 5> prefix_;
  std::uint8_t have_;
  bool broken_;
  std::uint32_t left_;
  std::uint32_t count_;
  std::uint32_t tail_;  // bytes of the frame that BeginTail announced; 0: none
};

}  // namespace probed::mod::grpc
