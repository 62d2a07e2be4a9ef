// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// HTTP spans and metrics of the semantic conventions 1.45, for every module that speaks HTTP: which attributes a server
// and a client span have, what is an error, what the instruments get. Knows no bytes on the wire and no version of
// HTTP.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "api/sdk/host.h"
#include "api/sdk/http/address.h"
#include "api/sdk/http/header_filter.h"
#include "api/sdk/http/settings.h"
#include "api/sdk/http/target.h"
#include "api/sdk/span_builder.h"

namespace probed::sdk::http {

/// Ids of the fixed attribute keys and instruments. [control] Made once per module instance.
struct Keys {
  explicit Keys(Host host)
      : method(host.InternKey("http.request.method")),
        method_original(host.InternKey("http.request.method_original")),
        status_code(host.InternKey("http.response.status_code")),
        route(host.InternKey("http.route")),
        url_full(host.InternKey("url.full")),
        url_path(host.InternKey("url.path")),
        url_query(host.InternKey("url.query")),
        url_scheme(host.InternKey("url.scheme")),
        url_template(host.InternKey("url.template")),
        server_address(host.InternKey("server.address")),
        server_port(host.InternKey("server.port")),
        client_address(host.InternKey("client.address")),
        peer_address(host.InternKey("network.peer.address")),
        peer_port(host.InternKey("network.peer.port")),
        protocol_version(host.InternKey("network.protocol.version")),
        user_agent(host.InternKey("user_agent.original")),
        server_duration(host.InternInstrument("http.server.request.duration")),
        client_duration(host.InternInstrument("http.client.request.duration")),
        server_request_size(host.InternInstrument("http.server.request.body.size")),
        server_response_size(host.InternInstrument("http.server.response.body.size")),
        client_request_size(host.InternInstrument("http.client.request.body.size")),
        client_response_size(host.InternInstrument("http.client.response.body.size")) {}

  std::uint32_t method, method_original, status_code, route, url_full, url_path, url_query, url_scheme, url_template,
      server_address, server_port, client_address, peer_address, peer_port, protocol_version, user_agent;
  std::uint32_t server_duration, client_duration, server_request_size, server_response_size, client_request_size,
      client_response_size;
};

/// Settings made fast. Immutable.
struct CompiledSettings {
  CompiledSettings(const Settings& settings, Host host)
      : methods(settings.known_methods),
        routes(settings.route_patterns),
        ignored(settings.ignored_paths),
        redactor(settings.sensitive_query_parameters),
        request_headers(settings.capture_request_headers),
        response_headers(settings.capture_response_headers),
        capture_bytes(static_cast<std::uint32_t>(settings.capture_bytes)) {
    for (const std::string& name : settings.capture_request_headers) {
      request_header_keys.push_back(host.InternKey("http.request.header." + name));
    }
    for (const std::string& name : settings.capture_response_headers) {
      response_header_keys.push_back(host.InternKey("http.response.header." + name));
    }
  }

