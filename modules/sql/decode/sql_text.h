// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// What may be said of an SQL text: the text with its literals replaced, and its summary (operations and targets). Both
// by looking at tokens: no grammar, so nothing is refused, and a text that was cut is no special case.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace probed::mod::sql {

enum class Dialect : std::uint8_t {
  kPostgres,  // "identifier", $$string$$, E'\'' and nested comments
  kMysql,     // `identifier`, "string", '\'' and # comments
};

enum class TokenKind : std::uint8_t { kSpace, kComment, kLiteral, kWord, kQuoted, kPlaceholder, kOther, kEnd };

struct Token {
  TokenKind kind = TokenKind::kEnd;
  std::string_view text;
};

/// Cuts a text into tokens: all of its bytes come out again, in their order.
class Tokens {
 public:
  Tokens(std::string_view text, Dialect dialect) : text_(text), dialect_(dialect) {}
  Token Next();
  /// The next one that is neither blank nor comment.
  Token NextWord();

 private:
  Token Take(TokenKind kind, std::size_t end);
  std::size_t StringEnd(std::size_t at, char quote, bool backslash) const;
  std::size_t DollarEnd(std::size_t at) const;
  std::size_t CommentEnd(std::size_t at) const;
  std::size_t NumberEnd(std::size_t at) const;
  std::size_t WordEnd(std::size_t at) const;
  char At(std::size_t at) const { return at < text_.size() ? text_[at] : '\0'; }
  Token TakeQuote(std::size_t at);

  std::string_view text_;
  Dialect dialect_;
};

/// `text` with every literal as `?` and without comments. `out` has room for text.size() bytes; returns how many it
/// took.
std::size_t Sanitise(std::string_view text, Dialect dialect, char* out);

/// Whether values of the statement come apart from it: $1 (MySQL: ?).
bool HasPlaceholder(std::string_view text, Dialect dialect);

struct Summary {
  static constexpr std::size_t kMost = 255;
  std::array<char, kMost> bytes;
  std::size_t size = 0;

  std::string_view text() const { return {bytes.data(), size}; }
};

/// db.query.summary. `cut`: the text goes on behind its end, so what touches the end may be half a name.
void Summarise(std::string_view text, Dialect dialect, bool cut, Summary* out);

}  // namespace probed::mod::sql
