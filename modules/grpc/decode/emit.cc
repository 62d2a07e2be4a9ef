// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "modules/grpc/decode/emit.h"

#include "api/sdk/http/address.h"
#include "api/sdk/trace_context.h"
#include "modules/grpc/decode/web_status.h"

namespace probed::mod::grpc {
namespace {

constexpr std::string_view kSystem = "grpc";
constexpr std::string_view kOtherMethod = "_OTHER";

probe_exchange_t ExchangeAt(const Connection& connection, const FrameStart& start) {
  probe_exchange_t exchange{};
  exchange.struct_size = sizeof(exchange);
  exchange.kind = connection.is_server() ? PROBE_SPAN_SERVER : PROBE_SPAN_CLIENT;
  exchange.start_ns = start.ktime_ns;
  exchange.cookie = start.cookie;
  exchange.offset = start.offset;
  exchange.end_offset = start.offset;
  exchange.layer = connection.layer;
  return exchange;
}

bool IsGrpc(Content content) {
  return content == Content::kGrpc || content == Content::kGrpcWeb || content == Content::kGrpcWebText;
}

/// Who gives up at the deadline, client or server, says CANCEL on the wire; the caller is told DEADLINE_EXCEEDED. The
/// timeout that was sent is what was left when it was written, rounded: hence the slack of a sixteenth.
bool IsPastDeadline(const Call& call, std::uint64_t now_ns) {
  const std::uint64_t timeout = call.request.timeout_ns;
  return timeout != 0 && now_ns - call.start_ns >= timeout - timeout / 16;
}

/// kNoStatus: not known.
std::int32_t StatusOf(const Call& call, const Ending& ending) {
  if (call.grpc_status != kNoStatus && ending.kind == Ending::Kind::kComplete) return call.grpc_status;
  if (ending.kind == Ending::Kind::kReset) {
    if (ending.code == kCancel && IsPastDeadline(call, ending.ktime_ns)) return kDeadlineExceeded;
    return FromReset(ending.code);
  }
  if (ending.kind != Ending::Kind::kComplete) return kNoStatus;
  const std::string_view trailers(call.web_status.data(), call.web_status_size);
  if (const std::int32_t web = WebStatus(trailers); web != kNoStatus) return web;
  const bool in_body = call.response_content == Content::kGrpcWeb || call.response_content == Content::kGrpcWebText;
  if (call.response_lossy || call.torn || in_body || call.status == 0) return kNoStatus;
  return call.status == 200 && IsGrpc(call.response_content) ? std::int32_t{kUnknown} : FromHttp(call.status);
}

/// "/package.Service/Method" without its first slash; empty: not of that form.
std::string_view MethodOf(std::string_view path) {
  if (path.size() < 4 || path.front() != '/') return {};
  path.remove_prefix(1);
  const std::size_t slash = path.rfind('/');
  return slash == std::string_view::npos || slash == 0 || slash + 1 == path.size() ? std::string_view{} : path;
}

std::string_view FailureOf(const Ending& ending) {
  switch (ending.kind) {
    case Ending::Kind::kComplete: return {};
    case Ending::Kind::kReset:
      // A client that loses interest is no error.
      return ending.by_client && (ending.code == kCancel || ending.code == kNoError) ? std::string_view{}
                                                                                     : ResetName(ending.code);
    case Ending::Kind::kRefused: return "refused_stream";
    case Ending::Kind::kClosed: return ending.failure;
  }
  return {};
}

}  // namespace

bool Emitter::IsRpc(const Connection& connection, const Call& call) const {
  if (call.request.content != Content::kUnknown) return IsGrpc(call.request.content);
  if (IsGrpc(call.response_content)) return true;
  if (!call.request.lossy) return false;
  // Only an index nobody knows: gRPC is always POST, and ends its responses with trailers.
  const std::string_view method = call.Get(kMethod);
  if ((method != "POST" && !method.empty()) || call.response_content == Content::kOther) return false;
  return call.grpc_status != kNoStatus || call.has_trailers || connection.speaks_grpc;
}

std::uint64_t Emitter::BeginUnknown(sdk::Stream stream, const Connection& connection, const FrameStart& start) {
  return stream.Begin(ExchangeAt(connection, start));
}

std::uint64_t Emitter::Begin(sdk::Stream stream, const Connection& connection, const FrameStart& start,
                             const Block& block, std::uint64_t end_offset, bool alone) {
  probe_exchange_t exchange = ExchangeAt(connection, start);
  exchange.end_offset = end_offset;
  exchange.wire_sequence = start.wire_sequence;
  // The thread that writes for several calls at once says nothing about any of them.
  if (alone) exchange.cause = start.cause;
  exchange.remote = block.fields().trace;
  if (exchange.remote.valid != 0) {
    const std::string_view state = block.text(kTraceState);
    if (!state.empty() && sdk::IsTracestate(state)) exchange.remote.state = sdk::ToAbi(state);
  }
  return stream.Begin(exchange);
}

void Emitter::HeaderArrays(const CapturedHeader* items, std::uint32_t count, const char* bytes,
                           const std::vector<std::uint32_t>& keys) {
  for (std::uint32_t index = 0; count != 0 && index < keys.size(); ++index) {
    const std::size_t before = span_.items();
    for (std::uint32_t i = 0; i < count; ++i) {
      if (items[i].index == index) span_.Item(items[i].value.In(bytes));
    }
    if (span_.items() != before) span_.Strings(keys[index], span_.items() - before);
  }
}

void Emitter::KeptArrays(const KeptHeaders& kept, const std::vector<std::uint32_t>& keys) {
  if (kept.count != 0) HeaderArrays(kept.items(), kept.count, kept.bytes(), keys);
}

void Emitter::Emit(sdk::Stream stream, const Connection& connection, const Call& call, const Ending& ending) {
  span_.Start(connection.is_server() ? PROBE_SPAN_SERVER : PROBE_SPAN_CLIENT, call.exchange);
  span_.Times(call.start_ns, call.end_ns);
  if (IsRpc(connection, call)) {
    EmitRpc(connection, call, ending);
  } else {
    EmitHttp(connection, call, ending);
  }
  if (call.cut) span_.Bool(keys_.head_truncated, true);
  span_.Emit(stream);
}

// --- RPC ----------------------------------------------------------------------------------------------------------

/// A server that answers UNIMPLEMENTED did not know the method: its name is the caller's invention then.
void Emitter::Method(const Call& call, std::int32_t status) {
  const std::string_view path = call.Get(kPath);
  if (path.empty()) {
    span_.Name(kSystem);
    return span_.Bool(keys_.method_unknown, true);
  }
  const std::string_view method = MethodOf(path);
  if (method.empty() || status == kUnimplemented) {
    span_.Name(kSystem);
    span_.String(keys_.rpc_method, kOtherMethod);
    return span_.String(keys_.rpc_method_original, method.empty() ? path : method);
  }
  span_.Name(method);
  span_.String(keys_.rpc_method, method);
}

/// The name the client used. On a server's side nothing else will do; a client at least has an address.
void Emitter::ServerAddress(const Connection& connection, const Call& call) {
  sdk::http::HostPort server = sdk::http::SplitHostPort(call.Get(kAuthority));
  if (!connection.is_server()) {
    if (server.host.empty()) server.host = connection.peer.address();
    if (server.port == 0) server.port = connection.peer.port();
  }
  if (server.host.empty()) return;
  span_.String(keys_.http.server_address, server.host);
  if (server.port != 0) span_.Int(keys_.http.server_port, server.port);
}

void Emitter::Messages(const Connection& connection, const Call& call, const Ending& ending) {
  if (!call.config->count_messages || ending.kind != Ending::Kind::kComplete || call.torn) return;
  if (call.request.content == Content::kGrpcWebText) return;  // base64
  const MessageReader& requests = call.messages[0];
  const MessageReader& responses = call.messages[1];
  const bool server = connection.is_server();
  // A call that the server ended before its client was done has a number of requests, but not a final one.
  if (requests.exact() && call.request_done) {
    span_.Int(server ? keys_.messages_received : keys_.messages_sent, requests.count());
  }
  if (responses.exact()) span_.Int(server ? keys_.messages_sent : keys_.messages_received, responses.count());
}

void Emitter::EmitRpc(const Connection& connection, const Call& call, const Ending& ending) {
  const bool server = connection.is_server();
  const std::int32_t status = StatusOf(call, ending);
  span_.String(keys_.rpc_system, kSystem);
  Method(call, status);
  if (status != kNoStatus) span_.String(keys_.rpc_status, StatusName(status));
  ServerAddress(connection, call);
  if (!connection.peer.address().empty()) {
    span_.String(keys_.http.peer_address, connection.peer.address());
    span_.Int(keys_.http.peer_port, connection.peer.port());
  }
  Messages(connection, call, ending);
  HeaderArrays(call.captured(), call.request.captured, call.text(), call.config->request_keys);
  KeptArrays(call.response_headers, call.config->response_keys);
  KeptArrays(call.response_trailers, call.config->trailer_keys);
  if (status != kNoStatus) {
    if (IsError(server, status)) span_.Error(StatusName(status));
  } else if (const std::string_view failure = FailureOf(ending); !failure.empty()) {
    span_.Error(failure);
  }
  span_.Measure(server ? keys_.server_duration : keys_.client_duration, span_.seconds());
}

// --- HTTP ---------------------------------------------------------------------------------------------------------

void Emitter::EmitHttp(const Connection& connection, const Call& call, const Ending& ending) {
  sdk::http::Exchange out{
      .server = connection.is_server(),
      .encrypted = connection.layer == PROBE_LAYER_PLAINTEXT,
      .method = call.Get(kMethod),
      .target = sdk::http::ParseTarget(call.Get(kPath)),
      .target_known = !call.Get(kPath).empty(),
      .authority = call.Get(kAuthority),
      .proxy = {call.Get(kForwarded), call.Get(kForwardedFor), call.Get(kForwardedHost), call.Get(kForwardedProto)},
      .user_agent = call.Get(kUserAgent),
      .version = "2",
      .peer_address = connection.peer.address(),
      .peer_port = connection.peer.port(),
      .local_address = connection.local.address(),
      .local_port = connection.local.port(),
      .status = call.status,
      .failure = FailureOf(ending),
  };
  if (call.request_done && call.body[0] != 0 && !call.body_unsure[0]) {
    out.request_body = static_cast<std::int64_t>(call.body[0]);
  }
  if (ending.kind == Ending::Kind::kComplete && call.body[1] != 0 && !call.body_unsure[1]) {
    out.response_body = static_cast<std::int64_t>(call.body[1]);
  }
  sdk::http::Describe(keys_.http, call.config->http, out, span_);
  HeaderArrays(call.captured(), call.request.captured, call.text(), call.config->http.request_header_keys);
  KeptArrays(call.response_headers, call.config->http.response_header_keys);
}

}  // namespace probed::mod::grpc