  MethodTable methods;
  RouteTable routes;
  RouteTable ignored;
  QueryRedactor redactor;
  HeaderFilter request_headers;
  HeaderFilter response_headers;
  std::vector<std::uint32_t> request_header_keys;
  std::vector<std::uint32_t> response_header_keys;
  std::uint32_t capture_bytes;
};

/// What is known of one exchange. Empty views: not there.
struct Exchange {
  bool server = false;
  bool encrypted = false;  // seen on the plaintext layer of a TLS connection
  std::string_view method;
  Target target;
  bool target_known = true;    // false: what was asked for was not seen, and no attribute says anything about it
  std::string_view authority;  // Host or :authority
  ProxyHeaders proxy;
  std::string_view user_agent;
  std::string_view version;  // "1.1", "2"
  std::string_view peer_address;
  std::uint16_t peer_port = 0;
  std::string_view local_address;
  std::uint16_t local_port = 0;
  std::uint16_t status = 0;        // 0: no response
  std::string_view failure;        // error.type of a transport failure
  std::int64_t request_body = -1;  // -1: none, or not known
  std::int64_t response_body = -1;
};

/// Whether a response code makes the span an error, by the side that looks. Codes nobody can interpret are errors.
constexpr bool IsErrorStatus(bool server, std::uint16_t status) { return status >= (server ? 500 : 400); }

/// How an exchange ended; of Exchange.
struct Ending {
  std::uint16_t status = 0;
  std::string_view failure;
  std::int64_t request_body = -1;
  std::int64_t response_body = -1;
};

/// What a span is called, but for its route.
inline std::string_view SpanName(const CompiledSettings& settings, std::string_view method) {
  return settings.methods.IsKnown(method) ? method : kOtherMethodSpanName;
}

namespace detail {

inline std::string_view RouteOf(const CompiledSettings& settings, const Target& target) {
  return settings.routes.empty() ? std::string_view{} : settings.routes.Match(target.path);
}

inline void DescribeName(std::string_view name, std::string_view route, SpanBuilder& span) {
  if (route.empty()) return span.Name(name);
  Scratch& out = span.scratch();
  out.Start();
  out.Append(name);
  out.Append(' ');
  out.Append(route);
  span.Name(out.Finish());
}

inline std::string_view RedactedQuery(const CompiledSettings& settings, std::string_view query, SpanBuilder& span) {
  Scratch& out = span.scratch();
  out.Start();
  settings.redactor.Append(query, out);
  return out.Finish();
}

inline void DescribeServerTarget(const Keys& keys, const CompiledSettings& settings, const Target& target,
                                 std::string_view route, SpanBuilder& span) {
  span.String(keys.url_path, target.path);
  if (!target.query.empty()) span.String(keys.url_query, RedactedQuery(settings, target.query, span));
  if (!route.empty()) span.String(keys.route, route);
}

inline void DescribeOutcome(const Keys& keys, bool server, const Ending& ending, SpanBuilder& span) {
  if (ending.status != 0) span.Int(keys.status_code, ending.status);
  // A status that is an error says more than how its body ended: many clients close without reading it.
  if (ending.status == 0 || !IsErrorStatus(server, ending.status)) {
    if (!ending.failure.empty()) span.Error(ending.failure);
    return;
  }
  Scratch& out = span.scratch();
  out.Start();
  for (unsigned scale = 100; scale != 0; scale /= 10) out.Append(static_cast<char>('0' + ending.status / scale % 10));
  span.Error(out.Finish());
}

inline void Measure(const Keys& keys, bool server, const Ending& ending, SpanBuilder& span) {
  span.Measure(server ? keys.server_duration : keys.client_duration, span.seconds());
  if (ending.request_body >= 0) {
    span.Measure(server ? keys.server_request_size : keys.client_request_size,
                 static_cast<double>(ending.request_body));
  }
  if (ending.response_body >= 0) {
    span.Measure(server ? keys.server_response_size : keys.client_response_size,
                 static_cast<double>(ending.response_body));
  }
}

class Describer {
 public:
  Describer(const Keys& keys, const CompiledSettings& settings, const Exchange& exchange, SpanBuilder& span)
      : keys_(keys), settings_(settings), in_(exchange), span_(span), scheme_(Scheme()) {}

  /// What follows from the head without its target, and from the connection.
  void Constant() {
    Method();
    if (in_.server) {
      Server();
    } else {
      ServerAddress(Authority(), in_.peer_address, in_.peer_port);
    }
    span_.String(keys_.protocol_version, in_.version);
    if (!in_.peer_address.empty()) {
      span_.String(keys_.peer_address, in_.peer_address);
      span_.Int(keys_.peer_port, in_.peer_port);
    }
  }

  /// What each exchange has of its own: target, outcome, measurements.
  void Varying() {
    const std::string_view route = in_.target_known ? RouteOf(settings_, in_.target) : std::string_view{};
    DescribeName(SpanName(settings_, in_.method), route, span_);
    if (in_.target_known) DescribeTarget(route);
    const Ending ending{in_.status, in_.failure, in_.request_body, in_.response_body};
    DescribeOutcome(keys_, in_.server, ending, span_);
    Measure(keys_, in_.server, ending, span_);
  }

 private:
  void DescribeTarget(std::string_view route) {
    if (in_.server) return DescribeServerTarget(keys_, settings_, in_.target, route, span_);
    span_.String(keys_.url_full, FullUrl());
    if (!route.empty()) span_.String(keys_.url_template, route);
  }

  std::string_view Scheme() const {
    if (in_.server && !in_.proxy.empty()) {
      if (const std::string_view proto = OriginalProto(in_.proxy); !proto.empty()) return proto;
    }
    if (!in_.server && !in_.target.scheme.empty()) return in_.target.scheme;
    return in_.encrypted ? "https" : "http";
  }

