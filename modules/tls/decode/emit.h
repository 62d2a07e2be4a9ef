// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Handshakes to the host: begins an exchange, ends it as a span, records what is left of a certificate. What the
// attributes are is decided here.
#pragma once

#include <cstdint>
#include <string_view>

#include "api/sdk/endpoint.h"
#include "api/sdk/host.h"
#include "api/sdk/span_builder.h"
#include "modules/tls/decode/connection.h"

namespace probed::mod::tls {

/// Keys of one end's certificate.
struct CertificateKeys {
  CertificateKeys(sdk::Host host, std::string_view prefix);

  std::uint32_t subject;
  std::uint32_t issuer;
  std::uint32_t not_before;
  std::uint32_t not_after;
};

/// Attribute keys and instruments of this module, and what it has of the host.
struct Keys {
  explicit Keys(sdk::Host host);

  std::uint32_t server_address;
  std::uint32_t server_port;
  std::uint32_t client_address;
  std::uint32_t client_port;
  std::uint32_t peer_address;
  std::uint32_t peer_port;
  std::uint32_t transport;
  std::uint32_t network_type;
  std::uint32_t protocol_name;
  std::uint32_t protocol_version;
  std::uint32_t cipher;
  std::uint32_t curve;
  std::uint32_t established;
  std::uint32_t next_protocol;
  std::uint32_t resumed;
  std::uint32_t hello_retry;
  std::uint32_t plaintext_read;
  CertificateKeys server;
  CertificateKeys client;
  std::uint32_t time_to_expiry;
  sdk::HostClock clock;
  sdk::HostUnread unread;
  sdk::HostPlaintext plaintext;
};

/// One per shard. [shard]
class Emitter {
 public:
  Emitter(const Keys& keys, sdk::ShardHost host) : keys_(keys), host_(host) {}

  static std::uint64_t Begin(sdk::Stream stream, const Arrival& first);
  /// An established connection whose plaintext is not seen.
  void Unread(sdk::Stream stream) const { keys_.unread.Report(stream); }
  /// The plaintext of the connection is seen from its first byte.
  void Whole(sdk::Stream stream, const Handshake& handshake) const {
    keys_.plaintext.Whole(stream, handshake.random.view());
  }
  /// `error`: what it failed with; empty: the connection is established.
  void End(sdk::Stream stream, const Handshake& handshake, std::string_view error, std::uint64_t end_ns);
  /// A server's certificate was seen.
  void Record(sdk::Stream stream, const Handshake& handshake, const Certificate& certificate);

 private:
  std::string_view ServerAddress(const Handshake& handshake) const;
  void FindAddresses(sdk::Stream stream);
  void Name(const Handshake& handshake);
  void Addresses(sdk::Stream stream, const Handshake& handshake);
  void Agreement(const Handshake& handshake);
  void Describe(const CertificateKeys& keys, const Certificate* certificate);

  const Keys& keys_;
  sdk::ShardHost host_;
  sdk::SpanBuilder span_;
  sdk::AddressText peer_{};
  sdk::AddressText local_{};
};

}  // namespace probed::mod::tls
