// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Multicast DNS between equals (RFC 6762), all from port 5353. There are no ids, questions may be many, and whoever
// hears an answer has it, on whichever socket, so questions wait by process. A question is a lookup if the process knew
// no answer yet, and something heard since answers it. One that nobody answers was none: programs go on asking for what
// may come some day. Whoever asks whether a name is free (section 8.1) looks nothing up either.
#include "modules/dns/decode/stitch.h"

#include <ldns/ldns.h>

#include "modules/dns/decode/parse.h"

namespace probed::mod::dns {
namespace {

constexpr std::uint16_t kMulticastPort = 5353;
constexpr std::size_t kMostQuestions = 64;
constexpr std::uint16_t kFirstMetaType = 249;  // TKEY, TSIG, transfers, …; the last one is ANY

bool IsAnyType(std::uint16_t type) { return type == LDNS_RR_TYPE_ANY; }

/// Whether the record tells what the question is for, or that it does not exist.
bool Answers(const MessageReader& reader, const ResourceRecord& record, const Lookup& lookup) {
  if (!Lookups::IsAbout(lookup, record.owner)) return false;
  const std::uint16_t type = record.owner.type;
  return IsAnyType(lookup.type) || type == lookup.type || type == LDNS_RR_TYPE_CNAME ||
         reader.Denies(record, lookup.type);
}

void TakeAddress(const ResourceRecord& record, Message& out) {
  const bool is_v4 = record.owner.type == LDNS_RR_TYPE_A && record.data.size() == LDNS_IP4ADDRLEN;
  const bool is_v6 = record.owner.type == LDNS_RR_TYPE_AAAA && record.data.size() == LDNS_IP6ADDRLEN;
  if ((!is_v4 && !is_v6) || out.address_count == out.addresses.size()) return;
  out.addresses[out.address_count++] = {is_v6, reinterpret_cast<const std::uint8_t*>(record.data.data())};
}

/// Calls `take(record)` for each that is there to stay: a time to live of 0 takes a record back (section 10.1).
template <class Take>
void ForEachRecord(MessageReader& reader, const MessageReader::Head& head, const Take& take) {
  ResourceRecord record;
  Question question;
  for (std::uint32_t i = 0; i < head.questions; ++i)
    if (!reader.ReadQuestion(&question)) return;
  for (std::uint32_t i = 0; i < head.records() && reader.ReadRecord(&record); ++i)
    if (record.ttl != 0) take(record);
}

std::string_view BytesOf(const probe_datagram_t& datagram) {
  return {reinterpret_cast<const char*>(datagram.bytes), datagram.captured};
}

}  // namespace

/// What others ask, and what the process answers, is not followed.
probe_reason Stitcher::OnMulticast(sdk::Stream stream, Socket& socket, const probe_datagram_t& datagram) {
  MessageReader::Head head;
  if (!MessageReader(BytesOf(datagram)).ReadHead(&head)) return PROBE_UNDECODABLE_MALFORMED;
  const bool sent = datagram.direction == PROBE_SENT;
  if (sent == head.is_response) return PROBE_IGNORED_CONFIGURED;
  return sent ? OnMulticastQuery(stream, socket, datagram) : OnMulticastResponse(datagram);
}

probe_reason Stitcher::OnMulticastQuery(sdk::Stream stream, Socket& socket, const probe_datagram_t& datagram) {
  MessageReader reader(BytesOf(datagram));
  MessageReader::Head head;
  reader.ReadHead(&head);
  const bool is_probe = head.authority != 0;
  const bool knows_answers = head.answers != 0 || head.truncated;
  const bool known_port = stream.Open() != nullptr && stream.Open()->local.port == kMulticastPort;
  if (is_probe || knows_answers || !known_port || head.questions > kMostQuestions) return PROBE_IGNORED_CONFIGURED;
  std::uint32_t asked = 0;
  Question question;
  for (std::uint32_t i = 0; i < head.questions; ++i) {
    if (!reader.ReadQuestion(&question)) return asked != 0 ? kUsed : PROBE_UNDECODABLE_MALFORMED;
    if (question.type >= kFirstMetaType && question.type < LDNS_RR_TYPE_ANY) continue;
    Ask(stream, socket, datagram, question);
    ++asked;
  }
  return asked != 0 ? kUsed : PROBE_IGNORED_CONFIGURED;
}

/// Once more, or on another interface: which of them is not known, so it is not counted as repeated.
void Stitcher::Ask(sdk::Stream stream, Socket& socket, const probe_datagram_t& datagram, const Question& question) {
  if (Lookup* again = FindMulticast(datagram.tgid, question); again != nullptr) {
    multicast_.Renew(*again, datagram.ktime_ns);
    again->retransmissions = 0;
    return;
  }
  message_.id = 0;
  message_.question = question;
  const std::uint64_t exchange = Emitter::Begin(stream, PROBE_SPAN_CLIENT, ArrivalOf(datagram), datagram.ktime_ns);
  Lookup* lookup = multicast_.Add(stream, socket, {message_, PROBE_SPAN_CLIENT, datagram.peer});
  if (lookup == nullptr) return stream.Abort(exchange, PROBE_EVICTED_MEMORY);
  lookup->exchange = exchange;
  lookup->config = configs_.Find(datagram.generation);
  lookup->generation = datagram.generation;
  lookup->start_ns = lookup->last_ns = datagram.ktime_ns;
  lookup->tgid = datagram.tgid;
  lookup->multicast = true;
  pins_.Pin(datagram.generation);
}

Lookup* Stitcher::FindMulticast(std::uint32_t tgid, const Question& question) const {
  Lookup* at = multicast_.oldest();
  while (at != nullptr && (at->tgid != tgid || at->type != question.type || !Lookups::IsAbout(*at, question)))
    at = at->newer;
  return at;
}

/// Others than those from the port, and errors, are to be ignored (sections 6 and 18.11).
probe_reason Stitcher::OnMulticastResponse(const probe_datagram_t& datagram) {
  MessageReader reader(BytesOf(datagram));
  MessageReader::Head head;
  reader.ReadHead(&head);
  const bool from_port = datagram.peer.family == PROBE_FAMILY_NONE || datagram.peer.port == kMulticastPort;
  if (!from_port || head.rcode != 0) return PROBE_IGNORED_CONFIGURED;
  ForEachRecord(reader, head, [&](const ResourceRecord& record) {
    for (Lookup* at = multicast_.oldest(); at != nullptr; at = at->newer)
      at->answered |= at->tgid == datagram.tgid && Answers(reader, record, *at);
  });
  probe_reason outcome = PROBE_IGNORED_CONFIGURED;
  for (Lookup* at = multicast_.oldest(); at != nullptr;) {
    Lookup* const next = at->newer;
    if (at->answered) {
      EndMulticast(*at, BytesOf(datagram), datagram);
      outcome = kUsed;
    }
    at = next;
  }
  return outcome;
}

void Stitcher::EndMulticast(Lookup& lookup, std::string_view bytes, const probe_datagram_t& datagram) {
  MessageReader reader(bytes);
  MessageReader::Head head;
  reader.ReadHead(&head);
  message_.rcode = 0;
  message_.truncated = false;
  message_.address_count = 0;
  ForEachRecord(reader, head, [&](const ResourceRecord& record) {
    if (Answers(reader, record, lookup)) TakeAddress(record, message_);
  });
  const sdk::Stream stream = host_.Wrap(lookup.stream);
  emitter_.Emit(stream, lookup, message_, datagram.ktime_ns, &datagram.peer);
  Remove(stream, lookup);
}

void Stitcher::ForgetUnanswered(std::uint64_t now_ns) {
  for (Lookup* lookup = multicast_.oldest(); lookup != nullptr; lookup = multicast_.oldest()) {
    if (lookup->last_ns + lookup->config->timeout_ns > now_ns) return;
    const sdk::Stream stream = host_.Wrap(lookup->stream);
    EndUnanswered(stream, *lookup, {}, now_ns);
    Remove(stream, *lookup);
  }
}

}  // namespace probed::mod::dns
