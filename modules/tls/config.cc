// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "modules/tls/config.h"

namespace probed::mod::tls {

std::unique_ptr<Config> PrepareConfig(std::string_view json, sdk::FieldErrors& errors) {
  auto config = std::make_unique<Config>();
  sdk::ConfigReader reader(json, errors);
  reader.Boolean("handshake_spans", &config->handshake_spans);
  reader.Boolean("certificate_metric", &config->certificate_metric);
  reader.Finish();
  return errors.empty() ? std::move(config) : nullptr;
}

}  // namespace probed::mod::tls
