// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// The module's prepared configuration: what HTTP-like modules share, and what only RPC has.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "api/sdk/config_reader.h"
#include "api/sdk/host.h"
#include "api/sdk/http/semantics.h"

namespace probed::mod::grpc {

/// Immutable once made.
struct Config {
  Config(const sdk::http::Settings& settings, const std::vector<std::string>& trailer_names, bool messages,
         sdk::Host host);

  sdk::http::CompiledSettings http;
  sdk::http::HeaderFilter trailers;
  std::vector<std::uint32_t> request_keys;   // rpc.request.header.<name>, in the order of the names
  std::vector<std::uint32_t> response_keys;  // rpc.response.header.<name>
  std::vector<std::uint32_t> trailer_keys;   // rpc.response.trailer.<name>
  bool count_messages;
};

/// [control] nullptr when fields are in error; `errors` then has them all.
std::unique_ptr<Config> PrepareConfig(std::string_view json, sdk::Host host, sdk::FieldErrors& errors);

}  // namespace probed::mod::grpc
