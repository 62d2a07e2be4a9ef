// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// The module's prepared configuration: what HTTP-like modules share, and nothing else yet.
#pragma once

#include <memory>
#include <string_view>

#include "api/sdk/config_reader.h"
#include "api/sdk/host.h"
#include "api/sdk/http/semantics.h"

namespace probed::mod::http {

/// Immutable once made.
struct Config {
  Config(const sdk::http::Settings& settings, sdk::Host host) : http(settings, host) {}
  sdk::http::CompiledSettings http;
};

/// [control] nullptr when fields are in error; `errors` then has them all.
std::unique_ptr<Config> PrepareConfig(std::string_view json, sdk::Host host, sdk::FieldErrors& errors);

}  // namespace probed::mod::http
