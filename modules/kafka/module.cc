// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// The module as the host sees it: a shard is its stitcher.
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

  struct Shard : Stitcher {
    Shard(KafkaModule& module, const sdk::Generations<Config>& configs, sdk::ShardHost)
        : Stitcher(module.keys_, module.names_, configs) {}
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
