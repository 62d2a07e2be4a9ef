// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/export/wire.h"

#include <algorithm>

#include "server/export/utf8.h"

namespace probed::exporter {
namespace {

constexpr std::size_t kFirstCapacity = 1024;
constexpr std::size_t kTagRoom = 5;      // a 32-bit varint
constexpr std::size_t kScalarRoom = 16;  // tag and the longest scalar
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

void WireWriter::Varint(std::uint32_t field, std::uint64_t value) {
  char* out = wire::PutVarint(Ensure(kScalarRoom), wire::Tag(field, wire::kVarint));
  Advance(wire::PutVarint(out, value));
}

void WireWriter::Fixed64(std::uint32_t field, std::uint64_t value) {
  char* out = wire::PutVarint(Ensure(kScalarRoom), wire::Tag(field, wire::kFixed64));
  Advance(wire::PutFixed(out, value));
}

void WireWriter::Fixed32(std::uint32_t field, std::uint32_t value) {
  char* out = wire::PutVarint(Ensure(kScalarRoom), wire::Tag(field, wire::kFixed32));
  Advance(wire::PutFixed(out, value));
}

void WireWriter::Double(std::uint32_t field, double value) { Fixed64(field, std::bit_cast<std::uint64_t>(value)); }

void WireWriter::Append(std::string_view encoded) {
  char* out = Ensure(encoded.size());
  if (!encoded.empty()) std::memcpy(out, encoded.data(), encoded.size());
  Advance(out + encoded.size());
}

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

std::size_t WireWriter::Open(std::uint32_t field, std::size_t length_bytes) {
  char* out = wire::PutVarint(Ensure(kTagRoom + length_bytes), wire::Tag(field, wire::kBytes));
  Advance(out + length_bytes);
  return size_;
}

void WireWriter::Close(std::size_t body, std::size_t length_bytes) {
  const std::size_t length = size_ - body;
  const std::size_t needed = wire::VarintSize(length);
  if (needed != length_bytes) {
    if (needed > length_bytes) Ensure(needed - length_bytes);
    std::memmove(bytes_.get() + body - length_bytes + needed, bytes_.get() + body, length);
    size_ = size_ - length_bytes + needed;
  }
  wire::PutVarint(bytes_.get() + body - length_bytes, length);
}

}  // namespace probed::exporter
