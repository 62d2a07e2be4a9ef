// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "modules/dns/config.h"

namespace probed::mod::dns {
namespace {

constexpr std::int64_t kNsPerMs = 1'000'000;

}  // namespace

std::unique_ptr<Config> PrepareConfig(std::string_view json, sdk::FieldErrors& errors) {
  auto config = std::make_unique<Config>();
  sdk::ConfigReader reader(json, errors);
  std::int64_t capture_bytes = config->capture_bytes;
  std::int64_t timeout_ms = static_cast<std::int64_t>(config->timeout_ns) / kNsPerMs;
  reader.Integer("capture_bytes", 512, 16384, &capture_bytes);
  reader.Integer("timeout", 10, 600'000, &timeout_ms);
  reader.Boolean("server_spans", &config->server_spans);
  reader.Boolean("duration_metric", &config->duration_metric);
  reader.Finish();
  config->capture_bytes = static_cast<std::uint32_t>(capture_bytes);
  config->timeout_ns = static_cast<std::uint64_t>(timeout_ms * kNsPerMs);
  return errors.empty() ? std::move(config) : nullptr;
}

}  // namespace probed::mod::dns
