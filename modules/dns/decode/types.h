// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// What the module makes of bytes: a message with its question and the addresses it answers with. Values; nothing here
// owns memory outside itself.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace probed::mod::dns {

inline constexpr std::uint16_t kTypeIxfr = 251;
inline constexpr std::uint16_t kTypeAxfr = 252;
/// Of a whole zone: no lookup, and answered by many messages.
constexpr bool IsTransfer(std::uint16_t type) { return type == kTypeIxfr || type == kTypeAxfr; }
inline constexpr std::size_t kMaxName = 255;  // bytes of a name on the wire (RFC 1035, section 2.3.4)

/// Question of a message, its name uncompressed: labels with their lengths in front, an empty one at the end.
struct Question {
  std::array<std::uint8_t, kMaxName> name;
  std::uint8_t name_size = 0;
  std::uint16_t type = 0;
  std::uint16_t class_ = 0;

  std::string_view wire_name() const { return {reinterpret_cast<const char*>(name.data()), name_size}; }
};

/// A record, its owner like a question. LIFETIME: `data` is the message's.
struct ResourceRecord {
  Question owner;
  std::uint32_t ttl = 0;
  std::size_t data_at = 0;  // in the message
  std::string_view data;
};

/// An A or AAAA record. LIFETIME: `bytes` are the message's.
struct Address {
  bool is_v6 = false;
  const std::uint8_t* bytes = nullptr;
};

struct Message {
  static constexpr std::size_t kMaxAddresses = 32;

  std::uint16_t id = 0;
  std::uint8_t rcode = 0;
  bool is_response = false;
  bool truncated = false;   // TC: the sender had no room for all of it
  bool incomplete = false;  // the answers do not read to their end
  bool has_question = false;
  Question question;
  std::size_t address_count = 0;
  std::array<Address, kMaxAddresses> addresses;
};

}  // namespace probed::mod::dns
