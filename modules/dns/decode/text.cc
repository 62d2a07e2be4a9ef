// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "modules/dns/decode/text.h"

#include <ldns/ldns.h>

#include <array>
#include <charconv>
#include <memory>

#include "api/sdk/endpoint.h"

namespace probed::mod::dns {
namespace {

void AppendNumber(unsigned number, int least_digits, sdk::Scratch& scratch) {
  std::array<char, 10> digits{};
  const auto end = std::to_chars(digits.begin(), digits.end(), number).ptr;
  for (auto missing = least_digits - (end - digits.begin()); missing > 0; --missing) scratch.Append('0');
  scratch.Append({digits.data(), static_cast<std::size_t>(end - digits.begin())});
}

void AppendLabel(std::string_view label, sdk::Scratch& scratch) {
  for (const char c : label) {
    const bool plain = c > ' ' && c < '\x7f';
    if (!plain || c == '.' || c == '\\') scratch.Append('\\');
    if (plain)
      scratch.Append(c);
    else
      AppendNumber(static_cast<unsigned char>(c), 3, scratch);
  }
}

}  // namespace

std::string_view NameText(std::string_view wire, sdk::Scratch& scratch) {
  scratch.Start();
  std::size_t at = 0;
  while (at < wire.size() && wire[at] != '\0') {
    const auto length = static_cast<std::uint8_t>(wire[at]);
    if (at != 0) scratch.Append('.');
    AppendLabel(wire.substr(at + 1, length), scratch);
    at += 1U + length;
  }
  if (at == 0) scratch.Append('.');
  return scratch.Finish();
}

std::string_view TypeText(std::uint16_t type, sdk::Scratch& scratch) {
  switch (type) {  // the two that nearly all are, without a search
    case LDNS_RR_TYPE_A: return "A";
    case LDNS_RR_TYPE_AAAA: return "AAAA";
    default: break;
  }
  // The library's own text of a type is built in pieces on the heap: for the rare ones only.
  const ldns_rr_descriptor* known = ldns_rr_descript(type);
  if (known != nullptr && known->_type == type && known->_name != nullptr) return known->_name;
  struct Freer {
    void operator()(char* text) const { LDNS_FREE(text); }
  };
  const std::unique_ptr<char, Freer> text(ldns_rr_type2str(static_cast<ldns_rr_type>(type)));
  scratch.Start();
  if (text != nullptr) scratch.Append(text.get());
  return scratch.Finish();
}

std::string_view ResponseCodeText(std::uint8_t rcode, sdk::Scratch& scratch) {
  const ldns_lookup_table* known = ldns_lookup_by_id(ldns_rcodes, rcode);
  if (known != nullptr) return known->name;
  scratch.Start();
  scratch.Append("RCODE");
  AppendNumber(rcode, 1, scratch);
  return scratch.Finish();
}

std::string_view AddressText(const Address& address, sdk::Scratch& scratch) {
  char text[sdk::kAddressTextRoom];
  scratch.Start();
  scratch.Append({text, sdk::WriteAddress(address.is_v6, address.bytes, text)});
  return scratch.Finish();
}

std::string_view ErrorOf(std::uint8_t rcode) {
  switch (rcode) {
    case LDNS_RCODE_NOERROR: return {};
    case LDNS_RCODE_NXDOMAIN: return "host_not_found";
    case LDNS_RCODE_SERVFAIL: return "try_again";
    default: return "no_recovery";
  }
}

}  // namespace probed::mod::dns
