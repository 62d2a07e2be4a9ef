// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "modules/sql/decode/sql_text.h"

#include <algorithm>
#include <cstring>

#include "api/sdk/text.h"

namespace probed::mod::sql {
namespace {

bool IsSpace(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
bool IsLetter(char c) {
  const char lower = sdk::ToLower(c);
  return (lower >= 'a' && lower <= 'z') || c == '_' || static_cast<unsigned char>(c) >= 0x80;
}
bool IsWordByte(char c) { return IsLetter(c) || sdk::IsDigit(c) || c == '$'; }
bool IsBoolean(std::string_view word) {
  return sdk::EqualsIgnoreCase(word, "true") || sdk::EqualsIgnoreCase(word, "false");
}

}  // namespace

Token Tokens::Take(TokenKind kind, std::size_t end) {
  const Token token{kind, text_.substr(0, end)};
  text_.remove_prefix(token.text.size());
  return token;
}

/// `at`: of the quote that opens. A doubled quote is one of the string.
std::size_t Tokens::StringEnd(std::size_t at, char quote, bool backslash) const {
  for (++at; at < text_.size(); ++at) {
    if (backslash && text_[at] == '\\')
      ++at;
    else if (text_[at] == quote && At(at + 1) == quote)
      ++at;
    else if (text_[at] == quote)
      return at + 1;
  }
  return text_.size();
}

/// Of $$...$$ or $tag$...$tag$ at `at`; 0: that is none.
std::size_t Tokens::DollarEnd(std::size_t at) const {
  std::size_t end = at + 1;
  if (sdk::IsDigit(At(end))) return 0;
  while (end < text_.size() && text_[end] != '$' && IsWordByte(text_[end])) ++end;
  if (At(end) != '$') return end == text_.size() && end > at + 1 ? end : 0;  // cut inside the tag: it may be one
  const std::string_view tag = text_.substr(at, end + 1 - at);
  const std::size_t close = text_.find(tag, end + 1);
  return close == std::string_view::npos ? text_.size() : close + tag.size();
}

/// 0: there is no comment at `at`.
std::size_t Tokens::CommentEnd(std::size_t at) const {
  const bool line = (At(at) == '-' && At(at + 1) == '-') || (dialect_ == Dialect::kMysql && At(at) == '#');
  if (line) return std::min(text_.find('\n', at), text_.size());
  if (At(at) != '/' || At(at + 1) != '*') return 0;
  int depth = 1;
  for (at += 2; at < text_.size(); ++at) {
    if (text_[at] == '*' && At(at + 1) == '/') {
      ++at;
      if (--depth == 0) return at + 1;
    } else if (dialect_ == Dialect::kPostgres && text_[at] == '/' && At(at + 1) == '*') {
      ++at;
      ++depth;
    }
  }
  return text_.size();
}

/// Of a number, with its sign, at `at`; 0: that is none.
std::size_t Tokens::NumberEnd(std::size_t at) const {
  std::size_t end = at;
  if (At(end) == '+' || At(end) == '-') ++end;
  if (!sdk::IsDigit(At(end)) && !(At(end) == '.' && sdk::IsDigit(At(end + 1)))) return 0;
  for (; end < text_.size(); ++end) {
    const char c = text_[end];
    const bool sign = (c == '+' || c == '-') && sdk::ToLower(text_[end - 1]) == 'e' && sdk::IsDigit(At(end + 1)) &&
                      sdk::ToLower(At(at + 1)) != 'x';
    if (!IsWordByte(c) && c != '.' && !sign) break;
  }
  return end;
}

std::size_t Tokens::WordEnd(std::size_t at) const {
  while (at < text_.size() && IsWordByte(text_[at])) ++at;
  return at;
}

/// A string or a quoted identifier; `at`: of its quote, behind a prefix such as E or X.
Token Tokens::TakeQuote(std::size_t at) {
  const char quote = text_[at];
  const bool string = quote == '\'' || (dialect_ == Dialect::kMysql && quote == '"');
  if (!string) return Take(TokenKind::kQuoted, StringEnd(at, quote, false));
  const bool backslash = dialect_ == Dialect::kMysql || (at == 1 && sdk::ToLower(text_[0]) == 'e');
  return Take(TokenKind::kLiteral, StringEnd(at, quote, backslash));
}

Token Tokens::Next() {
  if (text_.empty()) return {};
  const char c = text_[0];
  if (IsSpace(c)) {
    std::size_t end = 1;
    while (end < text_.size() && IsSpace(text_[end])) ++end;
    return Take(TokenKind::kSpace, end);
  }
  if (const std::size_t end = CommentEnd(0); end != 0) return Take(TokenKind::kComment, end);
  if (const std::size_t end = NumberEnd(0); end != 0) return Take(TokenKind::kLiteral, end);
  if (c == '\'' || c == '"' || (c == '`' && dialect_ == Dialect::kMysql)) return TakeQuote(0);
  if (c == '$' && dialect_ == Dialect::kPostgres) {
    if (sdk::IsDigit(At(1))) return Take(TokenKind::kPlaceholder, WordEnd(1));
    if (const std::size_t end = DollarEnd(0); end != 0) return Take(TokenKind::kLiteral, end);
  }
  if (c == '?' && dialect_ == Dialect::kMysql) return Take(TokenKind::kPlaceholder, 1);
  if (!IsLetter(c)) return Take(TokenKind::kOther, 1);
  const std::size_t end = WordEnd(0);
  const bool prefix = end == 1 && std::strchr("eExXbBnN", c) != nullptr;
  if (prefix && At(1) == '\'') return TakeQuote(1);
  if (end == 1 && sdk::ToLower(c) == 'u' && At(1) == '&' && At(2) == '\'') return TakeQuote(2);
  return Take(TokenKind::kWord, end);
}

Token Tokens::NextWord() {
  Token token = Next();
  while (token.kind == TokenKind::kSpace || token.kind == TokenKind::kComment) token = Next();
  return token;
}

std::size_t Sanitise(std::string_view text, Dialect dialect, char* out) {
  Tokens tokens(text, dialect);
  char* at = out;
  for (Token token = tokens.Next(); token.kind != TokenKind::kEnd; token = tokens.Next()) {
    if (token.kind == TokenKind::kComment) continue;
    const bool literal = token.kind == TokenKind::kLiteral || (token.kind == TokenKind::kWord && IsBoolean(token.text));
    const std::string_view piece = literal ? "?" : token.text;
    std::memcpy(at, piece.data(), piece.size());
    at += piece.size();
  }
  return static_cast<std::size_t>(at - out);
}

bool HasPlaceholder(std::string_view text, Dialect dialect) {
  Tokens tokens(text, dialect);
  for (Token token = tokens.Next(); token.kind != TokenKind::kEnd; token = tokens.Next()) {
    if (token.kind == TokenKind::kPlaceholder) return true;
  }
  return false;
}

}  // namespace probed::mod::sql
