// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// The module's prepared configuration.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "api/sdk/config_reader.h"

namespace probed::mod::kafka {

/// Immutable once made.
struct Config {
  std::uint32_t capture_bytes = 16384;
  bool server_spans = false;
  bool group_spans = false;
  bool cluster_spans = false;
};

/// [control] nullptr when fields are in error; `errors` then has them all.
std::unique_ptr<Config> PrepareConfig(std::string_view json, sdk::FieldErrors& errors);

}  // namespace probed::mod::kafka
