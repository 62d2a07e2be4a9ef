// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// The module's prepared configuration.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "api/sdk/config_reader.h"

namespace probed::mod::sql {

/// Immutable once made.
struct Config {
  std::uint32_t capture_bytes = 4096;  // of a statement's text
  bool query_text = true;
  bool query_parameters = false;
  bool returned_rows = false;
  bool server_spans = false;
};

/// How much of the parameters of an execution is looked at.
inline std::uint32_t ParameterBytes(const Config& config) { return config.query_parameters ? config.capture_bytes : 0; }

/// [control] nullptr when fields are in error; `errors` then has them all.
std::unique_ptr<Config> PrepareConfig(std::string_view json, sdk::FieldErrors& errors);

}  // namespace probed::mod::sql
