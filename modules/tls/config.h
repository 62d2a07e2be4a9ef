// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// The module's prepared configuration.
#pragma once

#include <memory>
#include <string_view>

#include "api/sdk/config_reader.h"

namespace probed::mod::tls {

/// Immutable once made.
struct Config {
  bool handshake_spans = true;
  bool certificate_metric = true;
};

/// [control] nullptr when fields are in error; `errors` then has them all.
std::unique_ptr<Config> PrepareConfig(std::string_view json, sdk::FieldErrors& errors);

}  // namespace probed::mod::tls
