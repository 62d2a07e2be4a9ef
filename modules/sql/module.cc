// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// The module as the host sees it: a shard is its decoder.
#include "api/sdk/module.h"

#include <cstring>
#include <memory>
#include <string_view>

#include "modules/sql/config.h"
#include "modules/sql/decode/decoder.h"

namespace probed::mod::sql {
namespace {

class SqlModule {
 public:
  using Config = sql::Config;
  using StreamState = sql::StreamState;

  struct Shard : Decoder {
    Shard(SqlModule& module, const sdk::Generations<Config>& configs, sdk::ShardHost host)
        : Decoder(module.keys_, configs, host) {}
  };

  explicit SqlModule(sdk::Host host) : keys_(host) {}

  std::unique_ptr<Config> Prepare(std::string_view json, sdk::FieldErrors& errors) {
    return PrepareConfig(json, errors);
  }

  static void KernelSettings(const Config& config, probe_kernel_settings_t* out) {
    out->capture_bytes = config.capture_bytes;
    const std::uint32_t parameters = ParameterBytes(config);
    static_assert(sizeof(parameters) <= sizeof(out->values));
    std::memcpy(out->values, &parameters, sizeof(parameters));
  }

 private:
  Keys keys_;
};

}  // namespace
}  // namespace probed::mod::sql

PROBE_MODULE(probed::mod::sql::SqlModule)
