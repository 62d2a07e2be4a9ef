// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "modules/sql/decode/pg_schema.h"

#include "api/sdk/text.h"
#include "modules/sql/decode/statements.h"

namespace probed::mod::sql::pg {
namespace {

constexpr std::string_view kPath = "search_path";
constexpr std::string_view kConfig = "set_config";
constexpr std::string_view kBlanks = " \t\r\n\f\v";

bool Is(const Token& token, std::string_view word) {
  return (token.kind == TokenKind::kWord || token.kind == TokenKind::kPlaceholder) &&
         sdk::EqualsIgnoreCase(token.text, word);
}
bool IsMark(const Token& token, char c) { return token.kind == TokenKind::kOther && token.text[0] == c; }

/// Whether `word`, which has an underscore at `at`, stands in the text, in letters of either case.
bool Mentions(std::string_view text, std::string_view word, std::size_t at) {
  for (std::size_t found = text.find('_'); found != std::string_view::npos; found = text.find('_', found + 1)) {
    if (found >= at && sdk::EqualsIgnoreCase(text.substr(found - at, word.size()), word)) return true;
  }
  return false;
}
bool MentionsPath(std::string_view text) { return Mentions(text, kPath, 6); }
bool MentionsConfig(std::string_view text) { return Mentions(text, kConfig, 3); }

/// Without its quotes; empty: it is none that can be taken as it stands.
std::string_view NameOf(const Token& token) {
  if (token.kind == TokenKind::kWord) return token.text;
  const std::string_view text = token.text;
  if (text.size() < 2 || text.front() != text.back() || (text.front() != '\'' && text.front() != '"')) return {};
  const std::string_view name = text.substr(1, text.size() - 2);
  return name.find(text.front()) == std::string_view::npos && name != "$user" ? name : std::string_view{};
}

/// Behind SET [SESSION | LOCAL].
PathChange OfSet(Tokens& tokens, Token name, PathStep step) {
  if (Is(name, "SCHEMA")) return {step, NameOf(tokens.NextWord())};
  const bool path = Is(name, kPath) || (name.kind == TokenKind::kQuoted && NameOf(name) == kPath);
  if (!path) return {};
  const Token to = tokens.NextWord();
  if (!Is(to, "TO") && !IsMark(to, '=')) return {PathStep::kUnknown, {}};
  const Token value = tokens.NextWord();
  if (!Is(value, "DEFAULT")) return {step, NameOf(value)};
  return {step == PathStep::kSet ? PathStep::kReset : PathStep::kUnknown, {}};
}

PathChange OfStatement(std::string_view sql) {
  Tokens tokens(sql, Dialect::kPostgres);
  const Token verb = tokens.NextWord();
  if (Is(verb, "SET")) {
    Token next = tokens.NextWord();
    const bool local = Is(next, "LOCAL");
    if (local || Is(next, "SESSION")) next = tokens.NextWord();
    return OfSet(tokens, next, local ? PathStep::kSetLocal : PathStep::kSet);
  }
  if (Is(verb, "RESET") || Is(verb, "DISCARD")) {
    const Token what = tokens.NextWord();
    const bool resets = Is(what, "ALL") || (Is(verb, "RESET") && (Is(what, kPath) || NameOf(what) == kPath));
    return {resets ? PathStep::kReset : PathStep::kNone, {}};
  }
  const bool path = MentionsPath(sql);
  if (MentionsConfig(sql)) {
    const bool other = !path && sql.find('$') == std::string_view::npos;
    return {other ? PathStep::kNone : PathStep::kUnknown, {}};
  }
  const bool harmless = Is(verb, "SELECT") || Is(verb, "SHOW") || Is(verb, "CREATE") || Is(verb, "ALTER");
  return {path && !harmless ? PathStep::kUnknown : PathStep::kNone, {}};
}

}  // namespace

PathChange PathChangeOf(std::string_view sql) {
  if (!MayHaveSeveral(sql) && !MentionsPath(sql) && !MentionsConfig(sql)) {  // most texts
    const Token verb = Tokens(sql, Dialect::kPostgres).NextWord();
    if (!Is(verb, "SET") && !Is(verb, "RESET") && !Is(verb, "DISCARD") && !IsMark(verb, ';')) return {};
  }
  Statements statements(sql, Dialect::kPostgres);
  std::string_view one;
  if (!statements.Next(&one)) return {};
  const PathChange first = OfStatement(one);
  std::string_view next;
  if (!statements.Next(&next)) return first;
  bool changes = first.step != PathStep::kNone;
  do changes = changes || OfStatement(next).step != PathStep::kNone;
  while (statements.Next(&next));
  return {changes ? PathStep::kUnknown : PathStep::kNone, {}};
}

std::string_view FirstSchema(std::string_view path) {
  const std::size_t begin = path.find_first_not_of(kBlanks);
  if (begin == std::string_view::npos) return {};
  path.remove_prefix(begin);
  if (path[0] != '"') {
    const std::string_view name = path.substr(0, path.find_first_of(", \t\r\n\f\v"));
    return name == "$user" ? std::string_view{} : name;
  }
  const std::size_t end = path.find('"', 1);
  const bool whole = end != std::string_view::npos && !path.substr(end + 1).starts_with('"');
  const std::string_view name = whole ? path.substr(1, end - 1) : std::string_view{};
  return name == "$user" ? std::string_view{} : name;
}

/// Arguments stand apart by blanks. One that has a backslash is not read.
bool PathOfOptions(std::string_view options, std::string_view* path) {
  bool known = true;
  bool follows = false;  // what -c sets
  while (!options.empty()) {
    const std::size_t begin = options.find_first_not_of(kBlanks);
    if (begin == std::string_view::npos) break;
    options.remove_prefix(begin);
    std::string_view argument = options.substr(0, options.find_first_of(kBlanks));
    options.remove_prefix(argument.size());
    const bool escaped = argument.find('\\') != std::string_view::npos;
    known = known && !(escaped && MentionsPath(argument));
    if (argument == "-c") {
      follows = true;
      continue;
    }
    const bool sets = follows || argument.starts_with("-c") || argument.starts_with("--");
    if (!follows && sets) argument.remove_prefix(2);
    follows = false;
    const std::size_t equals = argument.find('=');
    if (!sets || equals == std::string_view::npos) continue;
    const std::string_view name = argument.substr(0, equals);
    if (!sdk::EqualsIgnoreCase(name, kPath) && !sdk::EqualsIgnoreCase(name, "search-path")) continue;
    *path = argument.substr(equals + 1);
    // a list goes on behind an escaped blank: its first name ends before that all the same
    if (escaped && path->find('\\') > path->find(',')) known = true;
  }
  return known;
}

void SearchPath::All(std::string_view schema) {
  now_.Set(schema);
  commits_ = aborts_ = now_;
  rolled_back_ = false;
}

void SearchPath::Start(std::string_view schema) {
  All(schema);
  starts_ = now_;
}

void SearchPath::Report(std::string_view schema) {
  All(schema);
  reported_ = true;
}

void SearchPath::Take(const PathChange& change) {
  if (reported_) return;
  switch (change.step) {
    case PathStep::kNone: return;
    case PathStep::kSet: now_.Set(change.schema); break;
    case PathStep::kSetLocal: return now_.Set(change.schema);
    case PathStep::kReset: now_ = starts_; break;
    case PathStep::kUnknown: return All({});
  }
  commits_ = now_;
  rolled_back_ = false;
}

void SearchPath::Commit() {
  if (reported_) return;
  now_ = aborts_ = commits_;
}

void SearchPath::Rollback() {
  if (reported_) return;
  if (now_.text() == commits_.text() && now_.text() == aborts_.text()) return;
  now_.Set({});
  commits_ = now_;
  rolled_back_ = true;
}

void SearchPath::OnReady(char status) {
  constexpr char kNoTransaction = 'I';
  if (status == kNoTransaction && !reported_) {
    if (failed_ || rolled_back_) commits_ = aborts_;
    Commit();
  }
  failed_ = rolled_back_ = false;
}

void SearchPath::Forget() {
  All({});
  failed_ = reported_ = false;
}

}  // namespace probed::mod::sql::pg
