// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "modules/dns/decode/lookup.h"

#include <algorithm>
#include <cstring>
#include <new>

namespace probed::mod::dns {
namespace {

char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

/// Case does not matter in names (RFC 4343), and resolvers play with it. A label's length is never a letter.
bool SameName(std::string_view a, std::string_view b) {
  return a.size() == b.size() &&
         std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) { return x == y || Lower(x) == Lower(y); });
}

bool SameEndpoint(const probe_endpoint_t& a, const probe_endpoint_t& b) {
  return a.port == b.port && std::memcmp(a.address, b.address, sizeof(a.address)) == 0;
}

/// A server tells its clients apart by their addresses, where they are known; a client is answered from wherever.
bool SamePeer(const Lookup& lookup, const LookupKey& key) {
  if (lookup.kind == PROBE_SPAN_CLIENT) return true;
  if (lookup.peer.family == PROBE_FAMILY_NONE || key.peer.family == PROBE_FAMILY_NONE) return true;
  return SameEndpoint(lookup.peer, key.peer);
}

constexpr std::uint16_t kClassMask = 0x7fff;  // the top bit is no part of it in mDNS (RFC 6762, section 5.4)

/// Some servers answer an error without the question, and so do the later messages of a zone transfer (RFC 5936,
/// section 2.2.1): then the id has to do.
bool SameQuestion(const Lookup& lookup, const Message& message) {
  if (!message.has_question) return message.is_response && (message.rcode != 0 || lookup.is_transfer());
  return lookup.type == message.question.type && Lookups::IsAbout(lookup, message.question);
}

}  // namespace

bool AsksFor(const Question& question, std::string_view wire_name, std::uint16_t class_) {
  return ((class_ ^ question.class_) & kClassMask) == 0 && SameName(wire_name, question.wire_name());
}

Lookup* Lookups::Add(sdk::Stream stream, Socket& socket, const LookupKey& key) {
  const Question& question = key.message.question;
  void* memory = stream.Alloc(sizeof(Lookup) + question.name_size);
  if (memory == nullptr) return nullptr;
  auto* made = ::new (memory) Lookup();
  std::memcpy(made + 1, question.name.data(), question.name_size);
  made->name_size = question.name_size;
  made->type = question.type;
  made->class_ = question.class_;
  made->id = key.message.id;
  made->kind = key.kind;
  made->peer = key.peer;
  made->stream = stream.raw();
  made->socket = &socket;
  Lookup*& row = socket.RowOf(made->id);
  made->next = row;
  row = made;
  by_age_.Append(*made);
  return made;
}

Lookup* Lookups::Find(Socket& socket, const LookupKey& key) {
  Lookup* found = nullptr;
  for (Lookup* at = socket.RowOf(key.message.id); at != nullptr; at = at->next) {
    if (at->id != key.message.id || at->kind != key.kind || !SameQuestion(*at, key.message) || !SamePeer(*at, key))
      continue;
    found = at;
    if (!at->over_stream) break;  // of datagrams there are never two alike
  }
  return found;
}

bool Lookups::IsAbout(const Lookup& lookup, const Question& question) {
  return AsksFor(question, lookup.wire_name(), lookup.class_);
}

void Lookups::Doubt(Socket& socket, probe_span_kind kind) {
  for (Lookup* at : socket.rows)
    for (; at != nullptr; at = at->next) at->doubtful |= at->kind == kind;
}

void Lookups::Renew(Lookup& lookup, std::uint64_t now_ns) {
  lookup.last_ns = now_ns;
  ++lookup.retransmissions;
  by_age_.Unlink(lookup);
  by_age_.Append(lookup);
}

void Lookups::Remove(sdk::Stream stream, Lookup& lookup) {
  Lookup** at = &lookup.socket->RowOf(lookup.id);
  while (*at != &lookup) at = &(*at)->next;
  *at = lookup.next;
  by_age_.Unlink(lookup);
  stream.Free(&lookup, sizeof(Lookup) + lookup.name_size);
}

Lookup* Lookups::AnyOf(Socket& socket) {
  const auto found = std::find_if(socket.rows.begin(), socket.rows.end(), [](Lookup* row) { return row != nullptr; });
  return found == socket.rows.end() ? nullptr : *found;
}

}  // namespace probed::mod::dns
