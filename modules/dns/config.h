// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// The module's prepared configuration.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "api/sdk/config_reader.h"

namespace probed::mod::dns {

/// Immutable once made.
struct Config {
  std::uint32_t capture_bytes = 4096;
  std::uint64_t timeout_ns = 5'000'000'000;
  bool server_spans = false;
  bool duration_metric = false;
};

/// [control] nullptr when fields are in error; `errors` then has them all.
std::unique_ptr<Config> PrepareConfig(std::string_view json, sdk::FieldErrors& errors);

}  // namespace probed::mod::dns
