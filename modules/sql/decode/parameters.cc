// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "modules/sql/decode/parameters.h"

#include <algorithm>
#include <charconv>
#include <new>

namespace probed::mod::sql {
namespace {

using Digits = std::array<char, 32>;  // longer than any number

template <class Number>
std::string_view ToText(Number value, Digits& digits) {
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
  return {digits.data(), static_cast<std::size_t>(end - digits.data())};
}

}  // namespace

void Release(sdk::Stream stream, Parameters** parameters) {
  Parameters* given = *parameters;
  *parameters = nullptr;
  if (given != nullptr && --given->references == 0) stream.Free(given, given->allocated);
}

bool ParameterWriter::Room() {
  if (count_ < Parameters::kMost) return true;
  truncated_ = 1;
  return false;
}

void ParameterWriter::Put(std::uint16_t size, const char* bytes, std::size_t count) {
  std::memcpy(bytes_.data() + used_, &size, sizeof(size));
  used_ += sizeof(size);
  if (count != 0) std::memcpy(bytes_.data() + used_, bytes, count);
  used_ += count;
  ++count_;
}

void ParameterWriter::Add(std::string_view value, bool whole) {
  if (!Room()) return;
  if (!whole || value.size() > Parameters::kMostValue) truncated_ = 1;
  const std::size_t size = std::min(value.size(), Parameters::kMostValue);
  Put(static_cast<std::uint16_t>(size), value.data(), size);
}

void ParameterWriter::AddUnknown() {
  if (Room()) Put(Parameters::kUnknown, nullptr, 0);
}

void ParameterWriter::AddInt(std::int64_t value) {
  Digits digits;
  Add(ToText(value, digits));
}
void ParameterWriter::AddUnsigned(std::uint64_t value) {
  Digits digits;
  Add(ToText(value, digits));
}
void ParameterWriter::AddDouble(double value) {
  Digits digits;
  Add(ToText(value, digits));
}
void ParameterWriter::AddFloat(float value) {
  Digits digits;
  Add(ToText(value, digits));
}

Parameters* ParameterWriter::Make(sdk::Stream stream) const {
  if (count_ == 0 && truncated_ == 0) return nullptr;
  const std::size_t allocated = sizeof(Parameters) + used_;
  void* memory = stream.Alloc(allocated);
  if (memory == nullptr) return nullptr;
  auto* made = ::new (memory) Parameters{};
  made->references = 1;
  made->allocated = static_cast<std::uint32_t>(allocated);
  made->count = count_;
  made->truncated = truncated_ != 0;
  if (used_ != 0) std::memcpy(made + 1, bytes_.data(), used_);
  return made;
}

ParameterTypes* MakeTypes(sdk::Stream stream, std::size_t count) {
  const std::size_t allocated = sizeof(ParameterTypes) + count * sizeof(std::uint32_t);
  void* memory = stream.Alloc(allocated);
  if (memory == nullptr) return nullptr;
  auto* made = ::new (memory) ParameterTypes{};
  made->allocated = static_cast<std::uint32_t>(allocated);
  made->count = static_cast<std::uint32_t>(count);
  std::fill_n(made->begin(), count, 0U);
  return made;
}

void Free(sdk::Stream stream, ParameterTypes** types) {
  if (*types != nullptr) stream.Free(*types, (*types)->allocated);
  *types = nullptr;
}

}  // namespace probed::mod::sql
