// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Bytes of one DNS message (RFC 1035) to values. Names are read by ldns, which follows compression pointers within
// bounds. Its whole-message parser is not used: it allocates each record: 6400 instructions for an answer of two
// addresses, where the name costs 520.
#pragma once

#include <string_view>

#include "api/sdk/parse_state.h"
#include "modules/dns/decode/types.h"

namespace probed::mod::dns {

/// kOk or kInvalid. A message whose answers are cut or garbled is kOk and `incomplete`; one whose question is, is not.
sdk::ParseState ParseMessage(std::string_view bytes, Message* out);

/// A message question by question and record by record, as many as there are: of multicast DNS (RFC 6762).
class MessageReader {
 public:
  struct Head {
    bool is_response = false;
    bool truncated = false;  // of a query: more known answers follow in other messages
    std::uint8_t rcode = 0;
    std::uint16_t questions = 0;
    std::uint16_t answers = 0;
    std::uint16_t authority = 0;
    std::uint16_t additional = 0;
    std::uint32_t records() const { return std::uint32_t{answers} + authority + additional; }
  };

  explicit MessageReader(std::string_view bytes) : bytes_(bytes) {}

  /// False: no message. First, and then what follows, in this order; false: it does not read, and nothing behind it.
  bool ReadHead(Head* out);
  bool ReadQuestion(Question* out);
  bool ReadRecord(ResourceRecord* out);
  /// Whether an NSEC record says that its owner has none of this type (RFC 6762, section 6.1).
  bool Denies(const ResourceRecord& record, std::uint16_t type) const;

 private:
  std::string_view bytes_;
  std::size_t at_ = 0;
};

}  // namespace probed::mod::dns
