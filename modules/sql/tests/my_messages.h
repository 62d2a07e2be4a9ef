// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Packets of MySQL's protocol made by hand.
#pragma once

#include <string>
#include <string_view>

#include "modules/sql/bpf/my_classify.h"
#include "modules/sql/tests/conversations.h"

namespace probed::mod::sql::testing::my {

inline std::string L(unsigned value, std::size_t size) {
  std::string out;
  for (std::size_t i = 0; i < size; ++i) out += static_cast<char>(value >> (8 * i) & 0xffU);
  return out;
}
inline std::string Text(std::string_view text) { return L(static_cast<unsigned>(text.size()), 1) + std::string(text); }
inline std::string Packet(unsigned sequence, const std::string& body) {
  return L(static_cast<unsigned>(body.size()), 3) + L(sequence, 1) + body;
}

constexpr unsigned kCapabilities = MY_PROTOCOL_41 | MY_SHORT_PROOF | MY_WITH_DATABASE | MY_SESSION_TRACK;

inline std::string Greeting(std::string_view version = "8.0.36") {
  return Packet(0, "\x0a" + Z(version) + L(7, 4) + "saltsalt" + L(0, 1) + L(0xffff, 2) + L(45, 1) + L(2, 2) +
                       L(0xffff, 2) + L(21, 1) + std::string(10, '\0') + Z("saltsaltsalt") +
                       Z("caching_sha2_password"));
}
inline std::string Fixed(unsigned capabilities) {
  return L(capabilities, 4) + L(1 << 24, 4) + L(45, 1) + std::string(23, '\0');
}
inline std::string Login(unsigned more = 0, std::string_view database = "shop", unsigned sequence = 1) {
  return Packet(sequence, Fixed(kCapabilities | more) + Z("tester") + Text("twenty bytes of proof") + Z(database) +
                              Z("caching_sha2_password"));
}
inline std::string TlsRequest() { return Packet(1, Fixed(kCapabilities | MY_TLS)); }

inline std::string Command(unsigned command, const std::string& body = "") { return Packet(0, L(command, 1) + body); }
inline std::string Query(std::string_view sql) { return Command(MY_QUERY, std::string(sql)); }
inline std::string Prepare(std::string_view sql) { return Command(MY_STMT_PREPARE, std::string(sql)); }
inline std::string Execute(unsigned statement) {
  return Command(MY_STMT_EXECUTE, L(statement, 4) + L(0, 1) + L(1, 4) + "secret parameter");
}

inline std::string Done(unsigned sequence = 1, unsigned status = 2) {
  return Packet(sequence, L(0, 3) + L(status, 2) + L(0, 2));
}
inline std::string DoneIn(std::string_view database) {
  const std::string change = Text(database);
  return Packet(1, L(0, 3) + L(0x4002, 2) + L(0, 2) + L(0, 1) + Text(L(1, 1) + Text(change)));
}
inline std::string Failure(unsigned number, std::string_view state, unsigned sequence = 1) {
  return Packet(sequence, "\xff" + L(number, 2) + "#" + std::string(state) + "why");
}
inline std::string End(unsigned sequence, unsigned status = 2) {
  return Packet(sequence, "\xfe" + L(0, 2) + L(status, 2));
}
/// The end of rows where EOF is deprecated.
inline std::string EndOk(unsigned sequence, unsigned status = 2) {
  return Packet(sequence, "\xfe" + L(0, 2) + L(status, 2) + L(0, 2));
}
inline std::string Column(unsigned sequence) {
  return Packet(sequence, Text("def") + Text("shop") + std::string(20, 'c'));
}
inline std::string Prepared(unsigned statement) {
  return Packet(1, L(0, 1) + L(statement, 4) + L(1, 2) + L(1, 2) + L(0, 3)) + Column(2) + End(3) + Column(4) + End(5);
}

/// One column, rows, and what ends both. Sequences go on from `first`.
inline std::string Rows(std::size_t count, unsigned first = 1, unsigned status = 2, std::string_view value = "value") {
  std::string out = Packet(first, L(1, 1)) + Column(first + 1) + End(first + 2);
  for (std::size_t i = 0; i < count; ++i) out += Packet((first + 3 + static_cast<unsigned>(i)) & 0xffU, Text(value));
  return out + End((first + 3 + static_cast<unsigned>(count)) & 0xffU, status);
}

}  // namespace probed::mod::sql::testing::my
