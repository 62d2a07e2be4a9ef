// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "modules/http/decode/emit.h"

#include "api/sdk/trace_context.h"

namespace probed::mod::http {
namespace {

sdk::http::Exchange Describe(const Connection& connection, Exchange& exchange, std::string_view failure) {
  const char* bytes = exchange.bytes();
  const RequestHead& head = exchange.head;
  sdk::http::Exchange out;
  out.server = connection.role == Role::kServer;
  out.encrypted = connection.layer == PROBE_LAYER_PLAINTEXT;
  out.method = head.method.In(bytes);
  out.target = sdk::http::ParseTarget(head.target.In(bytes));
  out.authority = head.host.In(bytes);
  out.proxy = {head.forwarded.In(bytes), head.x_forwarded_for.In(bytes), head.x_forwarded_host.In(bytes),
               head.x_forwarded_proto.In(bytes)};
  out.user_agent = head.user_agent.In(bytes);
  out.version = head.minor_version == 0 ? "1.0" : "1.1";
  out.peer_address = connection.peer.address();
  out.peer_port = connection.peer.port();
  out.local_address = connection.local.address();
  out.local_port = connection.local.port();
  out.status = exchange.status;
  out.failure = failure;
  if (exchange.has_request_body && exchange.request_done) {
    out.request_body = static_cast<std::int64_t>(exchange.request_body);
  }
  if (exchange.has_response_body && failure.empty()) {
    out.response_body = static_cast<std::int64_t>(exchange.response_body);
  }
  return out;
}

}  // namespace

/// Several tracestate lines are one list. `out->state` lives until the next span is built.
void Emitter::TraceContext(const RequestHead& head, std::string_view bytes, probe_trace_context_t* out) {
  if (head.traceparents != 1 || !sdk::ParseTraceparent(head.traceparent.In(bytes.data()), out)) return;
  if (head.tracestates == 0) return;
  std::string_view state = head.tracestate[0].In(bytes.data());
  if (head.tracestates > 1) {
    sdk::Scratch& scratch = span_.scratch();
    scratch.Reset();
    scratch.Start();
    for (std::size_t i = 0; i < head.tracestates; ++i) {
      if (i != 0) scratch.Append(',');
      scratch.Append(head.tracestate[i].In(bytes.data()));
    }
    state = scratch.Finish();
  }
  if (sdk::IsTracestate(state)) out->state = sdk::ToAbi(state);
}

std::uint64_t Emitter::Begin(sdk::Stream stream, const Connection& connection, const HeadStart& start,
                             const RequestHead& head, std::string_view bytes) {
  probe_exchange_t exchange{};
  exchange.struct_size = sizeof(exchange);
  exchange.kind = connection.role == Role::kServer ? PROBE_SPAN_SERVER : PROBE_SPAN_CLIENT;
  exchange.start_ns = start.ktime_ns;
  exchange.cookie = start.cookie;
  exchange.offset = start.offset;
  exchange.end_offset = start.offset + bytes.size();
  exchange.wire_sequence = start.wire_sequence;
  exchange.layer = connection.layer;
  exchange.cause = start.cause;
  if (head.traceparents != 0) TraceContext(head, bytes, &exchange.remote);
  return stream.Begin(exchange);
}

void Emitter::HeaderArrays(const CapturedHeader* items, std::uint32_t count, const char* bytes,
                           const std::vector<std::uint32_t>& keys) {
  for (std::uint32_t index = 0; index < keys.size(); ++index) {
    const std::size_t before = span_.items();
    for (std::uint32_t i = 0; i < count; ++i) {
      if (items[i].index == index) span_.Item(items[i].value.In(bytes));
    }
    if (span_.items() != before) span_.Strings(keys[index], span_.items() - before);
  }
}

void Emitter::Headers(Exchange& exchange) {
  const sdk::http::CompiledSettings& settings = exchange.config->http;
  if (exchange.captured != 0) {
    HeaderArrays(exchange.captured_headers(), exchange.captured, exchange.bytes(), settings.request_header_keys);
  }
  if (exchange.response_captured != 0) {
    const auto* items = reinterpret_cast<const CapturedHeader*>(exchange.response_values);
    HeaderArrays(items, exchange.response_captured, exchange.response_values, settings.response_header_keys);
  }
}

void Emitter::Emit(sdk::Stream stream, const Connection& connection, Exchange& exchange, std::string_view failure) {
  span_.Start(connection.role == Role::kServer ? PROBE_SPAN_SERVER : PROBE_SPAN_CLIENT, exchange.id);
  span_.Times(exchange.start_ns, exchange.end_ns);
  sdk::http::Describe(keys_.http, exchange.config->http, Describe(connection, exchange, failure), span_);
  if (exchange.framing_conflict) span_.Bool(keys_.framing_conflict, true);
  if (exchange.head_truncated) span_.Bool(keys_.head_truncated, true);
  Headers(exchange);
  span_.Emit(stream);
}

}  // namespace probed::mod::http
