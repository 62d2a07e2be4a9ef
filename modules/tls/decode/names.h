// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Names of numbers on the wire, as IANA registers them. Empty: the number has no name here.
#pragma once

#include <cstdint>
#include <string_view>

namespace probed::mod::tls {

/// "TLS_AES_128_GCM_SHA256", …
std::string_view CipherName(std::uint16_t number);
/// Of key exchange: "x25519", "secp256r1", …
std::string_view GroupName(std::uint16_t number);
/// "handshake_failure", …
std::string_view AlertName(std::uint8_t number);

}  // namespace probed::mod::tls
