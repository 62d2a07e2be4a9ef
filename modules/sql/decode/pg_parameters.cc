// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Parameters of Bind. In text format they are what they are; in binary format they are read if their type is known, by
// Parse or by the server's ParameterDescription, and is a common one.
#include "modules/sql/decode/pg_parameters.h"

#include <array>
#include <bit>

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

bool TakeNumber(std::string_view* body, std::size_t size, std::uint64_t* out) {
  if (body->size() < size) return false;
  *out = 0;
  for (std::size_t i = 0; i < size; ++i) *out = *out << 8U | static_cast<unsigned char>((*body)[i]);
  body->remove_prefix(size);
  return true;
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
  std::uint64_t bits = 0;
  std::string_view rest = value;
  if (value.size() != size) return out.AddUnknown();
  if (type == kUuid && size == 16) return AddUuid(value, out);
  if (size > 8 || !TakeNumber(&rest, size, &bits)) return out.AddUnknown();
  if (type == kBool && size == 1) return out.Add(bits != 0 ? "true" : "false");
  if (type == kInt2 && size == 2) return out.AddInt(static_cast<std::int16_t>(bits));
  if (type == kInt4 && size == 4) return out.AddInt(static_cast<std::int32_t>(bits));
  if (type == kInt8 && size == 8) return out.AddInt(static_cast<std::int64_t>(bits));
  if (type == kOid && size == 4) return out.AddUnsigned(bits);
  if (type == kFloat4 && size == 4) return out.AddFloat(std::bit_cast<float>(static_cast<std::uint32_t>(bits)));
  if (type == kFloat8 && size == 8) return out.AddDouble(std::bit_cast<double>(bits));
  out.AddUnknown();
}

}  // namespace

/// formats (2 each), values (4: size, all ones: NULL), behind the names of Bind
void ReadParameters(std::string_view body, const ParameterTypes* types, ParameterWriter& out) {
  std::uint64_t formats = 0;
  std::uint64_t count = 0;
  out.Start();
  if (!TakeNumber(&body, 2, &formats) || body.size() < formats * 2) return out.Truncate();
  std::string_view format = body.substr(0, formats * 2);
  body.remove_prefix(formats * 2);
  if (!TakeNumber(&body, 2, &count)) return out.Truncate();
  std::uint64_t binary = 0;
  for (std::size_t i = 0; i < count; ++i) {
    constexpr std::uint64_t kNull = 0xffffffff;
    std::uint64_t size = 0;
    if (i == 0 || formats > 1) TakeNumber(&format, 2, &binary);
    if (i >= Parameters::kMost || !TakeNumber(&body, 4, &size)) return out.Truncate();
    if (size == kNull) {
      out.AddNull();
      continue;
    }
    const std::string_view value = body.substr(0, size);
    body.remove_prefix(value.size());
    if (binary == 0)
      out.Add(value, value.size() == size);
    else
      AddBinary(types == nullptr ? 0 : types->At(i), value, size, out);
    if (value.size() != size) return out.Truncate();
  }
}

/// count (2), numbers (4 each). What is not said (0) stays as it was.
void ReadTypes(sdk::Stream stream, std::string_view body, ParameterTypes** types) {
  std::uint64_t count = 0;
  if (!TakeNumber(&body, 2, &count) || count == 0) return;
  count = std::min<std::uint64_t>(count, Parameters::kMost);
  ParameterTypes* made = MakeTypes(stream, count);
  if (made == nullptr) return;
  for (std::size_t i = 0; i < count; ++i) {
    std::uint64_t type = 0;
    if (!TakeNumber(&body, 4, &type)) break;
    if (type == 0 && *types != nullptr) type = (*types)->At(i);
    made->begin()[i] = static_cast<std::uint32_t>(type);
  }
  Free(stream, types);
  *types = made;
}

}  // namespace probed::mod::sql::pg
