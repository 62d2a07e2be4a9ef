// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "modules/dns/decode/early.h"

#include <algorithm>
#include <cstring>
#include <new>

namespace probed::mod::dns {
namespace {

bool IsFor(EarlyAnswer& answer, const Message& message) {
  return answer.id == message.id && answer.type == message.question.type &&
         AsksFor(message.question, answer.wire_name(), answer.class_);
}

bool MayAnswer(const EarlyAnswer& answer, const Arrival& question) {
  return answer.thread_id != question.thread_id && question.end_ns <= answer.arrival.end_ns + EarlyAnswers::kWaitNs;
}

}  // namespace

void EarlyAnswer::Restore(Message& out) {
  out.rcode = rcode;
  out.truncated = truncated;
  out.address_count = address_count;
  for (std::size_t i = 0; i < address_count; ++i)
    out.addresses[i] = {addresses()[i].is_v6, addresses()[i].bytes.data()};
}

bool EarlyAnswers::MayBeEarly(const Socket& socket, const LookupKey& key, const Arrival& answer) {
  const Message& message = key.message;
  return key.kind == PROBE_SPAN_CLIENT && message.has_question && !IsTransfer(message.question.type) &&
         !socket.WasAnswered(message.id, answer.end_ns - kWaitNs);
}

EarlyAnswer* EarlyAnswers::InTheWay(const Socket& socket) const {
  if (socket.early >= kMostOfSocket) return AnyOf(socket);
  return count_ >= kMost ? by_age_.oldest() : nullptr;
}

bool EarlyAnswers::Keep(sdk::Stream stream, Socket& socket, const Message& answer, const Arrival& arrival) {
  EarlyAnswer head;
  head.address_count = static_cast<std::uint8_t>(answer.address_count);
  head.name_size = answer.question.name_size;
  void* memory = stream.Alloc(head.size());
  if (memory == nullptr) return false;
  auto* made = ::new (memory) EarlyAnswer(head);
  made->socket = &socket;
  made->stream = stream.raw();
  made->arrival = arrival;  // without the peer
  made->thread_id = arrival.thread_id;
  made->kept_at = ticks_;
  made->id = answer.id;
  made->type = answer.question.type;
  made->class_ = answer.question.class_;
  made->rcode = answer.rcode;
  made->truncated = answer.truncated;
  for (std::size_t i = 0; i < answer.address_count; ++i) {
    auto* kept = ::new (made->addresses() + i) EarlyAnswer::KeptAddress{.is_v6 = answer.addresses[i].is_v6};
    std::memcpy(kept->bytes.data(), answer.addresses[i].bytes, kept->is_v6 ? 16 : 4);
  }
  std::memcpy(made->addresses() + made->address_count, answer.question.name.data(), made->name_size);
  by_age_.Append(*made);
  ++socket.early;
  ++count_;
  return true;
}

EarlyAnswer* EarlyAnswers::Find(const Socket& socket, const LookupKey& key, const Arrival& question) const {
  return key.kind == PROBE_SPAN_CLIENT ? Search(socket, key.message, &question) : nullptr;
}

EarlyAnswer* EarlyAnswers::Search(const Socket& socket, const Message& message, const Arrival* question) const {
  if (socket.early == 0) return nullptr;
  EarlyAnswer* at = by_age_.oldest();
  while (at != nullptr &&
         (at->socket != &socket || !IsFor(*at, message) || (question != nullptr && !MayAnswer(*at, *question))))
    at = at->newer;
  return at;
}

EarlyAnswer* EarlyAnswers::AnyOf(const Socket& socket) const {
  EarlyAnswer* at = socket.early == 0 ? nullptr : by_age_.oldest();
  while (at != nullptr && at->socket != &socket) at = at->newer;
  return at;
}

void EarlyAnswers::Remove(sdk::Stream stream, EarlyAnswer& answer) {
  by_age_.Unlink(answer);
  --answer.socket->early;
  --count_;
  stream.Free(&answer, answer.size());
}

EarlyAnswer* EarlyAnswers::Overdue() const {
  EarlyAnswer* first = by_age_.oldest();
  return first != nullptr && ticks_ - first->kept_at >= kTicks ? first : nullptr;
}

}  // namespace probed::mod::dns
