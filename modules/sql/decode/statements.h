// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// A text of several statements: where each ends, and what is said of all of them as one batch.
#pragma once

#include <cstdint>
#include <string_view>

#include "modules/sql/decode/sql_text.h"

namespace probed::mod::sql {

/// Whether something but blanks and semicolons stands behind a semicolon. Most texts have none.
bool MayHaveSeveral(std::string_view text);

/// The statements of a text, one after the other, without the semicolons. Empty ones are none.
class Statements {
 public:
  Statements(std::string_view text, Dialect dialect);
  /// False: there is no more.
  bool Next(std::string_view* out);
  /// A statement that may have semicolons inside was met (the body of a procedure): what it took may be several, or
  /// part of one.
  bool unclear() const { return unclear_; }

 private:
  void Advance();
  void Judge();
  bool IsMark(char c) const { return token_.kind == TokenKind::kOther && token_.text[0] == c; }
  bool Is(const Token& token, std::string_view word) const;

  Dialect dialect_;
  Tokens tokens_;
  Token token_;
  Token first_;   // word of the statement at hand
  Token before_;  // the token in front of the one at hand
  bool unclear_ = false;
};

/// db.query.summary of a batch, all of whose statements have this summary (empty: they do not); cut between its words.
void PutBatch(std::string_view one, Summary* out);

/// db.query.summary of a text that may be a batch. Returns db.operation.batch.size; 0: it is none, or it is not known
/// how many there are.
std::uint32_t SummariseAll(std::string_view text, Dialect dialect, bool cut, Summary* out);

}  // namespace probed::mod::sql
