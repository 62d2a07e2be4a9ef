// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// The summary of a statement: its operations and what they work on, in the order of the text. One walk over the tokens
// with, for each level of parentheses, whether a query stands there (EXTRACT(year FROM x) has a FROM and none).
#include <algorithm>
#include <array>
#include <cstring>
#include <initializer_list>

#include "api/sdk/text.h"
#include "modules/sql/decode/sql_text.h"

namespace probed::mod::sql {
namespace {

using Words = std::initializer_list<std::string_view>;

bool IsOneOf(std::string_view word, Words words) {
  return std::any_of(words.begin(), words.end(), [&](std::string_view w) { return sdk::EqualsIgnoreCase(word, w); });
}

/// What CREATE, ALTER and DROP work on; words in front of it say how.
bool IsObject(std::string_view word) {
  return IsOneOf(
      word, {"TABLE",    "VIEW",       "INDEX",  "PROCEDURE",   "FUNCTION",   "TRIGGER", "DATABASE",   "SCHEMA",
             "SEQUENCE", "USER",       "ROLE",   "TYPE",        "EXTENSION",  "DOMAIN",  "AGGREGATE",  "COLLATION",
             "GROUP",    "LANGUAGE",   "POLICY", "PUBLICATION", "RULE",       "SERVER",  "STATISTICS", "SUBSCRIPTION",
             "SYSTEM",   "TABLESPACE", "CAST",   "OPERATOR",    "CONVERSION", "EVENT"});
}

constexpr std::size_t kMostLevels = 32;  // of parentheses; deeper ones are passed over

class Summariser {
 public:
  Summariser(std::string_view text, Dialect dialect, bool cut, Summary& out)
      : tokens_(text, dialect), end_(text.data() + text.size()), cut_(cut), out_(out) {}

  void Run() {
    Advance();
    while (token_.kind != TokenKind::kEnd && !full_) Statement();
  }

 private:
  struct Level {
    bool query = false;   // a SELECT, UPDATE, ... stands here
    bool list = false;    // behind FROM: another target follows a comma
    bool target = false;  // a target is next
  };

  void Advance() {
    previous_ = token_;
    token_ = tokens_.NextWord();
  }
  bool Is(std::string_view word) const {
    return token_.kind == TokenKind::kWord && sdk::EqualsIgnoreCase(token_.text, word);
  }
  bool IsAny(Words words) const { return token_.kind == TokenKind::kWord && IsOneOf(token_.text, words); }
  bool IsMark(char c) const { return token_.kind == TokenKind::kOther && token_.text[0] == c; }
  bool AtEnd() const { return token_.kind == TokenKind::kEnd || IsMark(';') || full_; }

  /// Cut between tokens: behind one that does not fit nothing follows.
  void Add(std::string_view text) {
    const std::size_t blank = out_.size == 0 ? 0 : 1;
    if (full_ || (cut_ && text.data() + text.size() == end_)) return;
    if (out_.size + blank + text.size() > Summary::kMost) {
      full_ = true;
      return;
    }
    if (blank != 0) out_.bytes[out_.size++] = ' ';
    std::memcpy(out_.bytes.data() + out_.size, text.data(), text.size());
    out_.size += text.size();
  }

  /// A name with its qualifiers, as it stands in the text. Empty: there is none.
  std::string_view TakeName() {
    if (token_.kind != TokenKind::kWord && token_.kind != TokenKind::kQuoted) return {};
    const char* begin = token_.text.data();
    const char* end = begin;
    for (;;) {
      end = token_.text.data() + token_.text.size();
      Advance();
      if (!IsMark('.') || token_.text.data() != end) break;
      Advance();
      if (token_.kind != TokenKind::kWord && token_.kind != TokenKind::kQuoted) break;
    }
    return {begin, static_cast<std::size_t>(end - begin)};
  }

  void SkipStatement() {
    while (!AtEnd()) Advance();
    if (IsMark(';')) Advance();
  }

  void Statement() {
    while (IsMark(';') || IsMark('(')) Advance();
    if (token_.kind != TokenKind::kWord) return token_.kind == TokenKind::kEnd ? void() : SkipStatement();
    if (Is("EXPLAIN")) return Explain();
    if (IsAny({"CREATE", "ALTER", "DROP"})) return Definition();
    if (IsAny({"CALL", "EXEC", "EXECUTE", "COPY", "TRUNCATE"})) return WithName();
    if (IsAny({"SELECT", "INSERT", "UPDATE", "DELETE", "MERGE", "REPLACE", "WITH", "VALUES", "TABLE"})) return Query();
    Add(token_.text);
    SkipStatement();
  }

