// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "modules/http/decode/body.h"

#include <algorithm>

#include "api/sdk/text.h"

namespace probed::mod::http {
namespace {

constexpr std::uint8_t kMaxDigits = 15;  // no overflow, and more than any chunk has

int HexValue(char c) {
  if (sdk::IsDigit(c)) return c - '0';
  const char lower = sdk::ToLower(c);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

}  // namespace

void ChunkReader::EndOfSizeLine() {
  digits_ = 0;
  at_ = remaining_ == 0 ? At::kTrailer : At::kData;
}

/// One byte outside of chunk data. kOk: it ended the body.
sdk::ParseState ChunkReader::Step(char c) {
  switch (at_) {
    case At::kSize:
      if (const int digit = HexValue(c); digit >= 0 && digits_ < kMaxDigits) {
        remaining_ = remaining_ * 16 + static_cast<std::uint64_t>(digit);
        ++digits_;
        break;
      }
      if (digits_ == 0) return sdk::ParseState::kInvalid;
      if (c == '\n') {
        EndOfSizeLine();
      } else if (c == ';' || c == ' ' || c == '\t' || c == '\r') {
        at_ = At::kExtension;
      } else {
        return sdk::ParseState::kInvalid;
      }
      break;
    case At::kExtension:
      if (c == '\n') EndOfSizeLine();
      break;
    case At::kAfterData:
      if (c != '\n' && c != '\r') return sdk::ParseState::kInvalid;
      ++line_end_;
      if (c == '\n') at_ = At::kSize;
      break;
    case At::kTrailer:
      if (c == '\n') return sdk::ParseState::kOk;
      if (c != '\r') at_ = At::kTrailerText;
      break;
    case At::kTrailerText:
      if (c == '\n') at_ = At::kTrailer;
      break;
    case At::kData: break;  // handled by Feed
  }
  return sdk::ParseState::kNeedMore;
}

sdk::ParseState ChunkReader::Feed(std::string_view* bytes, std::uint64_t* payload) {
  while (!bytes->empty()) {
    if (at_ == At::kData) {
      const std::uint64_t taken = std::min<std::uint64_t>(remaining_, bytes->size());
      Skip(taken, payload);  // never beyond the data
      bytes->remove_prefix(static_cast<std::size_t>(taken));
      continue;
    }
    const sdk::ParseState state = Step(bytes->front());
    if (state == sdk::ParseState::kInvalid) return state;
    bytes->remove_prefix(1);
    if (state == sdk::ParseState::kOk) return state;
  }
  return sdk::ParseState::kNeedMore;
}

bool ChunkReader::Skip(std::uint64_t count, std::uint64_t* payload) {
  constexpr std::uint64_t kLineEnd = 2;  // the kernel leaves data and CRLF out together, in as many pieces as they came
  if (at_ == At::kData) line_end_ = 0;
  if ((at_ != At::kData && at_ != At::kAfterData) || count > remaining_ + kLineEnd - line_end_) return false;
  const std::uint64_t data = std::min(count, remaining_);
  *payload += data;
  remaining_ -= data;
  if (remaining_ != 0) return true;
  line_end_ = static_cast<std::uint8_t>(line_end_ + count - data);
  at_ = line_end_ == kLineEnd ? At::kSize : At::kAfterData;
  return true;
}

}  // namespace probed::mod::http
