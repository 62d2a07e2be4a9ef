// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// The module as the host sees it. Start here: rename the namespace, then fill decode/ and bpf/.
#include "api/sdk/module.h"

#include <memory>
#include <string_view>

#include "decode/stitch.h"

namespace probed::mod::ping {
namespace {

class PingModule {
 public:
  using Config = ping::Config;
  using StreamState = Connection;

  class Shard {
   public:
    Shard(PingModule& module, const sdk::Generations<Config>& configs, sdk::ShardHost)
        : stitcher_(module.keys_), configs_(configs) {}

    void OnSegment(sdk::Stream stream, Connection& connection, const probe_segment_t& segment) {
      const bool was_open = connection.exchange != 0;
      const std::uint32_t generation = connection.generation;
      stitcher_.OnSegment(stream, connection, segment, *configs_.Find(segment.generation));
      Track(was_open, generation, connection);
    }
    void OnGap(sdk::Stream stream, Connection& connection, std::uint8_t direction, std::uint64_t, std::uint64_t) {
      const bool was_open = connection.exchange != 0;
      stitcher_.OnGap(stream, connection, direction);
      Track(was_open, connection.generation, connection);
    }
    void OnClose(sdk::Stream stream, Connection& connection, std::uint32_t reason, std::uint64_t ktime_ns) {
      const bool was_open = connection.exchange != 0;
      stitcher_.OnClose(stream, connection, reason, ktime_ns);
      Track(was_open, connection.generation, connection);
    }
    std::uint32_t OldestGeneration() const { return pins_.Oldest(); }

   private:
    /// Keeps count of the configurations open exchanges need.
    void Track(bool was_open, std::uint32_t generation, const Connection& connection) {
      if (was_open) pins_.Unpin(generation);
      if (connection.exchange != 0) pins_.Pin(connection.generation);
    }

    Stitcher stitcher_;
    const sdk::Generations<Config>& configs_;
    sdk::Pins pins_;
  };

  explicit PingModule(sdk::Host host) : keys_(host) {}

  std::unique_ptr<Config> Prepare(std::string_view json, sdk::FieldErrors& errors) {
    auto config = std::make_unique<Config>();
    sdk::ConfigReader reader(json, errors);
    std::int64_t capture_bytes = config->capture_bytes;
    reader.Integer("capture_bytes", 64, 16384, &capture_bytes);
    reader.Boolean("capture_word", &config->capture_word);
    reader.Finish();
    config->capture_bytes = static_cast<std::uint32_t>(capture_bytes);
    return config;
  }

  static void KernelSettings(const Config& config, probe_kernel_settings_t* out) {
    out->capture_bytes = config.capture_bytes;
  }

 private:
  Keys keys_;
};

}  // namespace
}  // namespace probed::mod::ping

PROBE_MODULE(probed::mod::ping::PingModule)