  void Explain() {
    Add(token_.text);
    Advance();
    if (IsMark('(')) {
      while (!AtEnd() && !IsMark(')')) Advance();
      if (IsMark(')')) Advance();
    }
    while (IsAny({"ANALYZE", "ANALYSE", "VERBOSE", "EXTENDED"})) Advance();
    if (!AtEnd()) Statement();
  }

  /// CREATE and the like: kind and name of the object, and nothing of its definition.
  void Definition() {
    Add(token_.text);
    Advance();
    while (!AtEnd() && token_.kind == TokenKind::kWord && !IsObject(token_.text)) Advance();
    if (token_.kind == TokenKind::kWord) {
      Add(token_.text);
      Advance();
      while (IsAny({"IF", "NOT", "EXISTS", "CONCURRENTLY", "ONLY"})) Advance();
      if (const std::string_view name = TakeName(); !name.empty() && !sdk::EqualsIgnoreCase(name, "ON")) Add(name);
    }
    SkipStatement();
  }

  void WithName() {
    const bool copy = Is("COPY");
    Add(token_.text);
    Advance();
    if (copy && IsMark('(')) return Query();
    while (IsAny({"TABLE", "ONLY"})) Advance();
    if (const std::string_view name = TakeName(); !name.empty()) Add(name);
    SkipStatement();
  }

  Level& level() { return levels_[std::min(depth_, kMostLevels - 1)]; }

  void Query() {
    depth_ = 0;
    level() = {};
    previous_ = {};
    while (!AtEnd()) Step();
    if (IsMark(';')) Advance();
  }

  void Step() {
    if (IsMark('(')) return Open();
    if (IsMark(')')) return Close();
    if (IsMark(',')) {
      level().target = level().list;
      return Advance();
    }
    if (token_.kind == TokenKind::kWord && Keyword()) return;
    if (level().target) return Target();
    Advance();
  }

  void Open() {
    level().target = false;
    ++depth_;
    if (depth_ < kMostLevels) levels_[depth_] = {};
    Advance();
  }
  void Close() {
    if (depth_ != 0) --depth_;
    Advance();
  }

  bool previous_is(Words words) const { return previous_.kind == TokenKind::kWord && IsOneOf(previous_.text, words); }
  /// Nothing of this level stands before the token at hand.
  bool begins() const {
    return previous_.kind == TokenKind::kEnd || (previous_.kind == TokenKind::kOther && previous_.text[0] == '(');
  }

  bool Keyword() {
    if (Is("SELECT")) return Operation(!previous_is({"UNION", "ALL", "INTERSECT", "EXCEPT", "DISTINCT"}), false);
    if (IsAny({"INSERT", "DELETE", "MERGE", "REPLACE"}) && (begins() || IsCteEnd())) return Operation(true, false);
    if (Is("UPDATE") && (begins() || IsCteEnd())) return Operation(true, true);
    if (!level().query) return false;
    if (Is("FROM") && !previous_is({"DISTINCT"})) return Expect(true);
    if (IsAny({"JOIN", "INTO", "USING", "STRAIGHT_JOIN"})) return Expect(level().list);
    if (level().target && IsAny({"ONLY", "LATERAL", "LOW_PRIORITY", "IGNORE"})) {
      Advance();
      return true;
    }
    if (IsAny({"WHERE", "GROUP", "ORDER", "HAVING", "LIMIT", "UNION", "INTERSECT", "EXCEPT", "SET", "RETURNING",
               "WINDOW", "FETCH", "OFFSET", "FOR", "VALUES"}))
      level().list = level().target = false;
    return false;
  }

  /// Behind the parenthesis that closes a WITH.
  bool IsCteEnd() const {
    return depth_ == 0 && previous_.kind == TokenKind::kOther && previous_.text[0] == ')' && !levels_[0].query;
  }

  bool Operation(bool named, bool target) {
    if (named) Add(token_.text);
    level() = {true, target, target};
    Advance();
    return true;
  }
  bool Expect(bool list) {
    level().target = true;
    level().list = list;
    Advance();
    return true;
  }

  /// A table. What is called like a function is none, except behind INTO, where columns follow.
  void Target() {
    const bool into = previous_is({"INTO"});
    level().target = false;
    const std::string_view name = TakeName();
    if (name.empty()) return Advance();
    if (!IsMark('(') || into) Add(name);
  }

  Tokens tokens_;
  const char* end_;
  bool cut_;
  Summary& out_;
  Token token_;
  Token previous_;
  std::array<Level, kMostLevels> levels_{};
  std::size_t depth_ = 0;
  bool full_ = false;
};

}  // namespace

void Summarise(std::string_view text, Dialect dialect, bool cut, Summary* out) {
  out->size = 0;
  Summariser(text, dialect, cut, *out).Run();
}

}  // namespace probed::mod::sql
