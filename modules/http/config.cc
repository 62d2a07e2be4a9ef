// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "modules/http/config.h"

#include "api/sdk/http/settings.h"

namespace probed::mod::http {

std::unique_ptr<Config> PrepareConfig(std::string_view json, sdk::Host host, sdk::FieldErrors& errors) {
  sdk::ConfigReader reader(json, errors);
  const sdk::http::Settings settings = sdk::http::ReadSettings(reader);
  reader.Finish();
  return errors.empty() ? std::make_unique<Config>(settings, host) : nullptr;
}

}  // namespace probed::mod::http
