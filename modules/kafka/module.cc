// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// The module as the host sees it: hands records to the stitcher of the shard.
#include "api/sdk/module.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <string_view>

#include "modules/kafka/config.h"
#include "modules/kafka/decode/stitch.h"

namespace probed::mod::kafka {
namespace {

constexpr std::uint32_t kMostOfHost = 16384;  // of probe_kernel_settings.capture_bytes

class KafkaModule {
 public:
  using Config = kafka::Config;
  using StreamState = Connection;

  class Shard {
   public:
    Shard(KafkaModule& module, const sdk::Generations<Config>& configs, sdk::ShardHost)
        : stitcher_(module.keys_, module.names_, configs) {}

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

  explicit KafkaModule(sdk::Host host) : keys_(host) {}

  std::unique_ptr<Config> Prepare(std::string_view json, sdk::FieldErrors& errors) {
    return PrepareConfig(json, errors);
  }

  /// What is shipped of a message may be more than one record holds: the kernel program has its own limit.
  static void KernelSettings(const Config& config, probe_kernel_settings_t* out) {
    out->capture_bytes = std::min(config.capture_bytes, kMostOfHost);
    static_assert(sizeof(config.capture_bytes) <= sizeof(out->values));
    std::memcpy(out->values, &config.capture_bytes, sizeof(config.capture_bytes));
  }

 private:
  Keys keys_;
  TopicNames names_;
};

}  // namespace
}  // namespace probed::mod::kafka

PROBE_MODULE(probed::mod::kafka::KafkaModule)
