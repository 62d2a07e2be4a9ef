// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/export/key_table.h"

#include <cstring>
#include <string>

#include "server/export/utf8.h"
#include "server/export/wire.h"

namespace probed::exporter {
namespace {

constexpr std::size_t kChunkBytes = 16384;
constexpr std::uint32_t kKeyField = 1;  // KeyValue.key

std::size_t RoundUp(std::size_t size) {
  return (size + KeyTable::kReadStep - 1) / KeyTable::kReadStep * KeyTable::kReadStep;
}

}  // namespace

KeyTable::KeyTable(std::uint32_t capacity)
    : capacity_(capacity), entries_(std::make_unique<Entry[]>(capacity + 1U)), chunk_used_(kChunkBytes) {}

char* KeyTable::Allocate(std::size_t size) {
  if (chunk_used_ + size > kChunkBytes) {
    chunks_.push_back(std::make_unique<char[]>(kChunkBytes));
    chunk_used_ = 0;
  }
  char* place = chunks_.back().get() + chunk_used_;
  chunk_used_ += size;
  return place;
}

std::uint32_t KeyTable::Intern(std::string_view raw) {
  const std::string text = ToValidUtf8(raw.substr(0, kMaxKeyBytes + 1));
  if (const auto known = ids_.find(text); known != ids_.end()) return known->second;
  const std::uint32_t id = count_.load(std::memory_order_relaxed) + 1;
  if (text.empty() || text.size() > kMaxKeyBytes || id > capacity_) return 0;

  const std::size_t head = 1 + wire::VarintSize(text.size());
  char* encoded = Allocate(RoundUp(head + text.size()));
  encoded[0] = static_cast<char>(wire::Tag(kKeyField, wire::kBytes));
  wire::PutVarint(encoded + 1, text.size());
  std::memcpy(encoded + head, text.data(), text.size());

  entries_[id] = {encoded, static_cast<std::uint32_t>(head + text.size()), static_cast<std::uint32_t>(head)};
  ids_.emplace(std::string_view(encoded + head, text.size()), id);
  count_.store(id, std::memory_order_release);
  return id;
}

std::string_view KeyTable::Text(std::uint32_t id) const {
  if (id == 0 || id > count_.load(std::memory_order_acquire)) return {};
  const Entry& entry = entries_[id];
  return {entry.encoded + entry.text_at, entry.size - entry.text_at};
}

}  // namespace probed::exporter
