// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// The module as the host sees it: hands records to the stitcher of the shard.
#include "api/sdk/module.h"

#include <memory>
#include <string_view>

#include "modules/grpc/bpf/h2_frames.h"
#include "modules/grpc/config.h"
#include "modules/grpc/decode/stitch.h"

namespace probed::mod::grpc {
namespace {

class GrpcModule {
 public:
  using Config = grpc::Config;
  using StreamState = Connection;

  class Shard {
   public:
    Shard(GrpcModule& module, const sdk::Generations<Config>& configs, sdk::ShardHost host)
        : stitcher_(module.keys_, configs), host_(host) {}

    void OnOpen(sdk::Stream stream, Connection& connection, const probe_open_t& open) {
      stitcher_.OnOpen(stream, connection, open);
    }
    void OnSegment(sdk::Stream stream, Connection& connection, const probe_segment_t& segment) {
      stitcher_.OnSegment(stream, connection, segment);
    }
    void OnClose(sdk::Stream stream, Connection& connection, std::uint32_t reason, std::uint64_t ktime_ns) {
      stitcher_.OnClose(stream, connection, reason, ktime_ns);
    }
    void Flush(std::uint64_t) {
      stitcher_.Flush([this](probe_stream_t* stream) { return host_.Wrap(stream); });
    }
    std::uint32_t OldestGeneration() const { return stitcher_.OldestGeneration(); }

   private:
    Stitcher stitcher_;
    sdk::ShardHost host_;
  };

  explicit GrpcModule(sdk::Host host) : host_(host), keys_(host) {}

  std::unique_ptr<Config> Prepare(std::string_view json, sdk::FieldErrors& errors) {
    return PrepareConfig(json, host_, errors);
  }

  static void KernelSettings(const Config& config, probe_kernel_settings_t* out) {
    out->capture_bytes = config.http.capture_bytes;
    out->values[0] = config.count_messages ? H2_SHIP_DATA : H2_SHIP_HEADS;
  }

 private:
  sdk::Host host_;
  Keys keys_;
};

}  // namespace
}  // namespace probed::mod::grpc

PROBE_MODULE(probed::mod::grpc::GrpcModule)
