// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// The module as the host sees it: hands records to the stitcher of the shard.
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

  class Shard {
   public:
    Shard(TlsModule& module, const sdk::Generations<Config>& configs, sdk::ShardHost host)
        : stitcher_(module.keys_, configs, host) {}

    void OnSegment(sdk::Stream stream, Connection& connection, const probe_segment_t& segment) {
      stitcher_.OnSegment(stream, connection, segment);
    }
    void OnGap(sdk::Stream stream, Connection& connection, std::uint8_t direction, std::uint64_t offset,
               std::uint64_t length) {
      stitcher_.OnGap(stream, connection, direction, offset, length);
    }
    void OnClose(sdk::Stream stream, Connection& connection, std::uint32_t reason, std::uint64_t ktime_ns) {
      stitcher_.OnClose(stream, connection, reason, ktime_ns);
    }
    std::uint32_t OldestGeneration() const { return stitcher_.OldestGeneration(); }

   private:
    Stitcher stitcher_;
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
