// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// The module as the host sees it: a shard is its stitcher.
#include "api/sdk/module.h"

#include <memory>
#include <string_view>

#include "modules/dns/config.h"
#include "modules/dns/decode/stitch.h"

namespace probed::mod::dns {
namespace {

class DnsModule {
 public:
  using Config = dns::Config;
  using StreamState = Socket;

  struct Shard : Stitcher {
    Shard(DnsModule& module, const sdk::Generations<Config>& configs, sdk::ShardHost host)
        : Stitcher(module.keys_, configs, host) {}
  };

  explicit DnsModule(sdk::Host host) : keys_(host) {}

  std::unique_ptr<Config> Prepare(std::string_view json, sdk::FieldErrors& errors) {
    return PrepareConfig(json, errors);
  }

  static void KernelSettings(const Config& config, probe_kernel_settings_t* out) {
    out->capture_bytes = config.capture_bytes;
  }

 private:
  Keys keys_;
};

}  // namespace
}  // namespace probed::mod::dns

PROBE_MODULE(probed::mod::dns::DnsModule)
