// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "modules/sql/decode/statements.h"

#include <algorithm>
#include <cstring>
#include <initializer_list>

#include "api/sdk/text.h"

namespace probed::mod::sql {
namespace {

constexpr std::string_view kBatch = "BATCH";

bool IsAnyOf(std::string_view word, std::initializer_list<std::string_view> words) {
  return std::any_of(words.begin(), words.end(), [&](std::string_view w) { return sdk::EqualsIgnoreCase(word, w); });
}

}  // namespace

void PutBatch(std::string_view one, Summary* out) {
  std::memcpy(out->bytes.data(), kBatch.data(), kBatch.size());
  out->size = kBatch.size();
  const std::size_t room = Summary::kMost - kBatch.size() - 1;
  if (one.size() > room) one = one.substr(0, std::min(one.rfind(' ', room), room));
  if (one.empty()) return;
  out->bytes[out->size++] = ' ';
  std::memcpy(out->bytes.data() + out->size, one.data(), one.size());
  out->size += one.size();
}

bool MayHaveSeveral(std::string_view text) {
  const std::size_t end = text.find(';');
  return end != std::string_view::npos && text.find_first_not_of("; \t\r\n\f\v", end) != std::string_view::npos;
}

Statements::Statements(std::string_view text, Dialect dialect) : dialect_(dialect), tokens_(text, dialect) {
  Advance();
}

/// What MySQL executes of comments is no statement that could be told apart.
void Statements::Advance() {
  before_ = token_;
  token_ = tokens_.Next();
  while (token_.kind == TokenKind::kSpace || token_.kind == TokenKind::kComment) {
    if (dialect_ == Dialect::kMysql && (token_.text.starts_with("/*!") || token_.text.starts_with("/*M!")))
      unclear_ = true;
    token_ = tokens_.Next();
  }
}

bool Statements::Is(const Token& token, std::string_view word) const {
  return token.kind == TokenKind::kWord && sdk::EqualsIgnoreCase(token.text, word);
}

/// Whether the token at hand shows that semicolons may be part of the statement.
void Statements::Judge() {
  if (unclear_ || token_.kind == TokenKind::kLiteral) return;
  const bool begins = token_.text.data() == first_.text.data();
  const bool defines = Is(first_, "CREATE") || Is(first_, "ALTER");
  if (dialect_ == Dialect::kPostgres) {
    unclear_ = defines && Is(token_, "ATOMIC");
    return;
  }
  if (token_.kind != TokenKind::kWord && !IsMark(':')) return;
  unclear_ = (defines && IsAnyOf(token_.text, {"PROCEDURE", "FUNCTION", "TRIGGER", "EVENT", "PACKAGE"})) ||
             (begins && IsAnyOf(token_.text, {"IF", "CASE", "LOOP", "WHILE", "REPEAT", "FOR", "DECLARE"})) ||
             (before_.text.data() == first_.text.data() && (IsMark(':') || (Is(first_, "BEGIN") && Is(token_, "NOT"))));
}

bool Statements::Next(std::string_view* out) {
  while (IsMark(';')) Advance();
  if (token_.kind == TokenKind::kEnd) return false;
  first_ = token_;
  const char* begin = token_.text.data();
  const char* end = begin;
  for (int depth = 0; token_.kind != TokenKind::kEnd; Advance()) {
    Judge();
    if (IsMark(';') && depth <= 0 && !unclear_) break;
    depth += IsMark('(') ? 1 : IsMark(')') ? -1 : 0;
    end = token_.text.data() + token_.text.size();
  }
  *out = {begin, static_cast<std::size_t>(end - begin)};
  return true;
}

std::uint32_t SummariseAll(std::string_view text, Dialect dialect, bool cut, Summary* out) {
  Summarise(text, dialect, cut, out);
  if (!MayHaveSeveral(text)) return 0;
  Statements statements(text, dialect);
  Summary first;
  Summary other;
  std::uint32_t count = 0;
  bool same = !cut;
  for (std::string_view one; statements.Next(&one); ++count) {
    Summarise(one, dialect, false, count == 0 ? &first : &other);
    same = same && (count == 0 || other.text() == first.text());
  }
  if (statements.unclear() || count < 2) return 0;
  if (!same) first.size = 0;
  PutBatch(first.text(), out);
  return cut ? 0 : count;
}

}  // namespace probed::mod::sql
