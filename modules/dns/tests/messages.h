// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Messages for tests, field by field.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "api/module/probe_types.h"

namespace probed::mod::dns::testing {

inline std::string U16(unsigned value) {
  return {static_cast<char>(value >> 8U & 0xffU), static_cast<char>(value & 0xffU)};
}

struct Header {
  unsigned id = 0x1234;
  unsigned flags = 0x0100;  // RD
  unsigned questions = 1;
  unsigned answers = 0;
  unsigned authority = 0;
  unsigned additional = 0;

  std::string Bytes() const {
    return U16(id) + U16(flags) + U16(questions) + U16(answers) + U16(authority) + U16(additional);
  }
};

inline constexpr unsigned kA = 1;
inline constexpr unsigned kPtr = 12;
inline constexpr unsigned kTxt = 16;
inline constexpr unsigned kAaaa = 28;
inline constexpr unsigned kInternet = 1;

inline std::string Name(std::string_view dotted) {
  std::string out;
  while (!dotted.empty()) {
    const std::string_view label = dotted.substr(0, dotted.find('.'));
    out += static_cast<char>(label.size());
    out += label;
    dotted.remove_prefix(label.size() == dotted.size() ? label.size() : label.size() + 1);
  }
  return out + '\0';
}

inline std::string QuestionBytes(std::string_view name, unsigned type) {
  return Name(name) + U16(type) + U16(kInternet);
}

/// A record whose owner is the question's name, by a pointer to it.
inline std::string Record(unsigned type, const std::string& data) {
  return std::string("\xc0\x0c", 2) + U16(type) + U16(kInternet) + std::string("\0\0\0\x3c", 4) /* ttl */ +
         U16(static_cast<unsigned>(data.size())) + data;
}

inline std::string Query(std::string_view name, unsigned type = kA, unsigned id = 0x1234) {
  return Header{.id = id}.Bytes() + QuestionBytes(name, type);
}

/// rcode 0..15, and `records` as they follow the question.
inline std::string Response(std::string_view name, unsigned type = kA, unsigned id = 0x1234, unsigned rcode = 0,
                            const std::string& records = "", unsigned count = 0) {
  return Header{.id = id, .flags = 0x8180U | rcode, .answers = count}.Bytes() + QuestionBytes(name, type) + records;
}

/// As it is on a stream: its length in front.
inline std::string Framed(const std::string& message) { return U16(static_cast<unsigned>(message.size())) + message; }

inline const std::string kAddress4 = {'\xc0', '\0', '\x02', '\x01'};  // 192.0.2.1
inline const std::string kAddress6 = std::string("\x20\x01\x0d\xb8", 4) + std::string(11, '\0') + "\x01";

inline probe_endpoint_t Peer4(std::uint8_t last = 53, std::uint16_t port = 53) {
  return {{192, 0, 2, last}, port, PROBE_FAMILY_INET, {}};
}

}  // namespace probed::mod::dns::testing
