// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "modules/sql/decode/my_packets.h"

#include <algorithm>

#include "api/sdk/text.h"
#include "modules/sql/decode/sql_text.h"

namespace probed::mod::sql::my {
namespace {

constexpr unsigned kTrackedDatabase = 1;
constexpr std::size_t kMostDatabase = 64;

unsigned char At(std::string_view bytes, std::size_t at) { return static_cast<unsigned char>(bytes[at]); }

}  // namespace

unsigned Fields::Int(std::size_t size) {
  const std::string_view bytes = Bytes(size);
  unsigned value = 0;
  for (std::size_t i = bytes.size(); i-- > 0;) value = value << 8U | At(bytes, i);
  return value;
}

std::uint64_t Fields::Length() {
  const unsigned first = Int(1);
  switch (first) {
    case 0xfc: return Int(2);
    case 0xfd: return Int(3);
    case 0xfe: {
      const std::uint64_t low = Int(4);
      return low | std::uint64_t{Int(4)} << 32U;
    }
    default: return first;
  }
}

std::string_view Fields::Bytes(std::uint64_t size) {
  if (size > bytes_.size()) {
    good_ = false;
    bytes_ = {};
    return {};
  }
  const std::string_view taken = bytes_.substr(0, static_cast<std::size_t>(size));
  bytes_.remove_prefix(taken.size());
  return taken;
}

std::string_view Fields::ZeroEnded() {
  const std::size_t end = bytes_.find('\0');
  if (end == std::string_view::npos) {
    Bytes(bytes_.size() + 1);
    return {};
  }
  const std::string_view taken = Bytes(end);
  Bytes(1);
  return taken;
}

/// version 10, its name, thread (4), 8 bytes and a zero of the challenge, capabilities (2), character set (1), status
/// (2), capabilities' other half (2)
Greeting ReadGreeting(std::string_view body) {
  Fields fields(body);
  Greeting out;
  fields.Int(1);
  out.mariadb = fields.ZeroEnded().find("MariaDB") != std::string_view::npos;
  fields.Bytes(4 + 9);
  const unsigned low = fields.Int(2);
  fields.Bytes(3);
  out.capabilities = low | fields.Int(2) << 16U;
  return out;
}

/// capabilities (4), longest packet (4), character set (1), filler (19), MariaDB's capabilities (4), user, proof,
/// database
Login ReadLogin(std::string_view body) {
  Fields fields(body);
  Login out;
  out.capabilities = fields.Int(4);
  fields.Bytes(5 + 19);
  out.extended = fields.Int(4);
  fields.ZeroEnded();
  if ((out.capabilities & (MY_SHORT_PROOF | MY_LONG_PROOF)) != 0)
    fields.Text();
  else
    fields.ZeroEnded();
  if ((out.capabilities & MY_WITH_DATABASE) != 0) out.database = fields.ZeroEnded();
  return out;
}

/// rows, last number, status (2), warnings (2), and if the state changed: a message, changes
Ok ReadOk(std::string_view body) {
  Fields fields(body);
  Ok out;
  fields.Length();
  fields.Length();
  out.status = fields.Int(2);
  fields.Bytes(2);
  if ((out.status & kStateChanged) == 0) return out;
  fields.Text();
  Fields changes(fields.Text());
  while (fields.good() && changes.good() && !changes.rest().empty()) {
    const unsigned kind = changes.Int(1);
    Fields change(changes.Text());
    if (kind == kTrackedDatabase && changes.good()) out.database = change.Text();
  }
  return out;
}

unsigned StatusOf(const Packet& end) {
  if (!end.IsPlainEnd()) return ReadOk(end.body.substr(1)).status;
  Fields fields(end.body.substr(1));
  fields.Bytes(2);
  return fields.Int(2);
}

/// 0xff, number (2), '#' and the state (5), why
Error ReadError(std::string_view body) {
  Fields fields(body.substr(1));
  Error out;
  out.number = fields.Int(2);
  if (!fields.rest().starts_with('#')) return out;
  fields.Bytes(1);
  const std::string_view state = fields.Bytes(5);
  const bool good =
      std::all_of(state.begin(), state.end(), [](char c) { return sdk::IsDigit(c) || (c >= 'A' && c <= 'Z'); });
  if (good) out.state = state;
  return out;
}

/// With attributes of the query (MySQL 8): how many there are, 1, and these. A text begins with neither 0 nor 1.
bool TakeQuery(std::string_view* body) {
  if (body->empty() || At(*body, 0) > 31 || sdk::TrimBlanks(body->substr(0, 1)).empty() || (*body)[0] == '\n' ||
      (*body)[0] == '\r')
    return true;
  if (!body->starts_with(std::string_view("\0\1", 2))) return false;
  body->remove_prefix(2);
  return true;
}

std::string_view DatabaseOfUse(std::string_view sql) {
  Tokens tokens(sql, Dialect::kMysql);
  if (!sdk::EqualsIgnoreCase(tokens.NextWord().text, "USE")) return {};
  const Token name = tokens.NextWord();
  Token end = tokens.NextWord();
  if (end.kind == TokenKind::kOther && end.text == ";") end = tokens.NextWord();
  if (end.kind != TokenKind::kEnd) return {};
  std::string_view text = name.text;
  if (name.kind == TokenKind::kQuoted && text.size() > 2) text = text.substr(1, text.size() - 2);
  const bool good = (name.kind == TokenKind::kWord || name.kind == TokenKind::kQuoted) &&
                    text.size() <= kMostDatabase && text.find('`') == std::string_view::npos;
  return good ? text : std::string_view{};
}

bool MentionsUse(std::string_view sql) {
  const std::size_t end = sql.find(';');
  if (end == std::string_view::npos || sql.find_first_not_of("; \t\r\n", end) == std::string_view::npos) return false;
  Tokens tokens(sql, Dialect::kMysql);
  bool begins = true;
  for (Token token = tokens.NextWord(); token.kind != TokenKind::kEnd; token = tokens.NextWord()) {
    if (begins && sdk::EqualsIgnoreCase(token.text, "USE")) return true;
    begins = token.kind == TokenKind::kOther && token.text == ";";
  }
  return false;
}

bool LooksLikeCommand(std::string_view bytes, std::size_t total) {
  if (bytes.size() <= kHeader) return false;
  const auto* data = reinterpret_cast<const unsigned char*>(bytes.data());
  const bool known = data[4] <= MY_RESET_CONNECTION || data[4] == MY_STMT_BULK_EXECUTE;
  return data[3] == 0 && known && my_u24(data) + kHeader >= total && my_u24(data) != 0;
}

}  // namespace probed::mod::sql::my
