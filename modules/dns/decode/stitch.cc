// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "modules/dns/decode/stitch.h"

#include "modules/dns/decode/parse.h"

namespace probed::mod::dns {
namespace {

constexpr std::uint16_t kMulticastPort = 5353;  // RFC 6762: no ids, many answers to one question, often none
constexpr std::string_view kTimeout = "timeout";

bool IsMulticast(sdk::Stream stream, const probe_endpoint_t& peer) {
  const probe_open_t* open = stream.Open();
  return peer.port == kMulticastPort || (open != nullptr && open->local.port == kMulticastPort);
}

/// Who asks: the end that sends the query.
probe_span_kind KindOf(const Message& message, std::uint8_t direction) {
  return message.is_response == (direction == PROBE_RECEIVED) ? PROBE_SPAN_CLIENT : PROBE_SPAN_SERVER;
}

}  // namespace

void Stitcher::OnDatagram(sdk::Stream stream, Socket& socket, const probe_datagram_t& datagram) {
  if (datagram.captured == 0) return stream.Count(PROBE_UNDECODABLE_TRUNCATED);
  if (IsMulticast(stream, datagram.peer)) return stream.Count(PROBE_IGNORED_CONFIGURED);
  const std::string_view bytes(reinterpret_cast<const char*>(datagram.bytes), datagram.captured);
  if (ParseMessage(bytes, &message_) != sdk::ParseState::kOk) return stream.Count(PROBE_UNDECODABLE_MALFORMED);
  const LookupKey key{message_, KindOf(message_, datagram.direction), datagram.peer};
  if (message_.is_response)
    OnResponse(stream, socket, datagram, key);
  else
    OnQuery(stream, socket, datagram, key);
}

void Stitcher::OnQuery(sdk::Stream stream, Socket& socket, const probe_datagram_t& datagram, const LookupKey& key) {
  const Config& config = *configs_.Find(datagram.generation);
  if (key.kind == PROBE_SPAN_SERVER && !config.server_spans) return stream.Count(PROBE_IGNORED_CONFIGURED);
  if (Lookup* again = lookups_.Find(socket, key)) return lookups_.Renew(*again, datagram.ktime_ns);
  const std::uint64_t exchange = Emitter::Begin(stream, key.kind, datagram);
  Lookup* lookup = lookups_.Add(stream, socket, key);
  if (lookup == nullptr) return stream.Abort(exchange, PROBE_EVICTED_MEMORY);
  lookup->exchange = exchange;
  lookup->config = &config;
  lookup->generation = datagram.generation;
  lookup->start_ns = lookup->last_ns = datagram.ktime_ns;
  pins_.Pin(datagram.generation);
}

void Stitcher::OnResponse(sdk::Stream stream, Socket& socket, const probe_datagram_t& datagram, const LookupKey& key) {
  Lookup* lookup = lookups_.Find(socket, key);
  if (lookup != nullptr) {
    emitter_.Emit(stream, *lookup, message_, datagram.ktime_ns);
    return Remove(stream, *lookup);
  }
  if (key.kind == PROBE_SPAN_SERVER && !configs_.Find(datagram.generation)->server_spans)
    return stream.Count(PROBE_IGNORED_CONFIGURED);
  stream.Abort(Emitter::Begin(stream, key.kind, datagram), PROBE_ABORTED_UNMATCHED);
}

void Stitcher::Remove(sdk::Stream stream, Lookup& lookup) {
  pins_.Unpin(lookup.generation);
  lookups_.Remove(stream, lookup);
}

void Stitcher::OnClose(sdk::Stream stream, Socket& socket, std::uint32_t reason, std::uint64_t ktime_ns) {
  while (Lookup* lookup = Lookups::AnyOf(socket)) {
    if (reason == PROBE_CLOSE_LOCAL)
      emitter_.EmitFailure(stream, *lookup, kTimeout, ktime_ns);
    else
      stream.Abort(lookup->exchange, reason == PROBE_CLOSE_UNLOAD    ? PROBE_ABORTED_UNLOAD
                                     : reason == PROBE_CLOSE_EVICTED ? PROBE_EVICTED_MEMORY
                                                                     : PROBE_ABORTED_CLOSE);
    Remove(stream, *lookup);
  }
}

// In the order in which they were sent: behind a lookup with a longer timeout of an older configuration, one with a
// shorter one waits for it.
void Stitcher::OnTick(std::uint64_t now_ns) {
  for (Lookup* lookup = lookups_.oldest(); lookup != nullptr; lookup = lookups_.oldest()) {
    const std::uint64_t end_ns = lookup->last_ns + lookup->config->timeout_ns;
    if (end_ns > now_ns) return;
    const sdk::Stream stream = host_.Wrap(lookup->stream);
    emitter_.EmitFailure(stream, *lookup, kTimeout, end_ns);
    Remove(stream, *lookup);
  }
}

}  // namespace probed::mod::dns
