// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// The module as the host sees it: hands records to the stitcher of the shard.
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

  class Shard {
   public:
    Shard(DnsModule& module, const sdk::Generations<Config>& configs, sdk::ShardHost host)
        : stitcher_(module.keys_, configs, host) {}

    void OnDatagram(sdk::Stream stream, Socket& socket, const probe_datagram_t& datagram) {
      stitcher_.OnDatagram(stream, socket, datagram);
    }
    void OnSegment(sdk::Stream stream, Socket& socket, const probe_segment_t& segment) {
      stitcher_.OnSegment(stream, socket, segment);
    }
    void OnGap(sdk::Stream stream, Socket& socket, std::uint8_t direction, std::uint64_t offset, std::uint64_t length) {
      stitcher_.OnGap(stream, socket, direction, offset, length);
    }
    void OnClose(sdk::Stream stream, Socket& socket, std::uint32_t reason, std::uint64_t ktime_ns) {
      stitcher_.OnClose(stream, socket, reason, ktime_ns);
    }
    void OnTick(std::uint64_t now_ns) { stitcher_.OnTick(now_ns); }
    std::uint32_t OldestGeneration() const { return stitcher_.OldestGeneration(); }

   private:
    Stitcher stitcher_;
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
