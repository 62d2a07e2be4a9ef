// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// X.509 certificates to what is told of them; read by OpenSSL.
#pragma once

#include <cstdint>
#include <string_view>

#include "api/sdk/span_builder.h"
#include "modules/tls/decode/types.h"

namespace probed::mod::tls {

/// False: not a certificate. Names that do not fit are empty.
bool ParseCertificate(std::string_view der, Certificate* out);

/// "2027-01-31T12:00:00.000Z", in the given memory.
std::string_view TimeText(std::int64_t seconds, sdk::Scratch& scratch);

}  // namespace probed::mod::tls
