// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Attribute keys by id, each encoded for the wire once: writing a key is then a copy of 32 bytes. The control thread
// adds, shard threads read at the same time; nothing moves and nothing is taken back.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace probed::exporter {

class KeyTable {
 public:
  static constexpr std::uint32_t kDefaultCapacity = 4096;
  static constexpr std::size_t kMaxKeyBytes = 1024;
  /// An encoded key may be read in whole steps of this size, past its end.
  static constexpr std::size_t kReadStep = 32;

  explicit KeyTable(std::uint32_t capacity = kDefaultCapacity);
  KeyTable(const KeyTable&) = delete;
  KeyTable& operator=(const KeyTable&) = delete;

  /// The id of a key, the same for the same text. 0 when the table is full or the key is empty or too long. [control]
  std::uint32_t Intern(std::string_view text);

  /// The key's text, empty for an id nobody was given. [any]
  std::string_view Text(std::uint32_t id) const;

  /// KeyValue.key on the wire: 0x0a, length, text. Empty for an id nobody was given. [any]
  std::string_view EncodedKey(std::uint32_t id) const {
    if (id > count_.load(std::memory_order_acquire)) return {};
    return {entries_[id].encoded, entries_[id].size};
  }

  std::uint32_t size() const { return count_.load(std::memory_order_acquire); }

 private:
  struct Entry {
    const char* encoded = nullptr;
    std::uint32_t size = 0;
    std::uint32_t text_at = 0;
  };

  char* Allocate(std::size_t size);

  const std::uint32_t capacity_;
  std::unique_ptr<Entry[]> entries_;  // [0] stays empty
  std::atomic<std::uint32_t> count_{0};
  std::unordered_map<std::string_view, std::uint32_t> ids_;  // views into chunks_; [control]
  std::vector<std::unique_ptr<char[]>> chunks_;
  std::size_t chunk_used_;
};

}  // namespace probed::exporter
