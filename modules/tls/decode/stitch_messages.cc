// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// The course of a handshake. It begins with the ClientHello and ends when both ends have finished: up to TLS 1.2 that
// is the second Finished, in TLS 1.3 the first encrypted record of the client behind the ServerHello. There, all that
// tells an alert from a Finished is that it is shorter.
#include <algorithm>
#include <cstring>

#include "api/sdk/close_failure.h"
#include "modules/tls/decode/certificate.h"
#include "modules/tls/decode/names.h"
#include "modules/tls/decode/parse.h"
#include "modules/tls/decode/stitch.h"

namespace probed::mod::tls {
namespace {

constexpr std::uint8_t kFatal = 2;
constexpr std::uint8_t kCloseNotify = 0;
constexpr std::string_view kEncryptedAlert = "encrypted_alert";
constexpr std::uint8_t kUserCanceled = 90;
/// An alert of TLS 1.3 is 2 bytes, its content type and a tag of at most 16; a client's Finished no less than 45, the
/// empty Certificate that may stand before it 17 and a tag.
constexpr std::uint16_t kMostEncryptedAlert = 19;
constexpr std::uint16_t kShortAlert = 11;  // with the tag of 8 of AES_128_CCM_8

bool IsAlert(std::uint16_t length) { return length == kMostEncryptedAlert || length == kShortAlert; }

bool HasEphemeralCurve(std::uint16_t cipher) { return CipherName(cipher).find("_ECDHE_") != std::string_view::npos; }

template <class T>
T* New(sdk::Stream stream) {
  return static_cast<T*>(stream.Alloc(sizeof(T)));
}

std::string_view AlertText(std::uint8_t description) {
  const std::string_view name = AlertName(description);
  return name.empty() ? "unknown_alert" : name;
}

}  // namespace

/// A record begins.
void Stitcher::OnRecord(Reading& r) {
  const Handshake* handshake = r.connection.handshake;
  if (handshake == nullptr) return;
  if (handshake->alert_ns != 0) return EndAt(r.stream, r.connection, kEncryptedAlert, handshake->alert_ns);
  if ((r.d.flags & TLS_FINISHED) != 0) return OnFinished(r);
  if (r.d.type == TLS_ALERT && (r.d.flags & TLS_CLEAR) == 0) return OnEncryptedAlert(r);
}

void Stitcher::OnFinished(Reading& r) {
  const Handshake& handshake = *r.connection.handshake;
  if (!handshake.answered) return Refuse(r);
  const bool by_client = r.direction == handshake.client;
  const bool may_be_alert = by_client && handshake.version == kTls13 && !handshake.early_data;
  if (may_be_alert && IsAlert(r.d.length)) return OnEncryptedAlert(r);
  if ((r.other().flags & TLS_FINISHED) != 0) End(r, {});
}

/// A library that is probed tells what it says: of one it sends before that, of one that came after that.
void Stitcher::OnEncryptedAlert(Reading& r) {
  Handshake& handshake = *r.connection.handshake;
  if (r.direction == PROBE_RECEIVED && IsBound(r))
    handshake.alert_ns = r.segment->ktime_ns;
  else if (r.direction == PROBE_SENT && handshake.alert_sent != kCloseNotify)
    End(r, AlertText(handshake.alert_sent));
  else
    End(r, kEncryptedAlert);
}

void Stitcher::OnMessage(Reading& r, std::uint8_t type, std::string_view body, const Arrival& start) {
  if (r.connection.handshake == nullptr) return OnFirstMessage(r, type, body, start);
  const bool by_server = r.direction == r.connection.handshake->server();
  switch (type) {
    case kServerHello: return by_server ? OnServerHello(r, body) : Refuse(r);
    case kCertificate: return OnCertificate(r, body);
    case kServerKeyExchange: return by_server ? OnKeyExchange(r, body) : Refuse(r);
    default: return;  // they say nothing that is told; a second ClientHello asks for the same as the first
  }
}

/// An answer to a ClientHello that was not seen: of TLS that a protocol asks for it may have been on its way already.
void Stitcher::OnFirstMessage(Reading& r, std::uint8_t type, std::string_view body, const Arrival& start) {
  if (type == kClientHello) return OnClientHello(r, body, start);
  ServerHello hello;
  r.connection.late |= type == kServerHello && ParseServerHello(body, &hello);
  Refuse(r);
}

void Stitcher::OnClientHello(Reading& r, std::string_view body, const Arrival& start) {
  ClientHello hello;
  if (!ParseClientHello(body, &hello)) return Refuse(r);
  const Config* config = configs_.Find(start.generation);
  auto* handshake = New<Handshake>(r.stream);
  if (handshake == nullptr || config->handshake_spans) {
    const std::uint64_t exchange = Emitter::Begin(r.stream, start);
    if (handshake == nullptr) {
      r.stream.Abort(exchange, PROBE_EVICTED_MEMORY);
      r.connection.over = true;
      return;
    }
    handshake->exchange = exchange;
  }
  handshake->config = config;
  handshake->start_ns = start.ktime_ns;
  handshake->generation = start.generation;
  handshake->client = r.direction;
  handshake->early_data = hello.early_data;
  handshake->server_name.Set(hello.server_name);
  handshake->session_id.Set(hello.session_id);
  handshake->random.Set(hello.random);
  pins_.Pin(start.generation);
  r.connection.handshake = handshake;
  r.connection.cookie = start.cookie;
  handshakes_.insert_or_assign(start.cookie, Open{r.stream.raw(), &r.connection});
}

void Stitcher::OnServerHello(Reading& r, std::string_view body) {
  Handshake& handshake = *r.connection.handshake;
  ServerHello hello;
  if (!ParseServerHello(body, &hello)) return Refuse(r);
  if (hello.hello_retry) {
    handshake.hello_retry = true;
    return;
  }
  handshake.answered = true;
  // There was no plaintext yet. A client's early data is sent when its library is not asked, and nobody counts it.
  if (IsBound(r) && !handshake.early_data) emitter_.Whole(r.stream, handshake);
  handshake.version = hello.version;
  handshake.cipher = hello.cipher;
  handshake.group = hello.version == kTls13 ? hello.group : 0;
  handshake.protocol.Set(hello.protocol);
  const bool same_session = !hello.session_id.empty() && hello.session_id == handshake.session_id.view();
  handshake.resumed = hello.version == kTls13 ? hello.pre_shared_key : same_session;
}

void Stitcher::OnCertificate(Reading& r, std::string_view body) {
  Handshake& handshake = *r.connection.handshake;
  std::string_view first;
  if (!ParseCertificateMessage(body, &first)) return Refuse(r);
  if (!first.empty()) KeepCertificate(r.stream, handshake, r.direction, first);
}

/// False: nothing came of it.
bool Stitcher::KeepCertificate(sdk::Stream stream, Handshake& handshake, std::uint8_t direction,
                               std::string_view bytes) {
  Certificate*& kept = handshake.certificates[direction];
  if (kept != nullptr) return false;
  kept = New<Certificate>(stream);
  if (kept == nullptr) return false;  // the span does without
  if (!ParseCertificate(bytes, kept)) {
    stream.Free(kept, sizeof(*kept));
    kept = nullptr;
    return false;
  }
  if (direction == handshake.server() && handshake.config->certificate_metric)
    emitter_.Record(stream, handshake, *kept);
  return true;
}

void Stitcher::OnKeyExchange(Reading& r, std::string_view body) {
  Handshake& handshake = *r.connection.handshake;
  if (!HasEphemeralCurve(handshake.cipher)) return;
  if (!ParseNamedCurve(body, &handshake.group)) handshake.group = 0;
}

/// Some alerts are warnings, after which it goes on; TLS 1.3 has no such levels any more (RFC 8446, section 6).
void Stitcher::OnAlert(Reading& r, std::uint8_t level, std::uint8_t description) {
  const Handshake* handshake = r.connection.handshake;
  if (handshake == nullptr) return Refuse(r);
  const bool levels = handshake->version != kTls13;
  if (levels ? level != kFatal : description == kCloseNotify || description == kUserCanceled) return;
  End(r, AlertText(description));
}

void Stitcher::OnEvent(const probe_event_t& event) {
  std::uint64_t cookie = 0;
  std::string_view bytes(reinterpret_cast<const char*>(event.bytes), event.size);
  if (bytes.size() >= sizeof(cookie)) std::memcpy(&cookie, bytes.data(), sizeof(cookie));
  const auto found = handshakes_.find(cookie);
  const bool used = found != handshakes_.end() && bytes.size() >= sizeof(cookie) &&
                    OnEvent(Open(found->second), event.kind, bytes.substr(sizeof(cookie)));
  if (!used) host_.OwnStream().Count(PROBE_IGNORED_BODY);
}

bool Stitcher::OnEvent(const Open& open, std::uint32_t kind, std::string_view bytes) {
  Handshake& handshake = *open.connection->handshake;
  if (kind == TLS_EVENT_CERTIFICATE) return OnSecretCertificate(open, bytes);
  if (kind == TLS_EVENT_ALERT_SENT && bytes.size() == TLS_ALERT_BYTES) {
    handshake.alert_sent = static_cast<std::uint8_t>(bytes[1]);
    return true;
  }
  if (kind != TLS_EVENT_ALERT_RECEIVED || bytes.size() != 1 || handshake.alert_ns == 0) return false;
  EndAt(host_.Wrap(open.stream), *open.connection, AlertText(static_cast<std::uint8_t>(bytes[0])), handshake.alert_ns);
  return true;
}

/// Up to TLS 1.2 it was in the clear.
bool Stitcher::OnSecretCertificate(const Open& open, std::string_view bytes) {
  Handshake& handshake = *open.connection->handshake;
  if (!handshake.answered || handshake.version != kTls13) return false;
  return KeepCertificate(host_.Wrap(open.stream), handshake, PROBE_RECEIVED, bytes);
}

/// The record at hand is the last one of the handshake.
void Stitcher::End(Reading& r, std::string_view error) {
  Handshake& handshake = *r.connection.handshake;
  handshake.bound = IsBound(r);
  if (error.empty() && !handshake.bound) emitter_.Unread(r.stream);
  if (handshake.exchange == 0) r.outcome = PROBE_IGNORED_CONFIGURED;
  EndAt(r.stream, r.connection, error, r.segment->ktime_ns);
}

void Stitcher::EndAt(sdk::Stream stream, Connection& connection, std::string_view error, std::uint64_t end_ns) {
  const Handshake& handshake = *connection.handshake;
  if (handshake.exchange != 0) emitter_.End(stream, handshake, error, end_ns);
  Forget(stream, connection);
}

void Stitcher::Abort(sdk::Stream stream, Connection& connection, probe_reason reason) {
  const Handshake* handshake = connection.handshake;
  if (handshake != nullptr && handshake->alert_ns != 0)
    return EndAt(stream, connection, kEncryptedAlert, handshake->alert_ns);
  if (handshake != nullptr && handshake->exchange != 0) stream.Abort(handshake->exchange, reason);
  Forget(stream, connection);
}

/// Up to TLS 1.2 a library sends its Finished together with its ChangeCipherSpec. Where it was not seen, no hook tells
/// of what the kernel encrypts (kTLS): how the handshake ended is not known.
bool Stitcher::IsOutOfSight(const Connection& connection) {
  const Handshake& handshake = *connection.handshake;
  const std::uint8_t flags = connection.directions[PROBE_SENT].flags;
  return handshake.answered && handshake.version < kTls13 && (flags & (TLS_CHANGED | TLS_FINISHED)) == TLS_CHANGED;
}

void Stitcher::EndAtClose(sdk::Stream stream, Connection& connection, std::uint32_t reason, std::uint64_t ktime_ns) {
  const Handshake& handshake = *connection.handshake;
  if (handshake.exchange == 0) return;
  if (handshake.alert_ns != 0) return emitter_.End(stream, handshake, kEncryptedAlert, handshake.alert_ns);
  switch (reason) {
    case PROBE_CLOSE_UNLOAD: return stream.Abort(handshake.exchange, PROBE_ABORTED_UNLOAD);
    case PROBE_CLOSE_EVICTED: return stream.Abort(handshake.exchange, PROBE_EVICTED_MEMORY);
    case PROBE_CLOSE_HANDED_OVER: return stream.Abort(handshake.exchange, PROBE_ABORTED_CLOSE);
    default: break;
  }
  if (IsOutOfSight(connection)) return stream.Abort(handshake.exchange, PROBE_ABORTED_GAP);
  emitter_.End(stream, handshake, sdk::CloseFailure(reason), ktime_ns);
}

/// The handshake is over, and with it the connection as far as this module goes.
void Stitcher::Forget(sdk::Stream stream, Connection& connection) {
  connection.over = true;
  for (Direction& d : connection.directions) d.message.Release(stream);
  Handshake* handshake = connection.handshake;
  if (handshake == nullptr) return;
  connection.handshake = nullptr;
  const auto open = handshakes_.find(connection.cookie);
  if (open != handshakes_.end() && open->second.connection == &connection) handshakes_.erase(open);
  pins_.Unpin(handshake->generation);
  for (Certificate* certificate : handshake->certificates)
    if (certificate != nullptr) stream.Free(certificate, sizeof(*certificate));
  stream.Free(handshake, sizeof(*handshake));
}

}  // namespace probed::mod::tls
