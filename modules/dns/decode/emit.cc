// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "modules/dns/decode/emit.h"

#include <ldns/ldns.h>
#include <netinet/in.h>

#include <algorithm>

#include "modules/dns/decode/text.h"

namespace probed::mod::dns {
namespace {

std::string_view NetworkType(const probe_endpoint_t& peer, std::string_view text) {
  if (peer.family == PROBE_FAMILY_NONE) return {};
  return text.find(':') == std::string_view::npos ? "ipv4" : "ipv6";
}

std::string_view Transport(const Lookup& lookup, const probe_open_t* open) {
  if (!lookup.over_stream) return "udp";
  if (open == nullptr) return {};
  return open->transport == IPPROTO_TCP ? "tcp" : "unix";
}

bool IsWildcard(const probe_endpoint_t& endpoint) {
  return std::all_of(std::begin(endpoint.address), std::end(endpoint.address), [](std::uint8_t b) { return b == 0; });
}

/// Of services too there are PTR records.
bool IsReverse(const Lookup& lookup) {
  constexpr std::string_view kZone("\4arpa\0", 6);
  const std::string_view name = lookup.wire_name();
  const auto same = [](char a, char b) { return a == (b >= 'A' && b <= 'Z' ? b + ('a' - 'A') : b); };
  return lookup.type == LDNS_RR_TYPE_PTR && name.size() >= kZone.size() &&
         std::equal(kZone.begin(), kZone.end(), name.end() - kZone.size(), same);
}

std::string_view SpanName(const Lookup& lookup, std::string_view question, sdk::Scratch& scratch) {
  scratch.Start();
  scratch.Append(IsReverse(lookup) ? "DNS reverse lookup " : "DNS lookup ");
  scratch.Append(question);
  return scratch.Finish();
}

}  // namespace

Keys::Keys(sdk::Host host)
    : question_name(host.InternKey("dns.question.name")),
      answers(host.InternKey("dns.answers")),
      server_address(host.InternKey("server.address")),
      server_port(host.InternKey("server.port")),
      client_address(host.InternKey("client.address")),
      client_port(host.InternKey("client.port")),
      peer_address(host.InternKey("network.peer.address")),
      peer_port(host.InternKey("network.peer.port")),
      transport(host.InternKey("network.transport")),
      network_type(host.InternKey("network.type")),
      question_type(host.InternKey("probed.dns.question.type")),
      response_code(host.InternKey("probed.dns.response_code")),
      truncated(host.InternKey("probed.dns.truncated")),
      retransmissions(host.InternKey("probed.dns.retransmissions")),
      duration(host.InternInstrument("dns.lookup.duration")) {}

std::uint64_t Emitter::Begin(sdk::Stream stream, probe_span_kind kind, const sdk::Arrival& query,
                             std::uint64_t start_ns) {
  probe_exchange_t exchange = sdk::ExchangeOf(kind, query);
  exchange.start_ns = start_ns;
  return stream.Begin(exchange);
}

void Emitter::Emit(sdk::Stream stream, const Lookup& lookup, const Message& response, std::uint64_t end_ns,
                   const probe_endpoint_t* sender) {
  Start(stream, lookup, end_ns, sender == nullptr ? lookup.peer : *sender);
  Answers(response);
  span_.String(keys_.response_code, ResponseCodeText(response.rcode, span_.scratch()));
  if (response.truncated) span_.Bool(keys_.truncated, true);
  if (const std::string_view error = ErrorOf(response.rcode); !error.empty()) span_.Error(error);
  Finish(stream, lookup);
}

void Emitter::EmitFailure(sdk::Stream stream, const Lookup& lookup, std::string_view error, std::uint64_t end_ns) {
  Start(stream, lookup, end_ns, lookup.peer);
  span_.Error(error);
  Finish(stream, lookup);
}

void Emitter::Start(sdk::Stream stream, const Lookup& lookup, std::uint64_t end_ns, const probe_endpoint_t& sender) {
  span_.Start(lookup.kind, lookup.exchange);
  span_.Times(lookup.start_ns, end_ns);
  const std::string_view question = NameText(lookup.wire_name(), span_.scratch());
  span_.Name(SpanName(lookup, question, span_.scratch()));
  span_.String(keys_.question_name, question);
  span_.String(keys_.question_type, TypeText(lookup.type, span_.scratch()));
  Addresses(stream, lookup, sender);
  if (lookup.retransmissions != 0) span_.Int(keys_.retransmissions, lookup.retransmissions);
}

void Emitter::Addresses(sdk::Stream stream, const Lookup& lookup, const probe_endpoint_t& sender) {
  const probe_open_t* open = stream.Open();
  if (const std::string_view transport = Transport(lookup, open); !transport.empty())
    span_.String(keys_.transport, transport);
  peer_.Set(lookup.peer);
  const bool is_server = lookup.kind == PROBE_SPAN_SERVER;
  if (is_server && open != nullptr && open->local.port != 0) {
    local_.Set(open->local);
    if (!IsWildcard(open->local)) span_.String(keys_.server_address, local_.address());
    span_.Int(keys_.server_port, local_.port());
  }
  if (peer_.address().empty()) return;
  span_.String(is_server ? keys_.client_address : keys_.server_address, peer_.address());
  span_.Int(is_server ? keys_.client_port : keys_.server_port, peer_.port());
  if (&sender != &lookup.peer) local_.Set(sender);  // a client's own address is not told
  const sdk::AddressText& peer = &sender != &lookup.peer ? local_ : peer_;
  if (peer.address().empty()) return;
  span_.String(keys_.peer_address, peer.address());
  span_.Int(keys_.peer_port, peer.port());
  span_.String(keys_.network_type, NetworkType(sender, peer.address()));
}

void Emitter::Answers(const Message& response) {
  for (std::size_t i = 0; i < response.address_count; ++i)
    span_.Item(AddressText(response.addresses[i], span_.scratch()));
  if (response.address_count != 0) span_.Strings(keys_.answers, response.address_count);
}

void Emitter::Finish(sdk::Stream stream, const Lookup& lookup) {
  if (lookup.config->duration_metric) span_.Measure(keys_.duration, span_.seconds());
  span_.Emit(stream);
}

}  // namespace probed::mod::dns
