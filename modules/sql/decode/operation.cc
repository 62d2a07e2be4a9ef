// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "modules/sql/decode/operation.h"

#include <algorithm>
#include <cstring>
#include <new>

#include "modules/sql/decode/statements.h"

namespace probed::mod::sql {
namespace {

char* BehindSummary(Text* text) { return reinterpret_cast<char*>(text + 1) + text->summary_size; }

/// With one reference, its summary and room for `more` bytes behind that. nullptr: no memory.
Text* NewText(sdk::Stream stream, const Summary& summary, std::size_t more) {
  const std::size_t allocated = sizeof(Text) + summary.size + more;
  void* memory = stream.Alloc(allocated);
  if (memory == nullptr) return nullptr;
  auto* text = ::new (memory) Text{};
  text->references = 1;
  text->allocated = static_cast<std::uint32_t>(allocated);
  text->summary_size = static_cast<std::uint16_t>(summary.size);
  if (summary.size != 0) std::memcpy(text + 1, summary.bytes.data(), summary.size);
  return text;
}

}  // namespace

Text* MakeText(sdk::Stream stream, const TextSource& source) {
  Summary summary;
  std::uint32_t batch_size = 0;
  if (source.may_be_plain)
    Summarise(source.sql, source.dialect, source.truncated, &summary);
  else
    batch_size = SummariseAll(source.sql, source.dialect, source.truncated, &summary);
  const std::size_t room = source.keep_query ? source.sql.size() : 0;
  Text* text = NewText(stream, summary, source.effect_name.size() + room);
  if (text == nullptr) return nullptr;
  text->truncated = source.truncated;
  text->batch_size = batch_size;
  text->effect = source.effect;
  text->effect_size = static_cast<std::uint8_t>(source.effect_name.size());
  char* at = BehindSummary(text);
  if (text->effect_size != 0) std::memcpy(at, source.effect_name.data(), text->effect_size);
  at += text->effect_size;
  if (room == 0) return text;
  if (source.may_be_plain && HasPlaceholder(source.sql, source.dialect)) {
    std::memcpy(at, source.sql.data(), source.sql.size());
    text->query_size = static_cast<std::uint32_t>(source.sql.size());
  } else {
    text->query_size = static_cast<std::uint32_t>(Sanitise(source.sql, source.dialect, at));
  }
  return text;
}

Text* MakeBatch(sdk::Stream stream, const Text& one, std::uint32_t size) {
  Summary summary;
  PutBatch(one.summary(), &summary);
  Text* text = NewText(stream, summary, one.query_size);
  if (text == nullptr) return nullptr;
  text->query_size = one.query_size;
  text->truncated = one.truncated;
  text->batch_size = size;
  if (one.query_size != 0) std::memcpy(BehindSummary(text), one.query().data(), one.query_size);
  return text;
}

void Release(sdk::Stream stream, Text** text) {
  Text* given = *text;
  *text = nullptr;
  if (given == nullptr || --given->references != 0) return;
  Free(stream, &given->types);
  stream.Free(given, given->allocated);
}

void StatusCode::Set(std::string_view code) {
  size = static_cast<std::uint8_t>(std::min(code.size(), bytes.size()));
  std::copy_n(code.data(), size, bytes.data());
}

}  // namespace probed::mod::sql
