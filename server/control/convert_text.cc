// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/control/convert_text.h"

#include <algorithm>

namespace probed::control {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";
constexpr std::string_view kEllipsis = "...";
constexpr std::int64_t kNsPerSecond = 1'000'000'000;
constexpr std::int64_t kNsPerMs = 1'000'000;
constexpr std::int64_t kMaxDurationSeconds = 315'576'000'000;  // as google/protobuf/duration.proto says

bool IsContinuation(char c) { return (static_cast<unsigned char>(c) & 0xC0U) == 0x80U; }

/// Bytes of the sequence a lead byte announces, 0 for what leads none.
std::size_t SequenceLength(unsigned char lead) {
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead <= 0xDF) return 2;
  if (lead >= 0xE0 && lead <= 0xEF) return 3;
  if (lead >= 0xF0 && lead <= 0xF4) return 4;
  return 0;
}

/// RFC 3629, section 4: second bytes that would make an overlong form, a surrogate or something beyond U+10FFFF.
bool SecondByteFits(unsigned char lead, unsigned char second) {
  if (lead == 0xE0) return second >= 0xA0;
  if (lead == 0xED) return second <= 0x9F;
  if (lead == 0xF0) return second >= 0x90;
  if (lead == 0xF4) return second <= 0x8F;
  return true;
}

/// Length of the valid sequence at the beginning of `text`, 0 if there is none.
std::size_t ValidPrefix(std::string_view text) {
  const std::size_t length = SequenceLength(static_cast<unsigned char>(text.front()));
  if (length <= 1) return length;
  if (length > text.size() ||
      !std::all_of(text.begin() + 1, text.begin() + static_cast<long>(length), IsContinuation)) {
    return 0;
  }
  return SecondByteFits(static_cast<unsigned char>(text[0]), static_cast<unsigned char>(text[1])) ? length : 0;
}

}  // namespace

std::string ValidUtf8(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const std::size_t length = ValidPrefix(text);
    out += length == 0 ? kReplacement : text.substr(0, length);
    text.remove_prefix(std::max<std::size_t>(length, 1));
  }
  return out;
}

std::string Shortened(std::string_view text, std::size_t bytes) {
  std::string out = ValidUtf8(text);
  if (out.size() <= bytes) return out;
  std::size_t end = bytes - kEllipsis.size();
  while (end > 0 && IsContinuation(out[end])) --end;
  out.resize(end);
  out += kEllipsis;
  return out;
}

google::protobuf::Timestamp ToTimestamp(std::uint64_t utc_ns) {
  google::protobuf::Timestamp out;
  out.set_seconds(static_cast<std::int64_t>(utc_ns / kNsPerSecond));
  out.set_nanos(static_cast<std::int32_t>(utc_ns % kNsPerSecond));
  return out;
}

google::protobuf::Duration ToProto(std::chrono::milliseconds value) {
  google::protobuf::Duration out;
  out.set_seconds(value.count() / 1000);
  out.set_nanos(static_cast<std::int32_t>(value.count() % 1000 * kNsPerMs));
  return out;
}

std::chrono::milliseconds FromProto(const google::protobuf::Duration& value, const std::string& path,
                                    Violations& violations) {
  const bool in_range = value.seconds() >= 0 && value.seconds() <= kMaxDurationSeconds && value.nanos() >= 0 &&
                        value.nanos() < kNsPerSecond;
  if (!in_range) {
    violations.push_back({path, "is no valid duration, or a negative one"});
  } else if (value.nanos() % kNsPerMs != 0) {
    violations.push_back({path, "must be whole milliseconds"});
  } else {
    return std::chrono::milliseconds(value.seconds() * 1000 + value.nanos() / kNsPerMs);
  }
  return std::chrono::milliseconds(0);
}

std::string At(const std::string& list, std::size_t index) { return list + "[" + std::to_string(index) + "]"; }
std::string At(const std::string& list, int index) { return list + "[" + std::to_string(index) + "]"; }

std::string Below(const std::string& prefix, std::string_view field) {
  return prefix.empty() ? std::string(field) : prefix + "." + std::string(field);
}

Violations Under(const std::string& prefix, Violations violations) {
  for (FieldViolation& violation : violations) violation.path = Below(prefix, violation.path);
  return violations;
}

}  // namespace probed::control
