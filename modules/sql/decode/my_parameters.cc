// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "modules/sql/decode/my_parameters.h"

#include <algorithm>
#include <bit>

#include "modules/sql/decode/my_packets.h"
#include "modules/sql/decode/my_times.h"

namespace probed::mod::sql::my {
namespace {

enum Type : std::uint8_t {
  kDecimal = 0,
  kTiny = 1,
  kShort = 2,
  kLong = 3,
  kFloat = 4,
  kDouble = 5,
  kNull = 6,
  kTimestamp = 7,
  kLongLong = 8,
  kInt24 = 9,
  kDate = 10,
  kTime = 11,
  kDateTime = 12,
  kYear = 13,
  kVarchar = 15,
  kJson = 245,
  kNewDecimal = 246,
  kEnum = 247,
  kSet = 248,
  kVarString = 253,
  kString = 254,
};
constexpr std::uint32_t kUnsigned = 0x8000;

/// Bytes of a number; 0: it is none.
std::size_t SizeOf(std::uint8_t type) {
  switch (type) {
    case kTiny: return 1;
    case kShort:
    case kYear: return 2;
    case kLong:
    case kInt24:
    case kFloat: return 4;
    case kLongLong:
    case kDouble: return 8;
    default: return 0;
  }
}

bool IsText(std::uint8_t type) {
  return type == kDecimal || type == kVarchar || type == kJson || type == kNewDecimal || type == kEnum ||
         type == kSet || type == kVarString || type == kString;
}
bool IsTime(std::uint8_t type) { return type == kTimestamp || type == kDate || type == kTime || type == kDateTime; }

void AddNumber(std::uint32_t full_type, std::uint64_t bits, ParameterWriter& out) {
  const auto type = static_cast<std::uint8_t>(full_type);
  if (type == kFloat) return out.AddFloat(std::bit_cast<float>(static_cast<std::uint32_t>(bits)));
  if (type == kDouble) return out.AddDouble(std::bit_cast<double>(bits));
  if ((full_type & kUnsigned) != 0) return out.AddUnsigned(bits);
  const unsigned unused = 64 - 8 * static_cast<unsigned>(SizeOf(type));
  out.AddInt(static_cast<std::int64_t>(bits << unused) >> unused);
}

void AddTime(std::uint8_t type, std::string_view bytes, ParameterWriter& out) {
  TimeText room;
  const std::string_view text = type == kDate   ? DateText(bytes, room)
                                : type == kTime ? DurationText(bytes, room)
                                                : DateTimeText(bytes, room);
  if (text.empty()) return out.AddUnknown();
  out.Add(text);
}

/// One value. False: it is not all there; what is there of a text was taken.
bool Take(std::uint32_t full_type, Fields& fields, ParameterWriter& out) {
  const auto type = static_cast<std::uint8_t>(full_type);
  if (const std::size_t size = SizeOf(type); size != 0) {
    std::uint64_t bits = fields.Int(std::min<std::size_t>(size, 4));
    if (size == 8) bits |= std::uint64_t{fields.Int(4)} << 32U;
    if (fields.good()) AddNumber(full_type, bits, out);
    return fields.good();
  }
  if (IsTime(type)) {
    const std::string_view bytes = fields.Bytes(fields.Int(1));
    if (fields.good()) AddTime(type, bytes, out);
    return fields.good();
  }
  const std::uint64_t size = fields.Length();
  if (!fields.good()) return false;
  const std::string_view there = fields.rest().substr(0, size);
  if (IsText(type))
    out.Add(there, there.size() == size);
  else
    out.AddUnknown();
  fields.Bytes(size);
  return fields.good();
}

/// Where the client says the types, for this and the executions that follow. False: none are known.
bool TakeTypes(sdk::Stream stream, Fields& fields, std::size_t count, ParameterTypes** types) {
  Free(stream, types);
  if (fields.rest().size() < 2 * count) return false;
  *types = MakeTypes(stream, count);
  if (*types == nullptr) return false;
  for (std::size_t i = 0; i < count; ++i) (*types)->begin()[i] = fields.Int(2);
  return true;
}

bool Fit(const ParameterTypes* types, std::size_t count) { return types != nullptr && types->count == count; }

/// One value of a set. False: it is not all there.
bool Skip(std::uint8_t type, Fields& fields) {
  if (type == kNull) return true;
  const std::size_t size = SizeOf(type);
  fields.Bytes(size != 0 ? size : fields.Length());
  return fields.good();
}

/// Each value has an indicator in front of it, which may stand for it. False: the set is not all there, or (fields are
/// good) it is none.
bool SkipSet(const ParameterTypes& types, Fields& fields) {
  enum Indicator : std::uint8_t { kValue, kNullValue, kDefault, kIgnore };
  for (std::size_t i = 0; i < types.count; ++i) {
    const unsigned indicator = fields.Int(1);
    if (!fields.good() || indicator > kIgnore) return false;
    if (indicator == kValue && !Skip(static_cast<std::uint8_t>(types.At(i)), fields)) return false;
  }
  return true;
}

}  // namespace

/// a bit for each that is NULL, whether types follow (1), types (2 each), values
bool ReadParameters(sdk::Stream stream, std::string_view body, bool whole, std::size_t count, ParameterTypes** types,
                    ParameterWriter& out) {
  Fields fields(body);
  out.Start();
  const std::string_view nulls = fields.Bytes((count + 7) / 8);
  const bool typed = fields.Int(1) == 1;
  if (!fields.good() || (typed && !TakeTypes(stream, fields, count, types))) return false;
  if (!Fit(*types, count)) return false;
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint32_t type = (*types)->At(i);
    const bool null = (static_cast<unsigned char>(nulls[i / 8]) >> (i % 8) & 1U) != 0;
    if (null || static_cast<std::uint8_t>(type) == kNull) {
      out.AddNull();
    } else if (!Take(type, fields, out)) {
      out.Truncate();
      return !whole;
    }
  }
  return !whole || fields.rest().empty();
}

/// flags (2), types (2 each) if the flags say so, sets
Sets CountSets(sdk::Stream stream, std::string_view body, bool whole, std::size_t count, ParameterTypes** types) {
  constexpr unsigned kTyped = 0x80;
  Fields fields(body);
  const bool typed = (fields.Int(2) & kTyped) != 0 || !fields.good();
  if (typed && !TakeTypes(stream, fields, count, types)) return {};
  if (count == 0 || !Fit(*types, count)) return {};
  Sets sets;
  for (; !fields.rest().empty(); ++sets.seen) {
    if (SkipSet(**types, fields)) continue;
    if (whole || fields.good()) return {};
    return {.seen = sets.seen + 1, .exact = false};
  }
  sets.exact = whole;
  return sets;
}

}  // namespace probed::mod::sql::my
