// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// The module as the host sees it: hands records to the stitcher of the shard.
#include "api/sdk/module.h"

#include <memory>
#include <string_view>

#include "modules/sql/config.h"
#include "modules/sql/decode/pg_stitch.h"

namespace probed::mod::sql {
namespace {

class SqlModule {
 public:
  using Config = sql::Config;
  using StreamState = pg::Connection;

  class Shard {
   public:
    Shard(SqlModule& module, const sdk::Generations<Config>& configs, sdk::ShardHost)
        : stitcher_(module.keys_, configs) {}

    void OnSegment(sdk::Stream stream, pg::Connection& connection, const probe_segment_t& segment) {
      stitcher_.OnSegment(stream, connection, segment);
    }
    void OnGap(sdk::Stream stream, pg::Connection& connection, std::uint8_t direction, std::uint64_t offset,
               std::uint64_t length) {
      stitcher_.OnGap(stream, connection, direction, offset, length);
    }
    void OnClose(sdk::Stream stream, pg::Connection& connection, std::uint32_t reason, std::uint64_t ktime_ns) {
      stitcher_.OnClose(stream, connection, reason, ktime_ns);
    }
    std::uint32_t OldestGeneration() const { return stitcher_.OldestGeneration(); }

   private:
    pg::Stitcher stitcher_;
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
