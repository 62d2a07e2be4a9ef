// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "modules/http/decode/emit.h"

#include "api/sdk/trace_context.h"

namespace probed::mod::http {
namespace {

sdk::http::Ending EndingOf(const Exchange& exchange, std::string_view failure) {
  const bool has_request_body = exchange.has_request_body && exchange.request_done;
  const bool has_response_body = exchange.has_response_body && failure.empty();
  return {.status = exchange.status,
          .failure = failure,
          .request_body = has_request_body ? static_cast<std::int64_t>(exchange.request_body) : -1,
          .response_body = has_response_body ? static_cast<std::int64_t>(exchange.response_body) : -1};
}

sdk::http::Exchange Describe(const Connection& connection, Exchange& exchange, std::string_view failure) {
  const char* bytes = exchange.values();
  const RequestHead& head = exchange.memo == nullptr ? exchange.head : exchange.memo->head();
  const sdk::http::Ending ending = EndingOf(exchange, failure);
  return {
      .server = connection.role == Role::kServer,
      .encrypted = connection.layer == PROBE_LAYER_PLAINTEXT,
      .method = exchange.memo == nullptr ? head.method.In(bytes) : exchange.memo->method(),
      .target = sdk::http::ParseTarget(exchange.head.target.In(exchange.bytes())),
      .authority = head.host.In(bytes),
      .proxy = {head.forwarded.In(bytes), head.x_forwarded_for.In(bytes), head.x_forwarded_host.In(bytes),
                head.x_forwarded_proto.In(bytes)},
      .user_agent = head.user_agent.In(bytes),
      .version = head.minor_version == 0 ? "1.0" : "1.1",
      .peer_address = connection.peer.address(),
      .peer_port = connection.peer.port(),
      .local_address = connection.local.address(),
      .local_port = connection.local.port(),
      .status = ending.status,
      .failure = ending.failure,
      .request_body = ending.request_body,
      .response_body = ending.response_body,
  };
}

/// Whether constant attributes are its own: other than those of one in origin form, a target may say who is asked.
bool MayHaveConstant(Exchange& exchange) { return exchange.memo != nullptr && *exchange.bytes() == '/'; }

bool HasConstant(const Connection& connection, Exchange& exchange) {
  return MayHaveConstant(exchange) && exchange.memo->constant.set != 0 &&
         exchange.memo->constant_layer == connection.layer;
}

}  // namespace

/// Several tracestate lines are one list. `out->state` lives until the next span is built.
void Emitter::TraceContext(const RequestHead& head, std::string_view bytes, const probe_trace_context_t* known,
                           probe_trace_context_t* out) {
  if (known != nullptr) {
    *out = *known;
  } else if (head.traceparents != 1 || !sdk::ParseTraceparent(head.traceparent.In(bytes.data()), out)) {
    return;
  }
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
                             const RequestHead& head, std::string_view bytes, const probe_trace_context_t* known) {
  probe_exchange_t exchange{
      .struct_size = sizeof(probe_exchange_t),
      .kind = connection.role == Role::kServer ? PROBE_SPAN_SERVER : PROBE_SPAN_CLIENT,
      .start_ns = start.ktime_ns,
      .cookie = start.cookie,
      .offset = start.offset,
      .end_offset = start.offset + bytes.size(),
      .wire_sequence = start.wire_sequence,
      .layer = connection.layer,
      .reserved = {},
      .cause = start.cause,
      .remote = {},
  };
  if (head.traceparents != 0) TraceContext(head, bytes, known, &exchange.remote);
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

/// Keeps the constant half for the next spans of a request that was remembered.
inline void Emitter::DescribeConstant(Connection& connection, Exchange& exchange,
                                      const sdk::http::Exchange& description) {
  sdk::http::DescribeConstant(keys_.http, exchange.config->http, description, span_);
  if (!MayHaveConstant(exchange)) return;
  RequestMemo* memo = exchange.memo;
  if (++connection.constant_sets == 0) ++connection.constant_sets;
  span_.KeepConstant(connection.constant_sets, &memo->constant);
  memo->constant_layer = connection.layer;
  memo->span_name = sdk::http::SpanName(exchange.config->http, memo->method());
}

/// Flattened: the description is then built in registers where it is used, not in memory first.
[[gnu::flatten]] void Emitter::Emit(sdk::Stream stream, Connection& connection, Exchange& exchange,
                                    std::string_view failure) {
  span_.Start(connection.role == Role::kServer ? PROBE_SPAN_SERVER : PROBE_SPAN_CLIENT, exchange.id);
  span_.Times(exchange.start_ns, exchange.end_ns);
  const sdk::http::CompiledSettings& settings = exchange.config->http;
  if (HasConstant(connection, exchange)) {
    span_.UseConstant(exchange.memo->constant);
    if (connection.role == Role::kServer) [[likely]] {
      sdk::http::DescribeServerVarying(keys_.http, settings, exchange.memo->span_name,
                                       exchange.head.target.In(exchange.bytes()), EndingOf(exchange, failure), span_);
    } else {
      sdk::http::DescribeVarying(keys_.http, settings, Describe(connection, exchange, failure), span_);
    }
  } else {
    const sdk::http::Exchange description = Describe(connection, exchange, failure);
    DescribeConstant(connection, exchange, description);
    sdk::http::DescribeVarying(keys_.http, settings, description, span_);
  }
  if (exchange.framing_conflict) span_.Bool(keys_.framing_conflict, true);
  if (exchange.head_truncated) span_.Bool(keys_.head_truncated, true);
  Headers(exchange);
  span_.Emit(stream);
}

}  // namespace probed::mod::http
