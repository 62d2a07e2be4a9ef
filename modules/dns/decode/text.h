// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Text of what is a number or bytes on the wire: names of hosts, types and response codes.
#pragma once

#include <cstdint>
#include <string_view>

#include "api/sdk/span_builder.h"
#include "modules/dns/decode/types.h"

namespace probed::mod::dns {

/// Labels joined by dots, without the last one; the root is ".". What a label may not show plainly is written \DDD or
/// \. as in zone files (RFC 1035, section 5.1). In the given memory.
std::string_view NameText(std::string_view wire, sdk::Scratch& scratch);
/// "A", "AAAA", …; "TYPE65280" for those without a name (RFC 3597).
std::string_view TypeText(std::uint16_t type, sdk::Scratch& scratch);
/// "NOERROR", "NXDOMAIN", …
std::string_view ResponseCodeText(std::uint8_t rcode, sdk::Scratch& scratch);
std::string_view AddressText(const Address& address, sdk::Scratch& scratch);
/// What getaddrinfo's family of errors calls it; empty: none.
std::string_view ErrorOf(std::uint8_t rcode);

}  // namespace probed::mod::dns
