// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/export/wire.h"

#include <algorithm>

#include "server/export/utf8.h"

namespace probed::exporter {
namespace {

constexpr std::size_t kFirstCapacity = 1024;
constexpr std::size_t kLengthRoom = 16;  // tag and length

}  // namespace

void WireWriter::Grow(std::size_t room) {
  const std::size_t wanted = std::max({kFirstCapacity, capacity_ * 2, size_ + room});
  std::unique_ptr<char[]> grown(
      new char[wanted]);  // left uninitialised on purpose: all of it is written before it is read
  if (size_ > 0) std::memcpy(grown.get(), bytes_.get(), size_);
  bytes_ = std::move(grown);
  capacity_ = wanted;
}

void WireWriter::Release() {
  bytes_.reset();
  size_ = 0;
  capacity_ = 0;
}

void WireWriter::Fixed64(std::uint32_t field, std::uint64_t value) {
  char* out = wire::PutVarint(Ensure(wire::kScalarRoom), wire::Tag(field, wire::kFixed64));
  Advance(wire::PutFixed(out, value));
}

void WireWriter::Double(std::uint32_t field, double value) { Fixed64(field, std::bit_cast<std::uint64_t>(value)); }

void WireWriter::Bytes(std::uint32_t field, std::string_view value) {
  char* out = wire::PutVarint(Ensure(kLengthRoom), wire::Tag(field, wire::kBytes));
  Advance(wire::PutVarint(out, value.size()));
  Append(value);
}

void WireWriter::Text(std::uint32_t field, std::string_view value) {
  char* out = wire::PutVarint(Ensure(kLengthRoom + value.size()), wire::Tag(field, wire::kBytes));
  out = wire::PutVarint(out, value.size());
  if (!wire::CopyAscii(out, value.data(), value.size()) && !IsValidUtf8(value)) [[unlikely]] {
    return Bytes(field, ToValidUtf8(value));  // nothing was advanced: this overwrites
  }
  Advance(out + value.size());
}

/// The guess was wrong: the body moves.
void WireWriter::CloseMoved(std::size_t body, std::size_t length_bytes, std::size_t needed) {
  const std::size_t length = size_ - body;
  if (needed > length_bytes) Ensure(needed - length_bytes);
  std::memmove(bytes_.get() + body - length_bytes + needed, bytes_.get() + body, length);
  size_ = size_ - length_bytes + needed;
}

}  // namespace probed::exporter
