// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "modules/sql/decode/pg_messages.h"

#include <algorithm>
#include <string>

#include "api/sdk/text.h"
#include "modules/sql/bpf/pg_classify.h"
#include "modules/sql/decode/pg_parameters.h"

namespace probed::mod::sql::pg {
namespace {

constexpr std::string_view kFrontTypes = "BCDEFHPQSXcdfp";
constexpr std::string_view kBackTypes = "123ACDEGHIKNRSTVWZcdnstv";
constexpr std::size_t kErrorFields = 256;  // severity and SQLSTATE come first
constexpr std::size_t kMostMessage = std::size_t{1} << 30U;
constexpr std::size_t kMostTag = 64;
constexpr std::size_t kMostReported = 128;  // of a parameter and its value
constexpr int kEnoughMessages = 3;

const unsigned char* Data(std::string_view view) { return reinterpret_cast<const unsigned char*>(view.data()); }

}  // namespace

bool IsType(Side side, char type) {
  return (side == Side::kFront ? kFrontTypes : kBackTypes).find(type) != std::string_view::npos;
}

std::size_t MostNeeded(Side side, char type, std::size_t text_bytes, std::size_t parameter_bytes) {
  const std::size_t types = parameter_bytes != 0 ? kMostTypes : 0;
  if (side == Side::kBack) {
    if (type == 'E' || type == 'N') return kHeader + kErrorFields;
    if (type == 'C') return kHeader + kMostTag;
    if (type == 't') return kHeader + types;
    return type == 'Z' ? kHeader + 1 : kHeader;
  }
  switch (type) {
    case 'Q': return kHeader + text_bytes + 1;
    case 'P': return kHeader + kMostName + text_bytes + 1 + types;
    case 'B': return kHeader + 2 * kMostName + parameter_bytes;
    case 'C':
    case 'D':
    case 'E': return kHeader + 1 + kMostName;
    default: return kHeader;  // of passwords and data of COPY nothing is looked at
  }
}

/// As little as tells that it is another one: a hole behind that does no harm.
std::size_t ReportNeeded(std::string_view body) {
  constexpr std::string_view kName("search_path\0", 12);
  const std::size_t there = std::min(body.size(), kName.size());
  if (body.substr(0, there) != kName.substr(0, there)) return 0;
  return there == kName.size() ? kMostReported : there + 1;
}

bool TakeString(std::string_view* body, std::string_view* out) {
  const std::size_t end = body->find('\0');
  if (end == std::string_view::npos) return false;
  *out = body->substr(0, end);
  body->remove_prefix(end + 1);
  return true;
}

std::string_view TakeText(std::string_view* body, bool* cut) {
  std::string_view text;
  *cut = !TakeString(body, &text);
  return *cut ? *body : text;
}

std::string_view StartupParameter(std::string_view parameters, std::string_view name) {
  std::string_view key;
  std::string_view value;
  while (TakeString(&parameters, &key) && !key.empty() && TakeString(&parameters, &value)) {
    if (key == name) return value;
  }
  return {};
}

std::string_view SqlState(std::string_view body) {
  constexpr std::size_t kSize = 5;
  while (!body.empty() && body[0] != '\0') {
    const char field = body[0];
    body.remove_prefix(1);
    std::string_view value;
    if (!TakeString(&body, &value)) return {};
    if (field != 'C') continue;
    const bool good = value.size() == kSize && std::all_of(value.begin(), value.end(), [](char c) {
                        return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z');
                      });
    return good ? value : std::string_view{};
  }
  return {};
}

std::int64_t RowsOf(std::string_view tag) {
  std::uint64_t rows = 0;
  const std::size_t blank = tag.rfind(' ');
  if (blank == std::string_view::npos || !sdk::ParseDecimal(tag.substr(blank + 1), &rows)) return -1;
  return static_cast<std::int64_t>(rows);
}

bool LooksLikeMessages(Side side, std::string_view bytes) {
  const auto length = static_cast<unsigned>(std::min<std::size_t>(bytes.size(), PG_HEAD_BYTES));
  std::string head(bytes.substr(0, length));
  head.resize(PG_HEAD_BYTES);
  const int verdict =
      side == Side::kFront ? pg_recognise_front(Data(head), length) : pg_recognise_back(Data(head), length);
  if (verdict == PG_YES) return true;
  for (int seen = 0; seen < kEnoughMessages; ++seen) {
    if (bytes.empty()) return seen != 0;
    if (bytes.size() < kHeader || !IsType(side, bytes[0])) return false;
    const std::size_t size = pg_u32(Data(bytes) + 1);
    if (size < PG_LEAST_LENGTH || size > kMostMessage || size + 1 > bytes.size()) return false;
    bytes.remove_prefix(size + 1);
  }
  return true;
}

bool EndsReady(std::string_view bytes) {
  constexpr std::size_t kReady = kHeader + 1;
  constexpr std::size_t kMostComplete = 48;
  if (bytes.size() < kReady || !bytes.substr(bytes.size() - kReady).starts_with(std::string_view("Z\0\0\0\5", 5)))
    return false;
  bytes.remove_suffix(kReady);
  for (std::size_t back = kHeader + 2; back <= std::min(bytes.size(), kMostComplete); ++back) {
    const std::string_view complete = bytes.substr(bytes.size() - back);
    if (complete[0] == 'C' && pg_u32(Data(complete) + 1) + 1 == back && complete.back() == '\0') return true;
  }
  return false;
}

}  // namespace probed::mod::sql::pg
