// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "decode/parse.h"

#include <array>
#include <utility>

#include "api/sdk/byte_reader.h"

namespace probed::mod::ping {
namespace {

constexpr std::array<std::pair<std::string_view, FrameKind>, 3> kKeywords = {{
    {"PING ", FrameKind::kPing},
    {"OK ", FrameKind::kOk},
    {"ERR ", FrameKind::kError},
}};

}  // namespace

sdk::ParseState ParseFrame(std::string_view bytes, Frame* frame) {
  sdk::ByteReader reader(bytes);
  std::string_view line;
  if (!reader.ReadLine(&line)) return bytes.size() < kMaxLine ? sdk::ParseState::kNeedMore : sdk::ParseState::kInvalid;
  frame->size = reader.position();
  for (const auto& [keyword, kind] : kKeywords) {
    if (!line.starts_with(keyword)) continue;
    frame->kind = kind;
    frame->text = line.substr(keyword.size());
    return sdk::ParseState::kOk;
  }
  return sdk::ParseState::kInvalid;
}

}  // namespace probed::mod::ping
