// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "modules/tls/decode/emit.h"

#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <string>

#include "modules/tls/decode/certificate.h"
#include "modules/tls/decode/names.h"

namespace probed::mod::tls {
namespace {

constexpr double kNsPerSecond = 1e9;

/// Numeric part of the version; empty: not one that is known.
std::string_view VersionText(std::uint16_t version) {
  switch (version) {
    case kSsl30: return "3.0";
    case 0x0301: return "1.0";
    case 0x0302: return "1.1";
    case kTls12: return "1.2";
    case kTls13: return "1.3";
    default: return {};
  }
}

/// A number without a name is told as it is on the wire.
std::string_view CipherText(std::uint16_t cipher, sdk::Scratch& scratch) {
  if (const std::string_view name = CipherName(cipher); !name.empty()) return name;
  std::array<char, 4> digits{};
  const auto end = std::to_chars(digits.begin(), digits.end(), cipher, 16).ptr;
  scratch.Start();
  scratch.Append("0x");
  for (auto missing = digits.end() - end; missing > 0; --missing) scratch.Append('0');
  scratch.Append({digits.data(), static_cast<std::size_t>(end - digits.begin())});
  return scratch.Finish();
}

std::string_view LowerText(std::string_view text, sdk::Scratch& scratch) {
  scratch.Start();
  for (const char c : text) scratch.Append(c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c);
  return scratch.Finish();
}

probe_attribute_t Attribute(std::uint32_t key, std::string_view value) {
  probe_attribute_t out{};
  out.key = key;
  out.type = PROBE_ATTR_STRING;
  out.value.string = sdk::ToAbi(value);
  return out;
}

}  // namespace

CertificateKeys::CertificateKeys(sdk::Host host, std::string_view prefix)
    : subject(host.InternKey(std::string(prefix) + ".subject")),
      issuer(host.InternKey(std::string(prefix) + ".issuer")),
      not_before(host.InternKey(std::string(prefix) + ".not_before")),
      not_after(host.InternKey(std::string(prefix) + ".not_after")) {}

Keys::Keys(sdk::Host host)
    : server_address(host.InternKey("server.address")),
      server_port(host.InternKey("server.port")),
      client_address(host.InternKey("client.address")),
      client_port(host.InternKey("client.port")),
      peer_address(host.InternKey("network.peer.address")),
      peer_port(host.InternKey("network.peer.port")),
      transport(host.InternKey("network.transport")),
      network_type(host.InternKey("network.type")),
      protocol_name(host.InternKey("tls.protocol.name")),
      protocol_version(host.InternKey("tls.protocol.version")),
      cipher(host.InternKey("tls.cipher")),
      curve(host.InternKey("tls.curve")),
      established(host.InternKey("tls.established")),
      next_protocol(host.InternKey("tls.next_protocol")),
      resumed(host.InternKey("tls.resumed")),
      hello_retry(host.InternKey("probed.tls.hello_retry")),
      plaintext_read(host.InternKey("probed.tls.plaintext_read")),
      server(host, "tls.server"),
      client(host, "tls.client"),
      time_to_expiry(host.InternInstrument("probed.tls.certificate.time_to_expiry")),
      clock(host),
      unread(host),
      plaintext(host) {}

std::uint64_t Emitter::Begin(sdk::Stream stream, const Arrival& first) {
  probe_exchange_t exchange{};
  exchange.struct_size = sizeof(exchange);
  exchange.kind = PROBE_SPAN_INTERNAL;
  exchange.start_ns = first.ktime_ns;
  exchange.cookie = first.cookie;
  exchange.offset = first.offset;
  exchange.end_offset = first.offset;
  exchange.wire_sequence = first.wire_sequence;
  exchange.layer = first.layer;
  exchange.cause = first.cause;
  return stream.Begin(exchange);
}

void Emitter::End(sdk::Stream stream, const Handshake& handshake, std::string_view error, std::uint64_t end_ns) {
  FindAddresses(stream);
  span_.Start(PROBE_SPAN_INTERNAL, handshake.exchange);
  span_.Times(handshake.start_ns, end_ns);
  Name(handshake);
  Addresses(stream, handshake);
  span_.Bool(keys_.established, error.empty());
  if (handshake.answered) Agreement(handshake);
  if (handshake.hello_retry) span_.Bool(keys_.hello_retry, true);
  Describe(keys_.server, handshake.certificates[handshake.server()]);
  Describe(keys_.client, handshake.certificates[handshake.client]);
  if (error.empty()) span_.Bool(keys_.plaintext_read, handshake.bound);
  if (!error.empty()) span_.Error(error);
  span_.Emit(stream);
}

void Emitter::FindAddresses(sdk::Stream stream) {
  const probe_open_t* open = stream.Open();
  peer_.Set(open == nullptr ? probe_endpoint_t{} : open->peer);
  local_.Set(open == nullptr ? probe_endpoint_t{} : open->local);
}

/// The name the client asked for; a client that named none knows its server by the address.
std::string_view Emitter::ServerAddress(const Handshake& handshake) const {
  if (handshake.server_name.size != 0) return handshake.server_name.view();
  return handshake.is_client() ? peer_.address() : std::string_view{};
}

void Emitter::Name(const Handshake& handshake) {
  const std::string_view address = ServerAddress(handshake);
  if (!handshake.is_client()) return span_.Name("TLS server handshake");
  if (address.empty()) return span_.Name("TLS client handshake");
  span_.scratch().Start();
  span_.scratch().Append("TLS client handshake ");
  span_.scratch().Append(address);
  span_.Name(span_.scratch().Finish());
}

void Emitter::Addresses(sdk::Stream stream, const Handshake& handshake) {
  const probe_open_t* open = stream.Open();
  const sdk::AddressText& server = handshake.is_client() ? peer_ : local_;
  if (const std::string_view address = ServerAddress(handshake); !address.empty())
    span_.String(keys_.server_address, address);
  if (server.port() != 0) span_.Int(keys_.server_port, server.port());
  if (open != nullptr) span_.String(keys_.transport, open->transport == IPPROTO_TCP ? "tcp" : "unix");
  if (peer_.address().empty()) return;
  if (!handshake.is_client()) {
    span_.String(keys_.client_address, peer_.address());
    span_.Int(keys_.client_port, peer_.port());
  }
  span_.String(keys_.peer_address, peer_.address());
  span_.Int(keys_.peer_port, peer_.port());
  span_.String(keys_.network_type, peer_.address().find(':') == std::string_view::npos ? "ipv4" : "ipv6");
}

/// What a ServerHello said.
void Emitter::Agreement(const Handshake& handshake) {
  if (const std::string_view version = VersionText(handshake.version); !version.empty()) {
    span_.String(keys_.protocol_name, handshake.version == kSsl30 ? "ssl" : "tls");
    span_.String(keys_.protocol_version, version);
  }
  span_.String(keys_.cipher, CipherText(handshake.cipher, span_.scratch()));
  if (const std::string_view curve = GroupName(handshake.group); !curve.empty()) span_.String(keys_.curve, curve);
  if (handshake.protocol.size != 0)
    span_.String(keys_.next_protocol, LowerText(handshake.protocol.view(), span_.scratch()));
  span_.Bool(keys_.resumed, handshake.resumed);
}

void Emitter::Describe(const CertificateKeys& keys, const Certificate* certificate) {
  if (certificate == nullptr) return;
  if (certificate->subject.size != 0) span_.String(keys.subject, certificate->subject.view());
  if (certificate->issuer.size != 0) span_.String(keys.issuer, certificate->issuer.view());
  span_.String(keys.not_before, TimeText(certificate->not_before, span_.scratch()));
  span_.String(keys.not_after, TimeText(certificate->not_after, span_.scratch()));
}

void Emitter::Record(sdk::Stream stream, const Handshake& handshake, const Certificate& certificate) {
  const probe_open_t* open = stream.Open();
  if (!keys_.clock.known() || open == nullptr) return;
  FindAddresses(stream);
  std::array<probe_attribute_t, 4> attributes{};
  std::uint32_t count = 0;
  if (const std::string_view address = ServerAddress(handshake); !address.empty())
    attributes[count++] = Attribute(keys_.server_address, address);
  if (certificate.subject.size != 0) attributes[count++] = Attribute(keys_.server.subject, certificate.subject.view());
  if (certificate.issuer.size != 0) attributes[count++] = Attribute(keys_.server.issuer, certificate.issuer.view());
  attributes[count].key = keys_.server_port;
  attributes[count].type = PROBE_ATTR_INT;
  attributes[count++].value.integer = handshake.is_client() ? open->peer.port : open->local.port;
  probe_metric_point_t point{};
  point.struct_size = sizeof(point);
  point.instrument = keys_.time_to_expiry;
  point.value = static_cast<double>(certificate.not_after) - static_cast<double>(keys_.clock.UtcNs()) / kNsPerSecond;
  point.tgid = open->tgid;
  point.attributes = attributes.data();
  point.attribute_count = count;
  host_.EmitMetric(point);
}

}  // namespace probed::mod::tls
