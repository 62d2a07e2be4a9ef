// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Values of a statement's parameters, as text, and their types. Both are memory of the stream.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "api/sdk/host.h"

namespace probed::mod::sql {

/// One block: the struct, then size (2 bytes, kUnknown: no value is known) and bytes of each value.
struct Parameters {
  static constexpr std::size_t kMost = 64;
  static constexpr std::size_t kMostValue = 256;  // bytes of one
  static constexpr std::uint16_t kUnknown = 0xffff;

  std::uint32_t references;
  std::uint32_t allocated;
  std::uint16_t count;
  bool truncated;  // there are more, or a value is longer

  /// `see(index, value)` for each value that is known.
  template <class See>
  void Each(See&& see) const {
    const char* at = reinterpret_cast<const char*>(this + 1);
    for (std::size_t i = 0; i < count; ++i) {
      std::uint16_t size = 0;
      std::memcpy(&size, at, sizeof(size));
      at += sizeof(size);
      if (size == kUnknown) continue;
      see(i, std::string_view(at, size));
      at += size;
    }
  }
};

inline Parameters* Share(Parameters* parameters) {
  if (parameters != nullptr) ++parameters->references;
  return parameters;
}
void Release(sdk::Stream stream, Parameters** parameters);

/// Collects the values of one statement at a time. One per shard.
class ParameterWriter {
 public:
  void Start() { used_ = count_ = truncated_ = 0; }
  /// `whole`: nothing of the value is missing behind its end.
  void Add(std::string_view value, bool whole = true);
  void AddInt(std::int64_t value);
  void AddUnsigned(std::uint64_t value);
  void AddDouble(double value);
  void AddFloat(float value);
  void AddNull() { Add("NULL"); }
  /// A value of a kind that is not read.
  void AddUnknown();
  /// More follow that are not looked at.
  void Truncate() { truncated_ = 1; }
  /// nullptr: there are none, or no memory. With one reference.
  Parameters* Make(sdk::Stream stream) const;

 private:
  bool Room();
  void Put(std::uint16_t size, const char* bytes, std::size_t count);

  std::array<char, Parameters::kMost * (sizeof(std::uint16_t) + Parameters::kMostValue)> bytes_{};
  std::size_t used_ = 0;
  std::uint16_t count_ = 0;
  std::uint8_t truncated_ = 0;
};

/// Types of a statement's parameters, by the protocol's numbers. One block: the struct, then the numbers.
struct ParameterTypes {
  std::uint32_t allocated;
  std::uint32_t count;

  std::uint32_t* begin() { return reinterpret_cast<std::uint32_t*>(this + 1); }
  std::uint32_t At(std::size_t index) const {
    return index < count ? reinterpret_cast<const std::uint32_t*>(this + 1)[index] : 0;
  }
};

/// All zero: of no type that is known. nullptr: no memory.
ParameterTypes* MakeTypes(sdk::Stream stream, std::size_t count);
void Free(sdk::Stream stream, ParameterTypes** types);

}  // namespace probed::mod::sql
