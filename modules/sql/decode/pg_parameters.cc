// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Parameters of Bind. In text format they are what they are; in binary format they are read if their type is known, by
// Parse or by the server's ParameterDescription, and is a common one.
#include "modules/sql/decode/pg_parameters.h"

#include <algorithm>
#include <array>
#include <bit>
#include <concepts>

#include "api/sdk/byte_reader.h"
#include "modules/sql/bpf/pg_classify.h"

namespace probed::mod::sql::pg {
namespace {

/// Numbers of pg_type that do not change.
enum Oid : std::uint32_t {
  kBool = 16,
  kName = 19,
  kInt8 = 20,
  kInt2 = 21,
  kInt4 = 23,
  kText = 25,
  kOid = 26,
  kJson = 114,
  kXml = 142,
  kFloat4 = 700,
  kFloat8 = 701,
  kBpchar = 1042,
  kVarchar = 1043,
  kUuid = 2950,
};

/// False: the value is of another size.
template <std::unsigned_integral T>
bool ReadNumber(std::string_view value, T* out) {
  return value.size() == sizeof(T) && sdk::ByteReader(value).ReadBigEndian(out);
}

void AddUuid(std::string_view value, ParameterWriter& out) {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::array<char, 36> text{};
  std::size_t at = 0;
  for (std::size_t i = 0; i < value.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text[at++] = '-';
    const auto byte = static_cast<unsigned char>(value[i]);
    text[at++] = kHex[byte >> 4U];
    text[at++] = kHex[byte & 15U];
  }
  out.Add({text.data(), at});
}

bool IsText(std::uint32_t type) {
  return type == kText || type == kVarchar || type == kBpchar || type == kName || type == kJson || type == kXml;
}

/// A value in binary format; `size`: what the message says of it, of which `value` is there.
void AddBinary(std::uint32_t type, std::string_view value, std::size_t size, ParameterWriter& out) {
  if (IsText(type)) return out.Add(value, value.size() == size);
  if (value.size() != size) return out.AddUnknown();
  if (type == kUuid && size == 16) return AddUuid(value, out);
  std::uint8_t one = 0;
  std::uint16_t two = 0;
  std::uint32_t four = 0;
  std::uint64_t eight = 0;
  if (type == kBool && ReadNumber(value, &one)) return out.Add(one != 0 ? "true" : "false");
  if (type == kInt2 && ReadNumber(value, &two)) return out.AddInt(static_cast<std::int16_t>(two));
  if (type == kInt4 && ReadNumber(value, &four)) return out.AddInt(static_cast<std::int32_t>(four));
  if (type == kInt8 && ReadNumber(value, &eight)) return out.AddInt(static_cast<std::int64_t>(eight));
  if (type == kOid && ReadNumber(value, &four)) return out.AddUnsigned(four);
  if (type == kFloat4 && ReadNumber(value, &four)) return out.AddFloat(std::bit_cast<float>(four));
  if (type == kFloat8 && ReadNumber(value, &eight)) return out.AddDouble(std::bit_cast<double>(eight));
  out.AddUnknown();
}

}  // namespace

/// formats (2 each), values (4: size, all ones: NULL), behind the names of Bind
void ReadParameters(std::string_view body, const ParameterTypes* types, ParameterWriter& out) {
  sdk::ByteReader reader(body);
  std::uint16_t formats = 0;
  std::uint16_t count = 0;
  std::string_view listed;
  out.Start();
  if (!reader.ReadBigEndian(&formats) || !reader.Read(formats * std::size_t{2}, &listed)) return out.Truncate();
  if (!reader.ReadBigEndian(&count)) return out.Truncate();
  sdk::ByteReader format(listed);
  std::uint16_t binary = 0;
  for (std::size_t i = 0; i < count; ++i) {
    constexpr std::uint32_t kNull = 0xffffffff;
    std::uint32_t size = 0;
    if (i < formats && !format.ReadBigEndian(&binary)) return out.Truncate();
    if (i >= Parameters::kMost || !reader.ReadBigEndian(&size)) return out.Truncate();
    if (size == kNull) {
      out.AddNull();
      continue;
    }
    std::string_view value = reader.rest();
    const bool whole = reader.Read(size, &value);
    if (binary == 0)
      out.Add(value, whole);
    else
      AddBinary(types == nullptr ? 0 : types->At(i), value, size, out);
    if (!whole) return out.Truncate();
  }
}

/// count (2), numbers (4 each). What is not said (0) stays as it was.
void ReadTypes(sdk::Stream stream, std::string_view body, ParameterTypes** types) {
  sdk::ByteReader reader(body);
  std::uint16_t listed = 0;
  if (!reader.ReadBigEndian(&listed) || listed == 0) return;
  const std::size_t count = std::min<std::size_t>(listed, Parameters::kMost);
  ParameterTypes* made = MakeTypes(stream, count);
  if (made == nullptr) return;
  for (std::size_t i = 0; i < count; ++i) {
    std::uint32_t type = 0;
    if (!reader.ReadBigEndian(&type)) break;
    if (type == 0 && *types != nullptr) type = (*types)->At(i);
    made->begin()[i] = type;
  }
  Free(stream, types);
  *types = made;
}

}  // namespace probed::mod::sql::pg
