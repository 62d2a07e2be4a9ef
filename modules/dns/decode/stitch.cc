// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "modules/dns/decode/stitch.h"

#include <algorithm>

#include "api/sdk/close_failure.h"
#include "modules/dns/decode/parse.h"

namespace probed::mod::dns {
namespace {

constexpr std::uint16_t kMulticastPort = 5353;
constexpr std::string_view kTimeout = "timeout";

/// mDNS proper (RFC 6762) speaks from the port. A query from another port is an ordinary one, and is answered like one
/// (section 6.7).
bool IsMulticast(sdk::Stream stream, const probe_endpoint_t& peer) {
  const probe_open_t* open = stream.Open();
  return (open == nullptr ? peer.port : open->local.port) == kMulticastPort;
}

/// Who asks: the end that sends the query.
probe_span_kind KindOf(const Message& message, std::uint8_t direction) {
  return message.is_response == (direction == PROBE_RECEIVED) ? PROBE_SPAN_CLIENT : PROBE_SPAN_SERVER;
}

/// Who closes the socket of datagrams gave up waiting; of a connection either end may have.
std::string_view FailureOf(const Lookup& lookup, std::uint32_t close_reason) {
  return lookup.over_stream ? sdk::CloseFailure(close_reason) : kTimeout;
}

/// When a question was sent whose answer was read before it was seen is not known: before that. Such a lookup lasts no
/// time, unless the answer's record merely was the first of the two in the ring.
std::uint64_t StartOf(const Arrival& question, const EarlyAnswer* answer) {
  return answer == nullptr ? question.begin_ns : std::min(question.begin_ns, answer->arrival.end_ns);
}

}  // namespace

Arrival Stitcher::ArrivalOf(const probe_datagram_t& datagram) {
  return {{.begin_ns = datagram.ktime_ns,
           .end_ns = datagram.ktime_ns,
           .cookie = datagram.cookie,
           .end_offset = datagram.total,
           .generation = datagram.generation,
           .direction = datagram.direction,
           .cause = datagram.cause},
          datagram.peer,
          datagram.thread_id};
}

void Stitcher::OnDatagram(sdk::Stream stream, Socket& socket, const probe_datagram_t& datagram) {
  if (datagram.captured == 0) return stream.Count(PROBE_UNDECODABLE_TRUNCATED);
  const std::string_view bytes(reinterpret_cast<const char*>(datagram.bytes), datagram.captured);
  const probe_reason reason = IsMulticast(stream, datagram.peer)
                                  ? OnMulticast(stream, socket, datagram)
                                  : OnMessage(stream, socket, bytes, ArrivalOf(datagram));
  if (reason != kUsed) stream.Count(reason);
}

probe_reason Stitcher::OnMessage(sdk::Stream stream, Socket& socket, std::string_view bytes, const Arrival& arrival) {
  if (ParseMessage(bytes, &message_) != sdk::ParseState::kOk) return PROBE_UNDECODABLE_MALFORMED;
  const LookupKey key{message_, KindOf(message_, arrival.direction), arrival.peer};
  return message_.is_response ? OnResponse(stream, socket, arrival, key) : OnQuery(stream, socket, arrival, key);
}

probe_reason Stitcher::OnQuery(sdk::Stream stream, Socket& socket, const Arrival& arrival, const LookupKey& key) {
  const Config& config = *configs_.Find(arrival.generation);
  if (key.kind == PROBE_SPAN_SERVER && !config.server_spans) return PROBE_IGNORED_CONFIGURED;
  const bool over_stream = socket.directions[arrival.direction].started;
  if (Lookup* again = over_stream ? nullptr : Lookups::Find(socket, key); again != nullptr) {
    lookups_.Renew(*again, arrival.end_ns);
    return kUsed;
  }
  EarlyAnswer* answer = socket.early == 0 ? nullptr : early_.Find(socket, key, arrival);
  Lookup* lookup = lookups_.Add(stream, socket, key);
  const bool transfer = lookup != nullptr && lookup->is_transfer();
  const std::uint64_t start_ns = StartOf(arrival, answer);
  const std::uint64_t exchange = transfer ? 0 : Emitter::Begin(stream, key.kind, arrival, start_ns);
  if (lookup == nullptr) {
    stream.Abort(exchange, PROBE_EVICTED_MEMORY);
    return kUsed;
  }
  lookup->exchange = exchange;
  lookup->config = &config;
  lookup->generation = arrival.generation;
  lookup->start_ns = start_ns;
  lookup->last_ns = arrival.end_ns;
  lookup->over_stream = over_stream;
  pins_.Pin(arrival.generation);
  if (answer != nullptr) EndEarly(stream, *lookup, *answer);
  return transfer ? PROBE_IGNORED_CONFIGURED : kUsed;
}

void Stitcher::EndEarly(sdk::Stream stream, Lookup& lookup, EarlyAnswer& answer) {
  answer.Restore(message_);  // of the question, which is at hand, the lookup has what is needed
  emitter_.Emit(stream, lookup, message_, answer.arrival.end_ns);
  lookup.socket->NoteAnswered(lookup.id, lookup.last_ns);
  Remove(stream, lookup);
  early_.Remove(stream, answer);
}

probe_reason Stitcher::OnResponse(sdk::Stream stream, Socket& socket, const Arrival& arrival, const LookupKey& key) {
  Lookup* lookup = Lookups::Find(socket, key);
  if (lookup != nullptr && lookup->is_transfer()) {
    lookups_.Renew(*lookup, arrival.end_ns);
    return PROBE_IGNORED_CONFIGURED;
  }
  if (lookup != nullptr) {
    emitter_.Emit(stream, *lookup, message_, arrival.end_ns);
    Remove(stream, *lookup);
    socket.NoteAnswered(message_.id, arrival.end_ns);
    return kUsed;
  }
  if (key.kind == PROBE_SPAN_SERVER && !configs_.Find(arrival.generation)->server_spans)
    return PROBE_IGNORED_CONFIGURED;
  OnUnmatched(stream, socket, arrival, key);
  return kUsed;
}

void Stitcher::OnUnmatched(sdk::Stream stream, Socket& socket, const Arrival& arrival, const LookupKey& key) {
  const bool over_stream = socket.directions[arrival.direction].started;
  if (EarlyAnswers::MayBeEarly(socket, key, arrival) && (over_stream || !early_.Has(socket, message_))) {
    if (EarlyAnswer* in_the_way = early_.InTheWay(socket); in_the_way != nullptr) GiveUp(*in_the_way);
    if (early_.Keep(stream, socket, message_, arrival)) return;
  }
  stream.Abort(Emitter::Begin(stream, key.kind, arrival, arrival.begin_ns), PROBE_ABORTED_UNMATCHED);
}

void Stitcher::GiveUp(EarlyAnswer& answer) {
  const sdk::Stream stream = host_.Wrap(answer.stream);
  stream.Abort(Emitter::Begin(stream, PROBE_SPAN_CLIENT, answer.arrival, answer.arrival.begin_ns),
               PROBE_ABORTED_UNMATCHED);
  early_.Remove(stream, answer);
}

void Stitcher::Remove(sdk::Stream stream, Lookup& lookup) {
  pins_.Unpin(lookup.generation);
  (lookup.multicast ? multicast_ : lookups_).Remove(stream, lookup);
}

/// Where the answer may have been in lost bytes, nobody knows that there was none. A query on a stream of which nothing
/// else is known was sent when its connection had ended (the reset comes while the call still runs): how is known no
/// more.
void Stitcher::EndUnanswered(sdk::Stream stream, Lookup& lookup, std::string_view error, std::uint64_t end_ns) {
  if (lookup.multicast)  // it need not be: it was no error
    stream.Abort(lookup.exchange, PROBE_ABORTED_UNMATCHED);
  else if (lookup.doubtful)
    stream.Abort(lookup.exchange, PROBE_ABORTED_GAP);
  else if (lookup.over_stream && stream.Open() == nullptr)
    stream.Abort(lookup.exchange, PROBE_ABORTED_CLOSE);
  else
    emitter_.EmitFailure(stream, lookup, error, end_ns);
}

void Stitcher::EndAtClose(sdk::Stream stream, Lookup& lookup, std::uint32_t reason, std::uint64_t ktime_ns) {
  switch (reason) {
    case PROBE_CLOSE_UNLOAD: return stream.Abort(lookup.exchange, PROBE_ABORTED_UNLOAD);
    case PROBE_CLOSE_EVICTED: return stream.Abort(lookup.exchange, PROBE_EVICTED_MEMORY);
    case PROBE_CLOSE_HANDED_OVER: return stream.Abort(lookup.exchange, PROBE_ABORTED_CLOSE);
    default: return EndUnanswered(stream, lookup, FailureOf(lookup, reason), ktime_ns);
  }
}

void Stitcher::OnClose(sdk::Stream stream, Socket& socket, std::uint32_t reason, std::uint64_t ktime_ns) {
  Release(stream, socket);
  while (Lookup* lookup = Lookups::AnyOf(socket)) {
    if (!lookup->is_transfer()) EndAtClose(stream, *lookup, reason, ktime_ns);
    Remove(stream, *lookup);
  }
  while (EarlyAnswer* answer = early_.AnyOf(socket)) GiveUp(*answer);
}

// In the order in which they were sent: behind a lookup with a longer timeout of an older configuration, one with a
// shorter one waits for it.
void Stitcher::OnTick(std::uint64_t now_ns) {
  ForgetUnanswered(now_ns);
  early_.Tick();
  while (EarlyAnswer* answer = early_.Overdue()) GiveUp(*answer);
  for (Lookup* lookup = lookups_.oldest(); lookup != nullptr; lookup = lookups_.oldest()) {
    const std::uint64_t end_ns = lookup->last_ns + lookup->config->timeout_ns;
    if (end_ns > now_ns) return;
    const sdk::Stream stream = host_.Wrap(lookup->stream);
    if (!lookup->is_transfer()) EndUnanswered(stream, *lookup, kTimeout, end_ns);
    Remove(stream, *lookup);
  }
}

}  // namespace probed::mod::dns
