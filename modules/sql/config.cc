// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "modules/sql/config.h"

namespace probed::mod::sql {

std::unique_ptr<Config> PrepareConfig(std::string_view json, sdk::FieldErrors& errors) {
  auto config = std::make_unique<Config>();
  sdk::ConfigReader reader(json, errors);
  std::int64_t capture_bytes = config->capture_bytes;
  reader.Integer("capture_bytes", 64, 16384, &capture_bytes);
  reader.Boolean("query_parameters", &config->query_parameters);
  reader.Boolean("query_text", &config->query_text);
  reader.Boolean("returned_rows", &config->returned_rows);
  reader.Boolean("server_spans", &config->server_spans);
  reader.Finish();
  config->capture_bytes = static_cast<std::uint32_t>(capture_bytes);
  return errors.empty() ? std::move(config) : nullptr;
}

}  // namespace probed::mod::sql
