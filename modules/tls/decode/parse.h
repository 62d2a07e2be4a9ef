// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Handshake messages to values (RFC 5246, RFC 8446, RFC 6066, RFC 7301). `body`: the whole message behind its type and
// length. False: not the grammar. Pure: no state.
#pragma once

#include <cstdint>
#include <string_view>

#include "modules/tls/decode/types.h"

namespace probed::mod::tls {

bool ParseClientHello(std::string_view body, ClientHello* out);
bool ParseServerHello(std::string_view body, ServerHello* out);
/// The first certificate of the list, in DER; empty: there is none. Up to TLS 1.2: later ones are encrypted.
bool ParseCertificateMessage(std::string_view body, std::string_view* out);
/// The curve of an ECDHE key exchange; false: not a named one.
bool ParseNamedCurve(std::string_view body, std::uint16_t* out);

}  // namespace probed::mod::tls
