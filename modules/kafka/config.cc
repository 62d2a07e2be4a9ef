// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "modules/kafka/config.h"

namespace probed::mod::kafka {

std::unique_ptr<Config> PrepareConfig(std::string_view json, sdk::FieldErrors& errors) {
  auto config = std::make_unique<Config>();
  sdk::ConfigReader reader(json, errors);
  std::int64_t capture_bytes = config->capture_bytes;
  reader.Integer("capture_bytes", 512, 131'072, &capture_bytes);
  reader.Boolean("server_spans", &config->server_spans);
  reader.Boolean("group_spans", &config->group_spans);
  reader.Boolean("cluster_spans", &config->cluster_spans);
  reader.Finish();
  config->capture_bytes = static_cast<std::uint32_t>(capture_bytes);
  return errors.empty() ? std::move(config) : nullptr;
}

}  // namespace probed::mod::kafka
