// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Recorded conversations (one file each: a line per read of a proxy, "> " what the client sent, "< " what the server
// did, bytes that are no text as \xNN, "-" the end of a connection), and messages made by hand.
#pragma once

#include <cstdint>
#include <fstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "api/sdk/testing/drive.h"

namespace probed::mod::sql::testing {

inline std::string Unescaped(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\') {
      out += text[i];
    } else if (text.at(i + 1) == '\\') {
      out += text[++i];
    } else {
      out += static_cast<char>(std::stoi(std::string(text.substr(i + 2, 2)), nullptr, 16));
      i += 3;
    }
  }
  return out;
}

using Steps = std::vector<sdk::testing::Step>;

/// The connections of a file, as the side sees them whose lines begin with `sent`.
inline std::vector<Steps> Conversation(const std::string& name, char sent = '>') {
  std::ifstream file(PROBED_SQL_CONVERSATIONS + name + ".txt");
  if (!file) throw std::runtime_error("no conversation " + name);
  std::vector<Steps> out(1);
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line[0] == '#') continue;
    if (line[0] == '-') {
      out.emplace_back();
      continue;
    }
    out.back().push_back({static_cast<std::uint8_t>(line[0] == sent ? PROBE_SENT : PROBE_RECEIVED),
                          Unescaped(std::string_view(line).substr(2))});
  }
  if (out.back().empty()) out.pop_back();
  return out;
}

inline std::string U16(unsigned value) { return {static_cast<char>(value >> 8U), static_cast<char>(value & 0xffU)}; }
inline std::string U32(unsigned value) { return U16(value >> 16U) + U16(value & 0xffffU); }
inline std::string Z(std::string_view text) { return std::string(text) + '\0'; }
inline std::string Typed(char type, const std::string& body) {
  return type + U32(static_cast<unsigned>(body.size() + 4)) + body;
}

// What a client sends.
inline std::string Startup(std::string_view database = "shop") {
  const std::string body = U32(0x00030000) + Z("user") + Z("tester") + Z("database") + Z(database) + Z("");
  return U32(static_cast<unsigned>(body.size() + 4)) + body;
}
inline std::string SslRequest() { return U32(8) + U32(0x04d2162f); }
inline std::string CancelRequest() { return U32(16) + U32(0x04d2162e) + U32(1) + U32(2); }
inline std::string Query(std::string_view sql) { return Typed('Q', Z(sql)); }
inline std::string Parse(std::string_view name, std::string_view sql) { return Typed('P', Z(name) + Z(sql) + U16(0)); }
inline std::string Bind(std::string_view portal, std::string_view name, const std::string& value = "7") {
  return Typed('B', Z(portal) + Z(name) + U16(0) + U16(1) + U32(static_cast<unsigned>(value.size())) + value + U16(0));
}
inline std::string Describe(char what, std::string_view name) { return Typed('D', what + Z(name)); }
inline std::string Execute(std::string_view portal = "", unsigned rows = 0) {
  return Typed('E', Z(portal) + U32(rows));
}
inline std::string CloseStatement(std::string_view name) { return Typed('C', "S" + Z(name)); }
inline std::string Sync() { return Typed('S', ""); }
inline std::string Flush() { return Typed('H', ""); }
inline std::string Terminate() { return Typed('X', ""); }

// What a server answers.
inline std::string Ready(char state = 'I') { return Typed('Z', std::string(1, state)); }
inline std::string Welcome() { return Typed('R', U32(0)) + Typed('S', Z("server_version") + Z("15.0")) + Ready(); }
inline std::string ParseDone() { return Typed('1', ""); }
inline std::string BindDone() { return Typed('2', ""); }
inline std::string CloseDone() { return Typed('3', ""); }
inline std::string Columns() { return Typed('T', U16(1) + Z("title") + std::string(18, '\1')); }
inline std::string Row(std::string_view value = "value") {
  return Typed('D', U16(1) + U32(static_cast<unsigned>(value.size())) + std::string(value));
}
inline std::string Complete(std::string_view tag) { return Typed('C', Z(tag)); }
inline std::string Suspended() { return Typed('s', ""); }
inline std::string Failure(std::string_view code) {
  return Typed('E', "S" + Z("ERROR") + "V" + Z("ERROR") + "C" + Z(code) + "M" + Z("why") + Z(""));
}
inline std::string Notice(std::string_view code) {
  return Typed('N', "S" + Z("WARNING") + "V" + Z("WARNING") + "C" + Z(code) + "M" + Z("why") + Z(""));
}

}  // namespace probed::mod::sql::testing
