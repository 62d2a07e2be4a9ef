// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// The module as the host sees it: hands records to the decoder of the shard.
#include "api/sdk/module.h"

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

  class Shard {
   public:
    Shard(SqlModule& module, const sdk::Generations<Config>& configs, sdk::ShardHost host)
        : decoder_(module.keys_, configs, host) {}

    void OnSegment(sdk::Stream stream, StreamState& state, const probe_segment_t& segment) {
      decoder_.OnSegment(stream, state, segment);
    }
    void OnGap(sdk::Stream stream, StreamState& state, std::uint8_t direction, std::uint64_t offset,
               std::uint64_t length) {
      decoder_.OnGap(stream, state, direction, offset, length);
    }
    void OnClose(sdk::Stream stream, StreamState& state, std::uint32_t reason, std::uint64_t ktime_ns) {
      decoder_.OnClose(stream, state, reason, ktime_ns);
    }
    std::uint32_t OldestGeneration() const { return decoder_.OldestGeneration(); }

   private:
    Decoder decoder_;
  };

  explicit SqlModule(sdk::Host host) : keys_(host) {}

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
}  // namespace probed::mod::sql

PROBE_MODULE(probed::mod::sql::SqlModule)
