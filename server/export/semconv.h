// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Versions written into everything we send.
#pragma once

#include <string_view>

namespace probed::exporter {

/// The semantic conventions all our names follow.
inline constexpr std::string_view kSchemaUrl = "https://opentelemetry.io/schemas/1.45.0";

/// User-Agent of both OTLP transports: our product first, then the token the OTLP specification asks for.
std::string_view UserAgent();

}  // namespace probed::exporter
