// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "modules/sql/decode/my_times.h"

#include <charconv>

#include "modules/sql/decode/my_packets.h"

namespace probed::mod::sql::my {
namespace {

constexpr std::size_t kDate = 4;
constexpr std::size_t kDateTime = 7;
constexpr std::size_t kDuration = 8;
constexpr std::size_t kFraction = 4;
constexpr unsigned kMostHours = 838;  // of a TIME

/// Numbers one after the other, in the order in which the value has them.
class Writer {
 public:
  explicit Writer(TimeText& text) : text_(text) {}

  void Mark(char mark) { text_[used_++] = mark; }
  /// With zeros in front of it. One that is larger than `most` spoils the whole.
  void Number(unsigned value, std::size_t width, unsigned most) {
    good_ = good_ && value <= most;
    if (!good_) return;
    std::array<char, 10> digits{};
    const auto end = std::to_chars(digits.begin(), digits.end(), value).ptr;
    const auto size = static_cast<std::size_t>(end - digits.begin());
    for (std::size_t i = size; i < width; ++i) Mark('0');
    for (std::size_t i = 0; i < size; ++i) Mark(digits[i]);
  }
  std::string_view text() const { return good_ ? std::string_view(text_.data(), used_) : std::string_view{}; }

 private:
  TimeText& text_;
  std::size_t used_ = 0;
  bool good_ = true;
};

bool IsDateSize(std::size_t size) {
  return size == 0 || size == kDate || size == kDateTime || size == kDateTime + kFraction;
}

void WriteDate(Fields& fields, Writer& out) {
  out.Number(fields.Int(2), 4, 9999);
  out.Mark('-');
  out.Number(fields.Int(1), 2, 12);
  out.Mark('-');
  out.Number(fields.Int(1), 2, 31);
}

/// From the minute on. A fraction is written where there is one.
void WriteRest(Fields& fields, Writer& out) {
  out.Mark(':');
  out.Number(fields.Int(1), 2, 59);
  out.Mark(':');
  out.Number(fields.Int(1), 2, 59);
  const unsigned microseconds = fields.Int(kFraction);
  if (microseconds == 0) return;
  out.Mark('.');
  out.Number(microseconds, 6, 999'999);
}

}  // namespace

/// MySQL reads no time of it, even if there is one.
std::string_view DateText(std::string_view bytes, TimeText& text) {
  if (!IsDateSize(bytes.size())) return {};
  Fields fields(bytes);
  Writer out(text);
  WriteDate(fields, out);
  return out.text();
}

std::string_view DateTimeText(std::string_view bytes, TimeText& text) {
  if (!IsDateSize(bytes.size())) return {};
  Fields fields(bytes);  // what was not sent reads as 0
  Writer out(text);
  WriteDate(fields, out);
  out.Mark(' ');
  out.Number(fields.Int(1), 2, 23);
  WriteRest(fields, out);
  return out.text();
}

/// MariaDB's C API leaves days among the hours.
std::string_view DurationText(std::string_view bytes, TimeText& text) {
  if (!bytes.empty() && bytes.size() != kDuration && bytes.size() != kDuration + kFraction) return {};
  Fields fields(bytes);
  Writer out(text);
  if (fields.Int(1) != 0) out.Mark('-');
  const unsigned days = fields.Int(4);
  const unsigned hour = fields.Int(1);
  if (days > kMostHours / 24) return {};
  out.Number(days * 24 + hour, 2, kMostHours);
  WriteRest(fields, out);
  return out.text();
}

}  // namespace probed::mod::sql::my