  void Method() {
    if (settings_.methods.IsKnown(in_.method)) return span_.String(keys_.method, in_.method);
    span_.String(keys_.method, kOtherMethod);
    span_.String(keys_.method_original, in_.method);
  }

  void Server() {
    span_.String(keys_.url_scheme, scheme_);
    if (!in_.user_agent.empty()) span_.String(keys_.user_agent, in_.user_agent);
    std::string_view client = in_.peer_address;
    std::string_view authority = Authority();
    if (!in_.proxy.empty()) {
      if (const std::string_view told = OriginalClient(in_.proxy); !told.empty()) client = told;
      if (const std::string_view told = OriginalHost(in_.proxy); !told.empty()) authority = told;
    }
    if (!client.empty()) span_.String(keys_.client_address, client);
    ServerAddress(authority, in_.local_address, in_.local_port);
  }

  /// The target's own authority goes before the Host header (RFC 9112 §3.2.2).
  std::string_view Authority() const { return in_.target.authority.empty() ? in_.authority : in_.target.authority; }

  void ServerAddress(std::string_view authority, std::string_view fallback, std::uint16_t fallback_port) {
    HostPort server = SplitHostPort(authority);
    if (server.host.empty()) server = {fallback, fallback_port};
    if (server.host.empty()) return;
    if (server.port == 0) server.port = scheme_ == "https" ? 443 : 80;
    span_.String(keys_.server_address, server.host);
    span_.Int(keys_.server_port, server.port);
  }

  std::string_view FullUrl() {
    Scratch& out = span_.scratch();
    out.Start();
    const bool tunnel = in_.target.path.empty();  // CONNECT names an authority, no URL
    if (!tunnel) {
      out.Append(scheme_);
      out.Append("://");
    }
    AppendHost(out);
    if (in_.target.path != "*") out.Append(in_.target.path);
    if (!in_.target.query.empty()) {
      out.Append('?');
      settings_.redactor.Append(in_.target.query, out);
    }
    return out.Finish();
  }

  void AppendHost(Scratch& out) const {
    const std::string_view authority = Authority();
    if (!authority.empty()) return AppendAuthority(authority, out);
    const bool v6 = in_.peer_address.find(':') != std::string_view::npos;
    if (v6) out.Append('[');
    out.Append(in_.peer_address);
    if (v6) out.Append(']');
    if (in_.peer_port == 0) return;
    char digits[5];
    std::size_t at = sizeof(digits);
    for (unsigned port = in_.peer_port; port != 0; port /= 10) digits[--at] = static_cast<char>('0' + port % 10);
    out.Append(':');
    out.Append({digits + at, sizeof(digits) - at});
  }

  const Keys& keys_;
  const CompiledSettings& settings_;
  const Exchange& in_;
  SpanBuilder& span_;
  std::string_view scheme_;
};

}  // namespace detail

/// Fills the span: name, attributes, status, measurements. Start and Times of the builder come before.
inline void Describe(const Keys& keys, const CompiledSettings& settings, const Exchange& exchange, SpanBuilder& span) {
  detail::Describer describer(keys, settings, exchange, span);
  describer.Constant();
  describer.Varying();
}

/// The two halves of Describe, in this order. The first is the same for requests of one connection whose heads differ
/// in nothing but a target in origin form: it can be kept (SpanBuilder::KeepConstant).
inline void DescribeConstant(const Keys& keys, const CompiledSettings& settings, const Exchange& exchange,
                             SpanBuilder& span) {
  detail::Describer(keys, settings, exchange, span).Constant();
}
inline void DescribeVarying(const Keys& keys, const CompiledSettings& settings, const Exchange& exchange,
                            SpanBuilder& span) {
  detail::Describer(keys, settings, exchange, span).Varying();
}
/// DescribeVarying of a server, for which no Exchange has to be made. `name`: SpanName of its method.
inline void DescribeServerVarying(const Keys& keys, const CompiledSettings& settings, std::string_view name,
                                  std::string_view target, const Ending& ending, SpanBuilder& span) {
  const Target parsed = ParseTarget(target);
  const std::string_view route = detail::RouteOf(settings, parsed);
  detail::DescribeName(name, route, span);
  detail::DescribeServerTarget(keys, settings, parsed, route, span);
  detail::DescribeOutcome(keys, true, ending, span);
  detail::Measure(keys, true, ending, span);
}

}  // namespace probed::sdk::http
