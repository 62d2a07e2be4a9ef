// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// The module as the host sees it: a shard is its stitcher.
#include "api/sdk/module.h"

#include <memory>
#include <string_view>
#include <vector>

#include "modules/tls/attach.h"
#include "modules/tls/config.h"
#include "modules/tls/decode/stitch.h"

namespace probed::mod::tls {
namespace {

class TlsModule {
 public:
  using Config = tls::Config;
  using StreamState = Connection;

  struct Shard : Stitcher {
    Shard(TlsModule& module, const sdk::Generations<Config>& configs, sdk::ShardHost host)
        : Stitcher(module.keys_, configs, host) {}
  };

  explicit TlsModule(sdk::Host host) : keys_(host) {}

  std::unique_ptr<Config> Prepare(std::string_view json, sdk::FieldErrors& errors) {
    return PrepareConfig(json, errors);
  }

  template <class Emit>
  probe_result_t Plan(int fd, std::string_view /*path*/, Emit emit) {
    const std::vector<probe_site_t> sites = FindSites(fd);
    for (const probe_site_t& site : sites) emit(site);
    return sites.empty() ? PROBE_UNSUPPORTED : PROBE_OK;
  }

 private:
  Keys keys_;
};

}  // namespace
}  // namespace probed::mod::tls

PROBE_MODULE(probed::mod::tls::TlsModule)
