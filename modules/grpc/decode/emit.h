// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Calls to the host: begins an exchange from a request, ends it as an RPC span or, where it was no gRPC, as an HTTP
// span (api/sdk/http/semantics.h). RPC attributes are those of the semantic conventions 1.45.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "api/sdk/host.h"
#include "api/sdk/http/semantics.h"
#include "api/sdk/span_builder.h"
#include "modules/grpc/decode/connection.h"

namespace probed::mod::grpc {

/// Attribute keys of this module, beside those of the HTTP semantics.
struct Keys {
  explicit Keys(sdk::Host host)
      : http(host),
        rpc_system(host.InternKey("rpc.system.name")),
        rpc_method(host.InternKey("rpc.method")),
        rpc_method_original(host.InternKey("rpc.method_original")),
        rpc_status(host.InternKey("rpc.status_code")),
        method_unknown(host.InternKey("probed.rpc.method_unknown")),
        messages_sent(host.InternKey("probed.rpc.messages.sent")),
        messages_received(host.InternKey("probed.rpc.messages.received")),
        head_truncated(host.InternKey("probed.http.head_truncated")),
        server_duration(host.InternInstrument("rpc.server.call.duration")),
        client_duration(host.InternInstrument("rpc.client.call.duration")) {}

  sdk::http::Keys http;
  std::uint32_t rpc_system, rpc_method, rpc_method_original, rpc_status, method_unknown, messages_sent,
      messages_received, head_truncated;
  std::uint32_t server_duration, client_duration;
};

/// How a call ended.
struct Ending {
  enum class Kind : std::uint8_t {
    kComplete,  // END_STREAM of the response
    kReset,     // RST_STREAM with `code`
    kRefused,   // GOAWAY: the server has not looked at it
    kClosed,    // the connection ended; `failure` says how
  };
  Kind kind = Kind::kComplete;
  bool by_client = false;  // who reset it
  std::uint32_t code = 0;
  std::uint64_t ktime_ns = 0;
  std::string_view failure{};
};

/// One per shard. [shard]
class Emitter {
 public:
  explicit Emitter(const Keys& keys) : keys_(keys) {}

  /// Opens an exchange for the request whose block is at hand. `alone`: no other request of the connection is open.
  /// Returns its id.
  std::uint64_t Begin(sdk::Stream stream, const Connection& connection, const FrameStart& start, const Block& block,
                      std::uint64_t end_offset, bool alone);
  /// The same for one of which only its end is known.
  std::uint64_t BeginUnknown(sdk::Stream stream, const Connection& connection, const FrameStart& start);

  void Emit(sdk::Stream stream, const Connection& connection, const Call& call, const Ending& ending);
  /// Whether the call was gRPC, as far as its headers are known.
  bool IsRpc(const Connection& connection, const Call& call) const;

 private:
  void EmitRpc(const Connection& connection, const Call& call, const Ending& ending);
  void EmitHttp(const Connection& connection, const Call& call, const Ending& ending);
  void Method(const Call& call, std::int32_t status);
  void ServerAddress(const Connection& connection, const Call& call);
  void Messages(const Connection& connection, const Call& call, const Ending& ending);
  void HeaderArrays(const CapturedHeader* items, std::uint32_t count, const char* bytes,
                    const std::vector<std::uint32_t>& keys);
  void KeptArrays(const KeptHeaders& kept, const std::vector<std::uint32_t>& keys);

  const Keys& keys_;
  sdk::SpanBuilder span_;
};

}  // namespace probed::mod::grpc
