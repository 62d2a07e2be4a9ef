// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "modules/kafka/decode/stitch.h"

#include <algorithm>

#include "api/sdk/close_failure.h"
#include "modules/kafka/decode/api.h"
#include "modules/kafka/decode/parse.h"

namespace probed::mod::kafka {
namespace {

using sdk::ParseState;

/// Which of its messages carry a context of their own: then the span is not what created them.
probe_span_kind KindOf(const Request& request, const Topics& topics, bool is_server) {
  if (is_server) return PROBE_SPAN_SERVER;
  return request.head.key == kProduce && topics.link_count == 0 ? PROBE_SPAN_PRODUCER : PROBE_SPAN_CLIENT;
}

bool BecomesSpan(const Config& config, const RequestHead& head, bool is_server) {
  if (is_server && !config.server_spans) return false;
  switch (UseOf(head.key)) {
    case Use::kMessages: return IsKnownLayout(head.key, head.version);
    case Use::kGroup: return config.group_spans && IsKnownLayout(head.key, head.version);
    case Use::kCluster: return config.cluster_spans;
    case Use::kNone: return false;
  }
  return false;
}

const Topic* Like(std::span<const Topic> topics, const Topic& wanted) {
  const auto found = std::find_if(topics.begin(), topics.end(), [&](const Topic& topic) {
    return wanted.by_id ? topic.by_id && topic.id == wanted.id : !topic.by_id && topic.name == wanted.name;
  });
  return found == topics.end() ? nullptr : &*found;
}

/// Brought nothing, as far as can be seen. A topic of which only the name is there may well have been empty.
bool IsEmpty(const Topic& topic, bool complete) {
  return topic.error == 0 && topic.batches.messages == 0 && (topic.batches.counted || !complete);
}

/// Of a message that did not come whole: what it has to be counted by is missing.
bool IsUncounted(const Topics& topics, bool cut) {
  if (!cut) return false;
  return !topics.complete || std::any_of(topics.items.begin(), topics.items.begin() + topics.count,
                                         [](const Topic& topic) { return !topic.batches.counted; });
}

/// Whether responses may have come that were not seen as such.
bool MayHaveAnswered(const Connection& connection) {
  constexpr std::size_t kHead = 8;  // size and correlation id
  const sdk::FramedDirection& d =
      connection.directions[connection.requests == PROBE_SENT ? PROBE_RECEIVED : PROBE_SENT];
  if (!d.started) return false;
  return d.searching ||
         (d.buffer.size() >= kHead && FindRequest(connection, CorrelationOf(d.buffer.view().substr(4))) == nullptr);
}

}  // namespace

/// Before any response met its request, what was taken for a request may have been none.
probe_reason Stitcher::OnMessage(sdk::Stream stream, Connection& connection, const Message& message) {
  const bool is_request = !connection.spoke || message.arrival.direction == connection.requests ||
                          (!connection.confirmed && FindRequest(connection, CorrelationOf(message.bytes)) == nullptr);
  return is_request ? OnRequest(stream, connection, message) : OnResponse(stream, connection, message);
}

// --- requests -------------------------------------------------------------------------------------------------------

probe_reason Stitcher::OnRequest(sdk::Stream stream, Connection& connection, const Message& message) {
  Request request;
  std::string_view body;
  topics_.Clear();
  if (ParseRequestHead(message.bytes, &request.head, &body) != ParseState::kOk) return PROBE_UNDECODABLE_MALFORMED;
  if (!ReadRequest(message, body, &request)) return PROBE_UNDECODABLE_MALFORMED;
  if (connection.spoke && connection.requests != message.arrival.direction) DropAll(stream, connection);
  connection.spoke = true;
  connection.requests = message.arrival.direction;
  request.arrival = message.arrival;
  const bool uncounted = request.head.key == kProduce && IsUncounted(topics_, message.cut);
  const probe_reason came_to = AddRequest(stream, connection, request);
  return came_to == kUsed && uncounted ? PROBE_UNDECODABLE_TRUNCATED : came_to;
}

/// False: not a request's body.
bool Stitcher::ReadRequest(const Message& message, std::string_view body, Request* out) {
  const RequestHead& head = out->head;
  if (head.key == kProduce && IsKnownLayout(head.key, head.version)) {
    Seen seen = message.seen;
    seen.at = message.bytes.size() - body.size();
    seen.bytes.remove_prefix(seen.at);
    if (ParseProduceRequest(seen, head.version, &topics_) != ParseState::kOk) return false;
    out->complete = topics_.complete;
  }
  if (IsCommit(head.key) && IsKnownLayout(head.key, head.version) &&
      ParseCommitRequest(body, head.key, head.version, message.cut, &topics_) != ParseState::kOk)
    return false;
  out->group = GroupOf(body, head.key, head.version);
  return true;
}

probe_reason Stitcher::AddRequest(sdk::Stream stream, Connection& connection, const Request& read) {
  const bool is_server = read.arrival.direction == PROBE_RECEIVED;
  Request request = read;
  request.config = configs_.Find(read.arrival.generation);
  request.kind = KindOf(read, topics_, is_server);
  const bool span = BecomesSpan(*request.config, read.head, is_server);
  if (span) request.exchange = Emitter::Begin(stream, request.kind, read.arrival, true);
  const probe_reason came_to = span ? kUsed : PROBE_IGNORED_CONFIGURED;
  if (read.head.key == kProduce && topics_.acks == 0) {  // nobody answers
    request.topics = {topics_.items.data(), topics_.count};
    request.links = {topics_.links.data(), topics_.link_count};
    EndWithoutResponse(stream, request, {}, read.arrival.end_ns);
    return came_to;
  }
  if (connection.waiting == Connection::kMostWaiting) {
    if (connection.oldest->exchange != 0) stream.Abort(connection.oldest->exchange, PROBE_EVICTED_MEMORY);
    Remove(stream, connection, *connection.oldest);
  }
  if (KeepRequest(stream, connection, request, topics_) != nullptr)
    pins_.Pin(read.arrival.generation);
  else if (span)
    stream.Abort(request.exchange, PROBE_EVICTED_MEMORY);
  return came_to;
}

// --- responses ------------------------------------------------------------------------------------------------------

probe_reason Stitcher::OnResponse(sdk::Stream stream, Connection& connection, const Message& message) {
  if (message.bytes.size() < 4) return PROBE_UNDECODABLE_MALFORMED;
  Request* request = FindRequest(connection, CorrelationOf(message.bytes));
  if (request == nullptr) return PROBE_UNDECODABLE_GAP;
  const probe_reason came_to = EndRequest(stream, *request, message);
  if (came_to == PROBE_UNDECODABLE_MALFORMED) return came_to;
  connection.confirmed = true;
  AbortUpTo(stream, connection, *request);
  Remove(stream, connection, *request);
  return came_to;
}

/// A broker answers in the order of the requests: what was sent before had its answer in bytes that were lost.
void Stitcher::AbortUpTo(sdk::Stream stream, Connection& connection, const Request& request) {
  while (connection.oldest != &request) {
    if (connection.oldest->exchange != 0) stream.Abort(connection.oldest->exchange, PROBE_ABORTED_GAP);
    Remove(stream, connection, *connection.oldest);
  }
}

/// These were no requests.
void Stitcher::DropAll(sdk::Stream stream, Connection& connection) {
  while (connection.oldest != nullptr) {
    if (connection.oldest->exchange != 0) stream.Abort(connection.oldest->exchange, PROBE_ABORTED_UNMATCHED);
    Remove(stream, connection, *connection.oldest);
  }
}

probe_reason Stitcher::EndRequest(sdk::Stream stream, Request& request, const Message& message) {
  const RequestHead& head = request.head;
  if (head.key == kMetadata && IsKnownLayout(head.key, head.version)) {
    const ParseState state =
        ParseMetadataResponse(message.bytes, head.version, message.cut,
                              [this](const NamedTopic& topic) { names_.Learn(topic.id, topic.name); });
    if (state != ParseState::kOk) return PROBE_UNDECODABLE_MALFORMED;
  }
  if (request.exchange == 0) return PROBE_IGNORED_CONFIGURED;
  if (head.key == kProduce) return EndProduce(stream, request, message);
  if (head.key == kFetch) return EndFetch(stream, request, message);
  if (IsCommit(head.key)) return EndCommit(stream, request, message);
  return EndOther(stream, request, message);
}

/// How many messages there were stands in the request, what became of them in the response.
probe_reason Stitcher::EndProduce(sdk::Stream stream, Request& request, const Message& message) {
  if (ParseProduceResponse(message.bytes, request.head.version, message.cut, &topics_) != ParseState::kOk)
    return PROBE_UNDECODABLE_MALFORMED;
  if (topics_.count == 0) {
    stream.Abort(request.exchange, PROBE_ABORTED_GAP);
    return kUsed;
  }
  for (std::size_t i = 0; i < topics_.count; ++i) {
    Topic& topic = topics_.items[i];
    const Topic* sent = Like(request.topics, topic);
    topic.batches = sent == nullptr ? Batches{.counted = false} : sent->batches;
    if (sent != nullptr && sent->partitions != topic.partitions) topic.batches.counted = false;
  }
  EmitTopics(stream, request, {topics_.items.data(), topics_.count},
             {.request = request, .end_ns = message.arrival.end_ns, .has_batches = true, .links = request.links});
  return kUsed;
}

probe_reason Stitcher::EndFetch(sdk::Stream stream, Request& request, const Message& message) {
  if (ParseFetchResponse(message.seen, request.head.version, &topics_) != ParseState::kOk)
    return PROBE_UNDECODABLE_MALFORMED;
  const probe_reason came_to = IsUncounted(topics_, message.cut) ? PROBE_UNDECODABLE_TRUNCATED : kUsed;
  Topic* const begin = topics_.items.data();
  const bool only_topic = topics_.complete && topics_.count == 1;
  Topic* const end = std::remove_if(begin, begin + topics_.count,
                                    [this](const Topic& topic) { return IsEmpty(topic, topics_.complete); });
  for (Topic* topic = begin; topic != end; ++topic) {
    if (topic->batches.has_offset) topic->offset = topic->batches.offset;
  }
  Operation base{.request = request,
                 .end_ns = message.arrival.end_ns,
                 .has_batches = true,
                 .links = {topics_.links.data(), topics_.link_count},
                 .error = ErrorName(topics_.error)};
  if (begin != end) {
    EmitTopics(stream, request, {begin, end}, base);
    return came_to;
  }
  if (!topics_.complete) base.has_batches = false;  // what there is was cut off
  base.exchange = request.exchange;
  base.topic = only_topic ? begin : nullptr;
  emitter_.Emit(stream, base);
  return came_to;
}

probe_reason Stitcher::EndCommit(sdk::Stream stream, Request& request, const Message& message) {
  const RequestHead& head = request.head;
  if (ParseCommitResponse(message.bytes, head.key, head.version, message.cut, &topics_) != ParseState::kOk)
    return PROBE_UNDECODABLE_MALFORMED;
  const Operation base{.request = request, .exchange = request.exchange, .end_ns = message.arrival.end_ns};
  if (topics_.count != 0)
    EmitTopics(stream, request, {topics_.items.data(), topics_.count}, base);
  else if (topics_.complete)
    emitter_.Emit(stream, base);  // nothing was committed
  else
    stream.Abort(request.exchange, PROBE_ABORTED_GAP);
  return kUsed;
}

probe_reason Stitcher::EndOther(sdk::Stream stream, Request& request, const Message& message) {
  const std::int16_t error = ErrorOf(message.bytes, request.head.key, request.head.version);
  emitter_.Emit(
      stream,
      {.request = request, .exchange = request.exchange, .end_ns = message.arrival.end_ns, .error = ErrorName(error)});
  return kUsed;
}

/// The first span is the request's own exchange; the others begin and end now.
void Stitcher::EmitTopics(sdk::Stream stream, const Request& request, std::span<const Topic> topics, Operation base) {
  const std::string_view error = base.error;
  for (const Topic& topic : topics) {
    const bool first = &topic == topics.data();
    base.exchange = first ? request.exchange : Emitter::Begin(stream, request.kind, request.arrival, false);
    base.topic = &topic;
    base.error = topic.error == 0 ? error : ErrorName(topic.error);
    emitter_.Emit(stream, base);
  }
}

// --- no response ----------------------------------------------------------------------------------------------------

void Stitcher::EndWithoutResponse(sdk::Stream stream, Request& request, std::string_view error, std::uint64_t end_ns) {
  if (request.exchange == 0) return;
  const bool messages = UseOf(request.head.key) == Use::kMessages;
  Operation base{.request = request,
                 .exchange = request.exchange,
                 .end_ns = end_ns,
                 .has_batches = messages,
                 .links = request.links,
                 .error = error};
  if (!request.topics.empty()) return EmitTopics(stream, request, request.topics, base);
  base.has_batches = false;
  emitter_.Emit(stream, base);
}

/// A consumer that closes while it polls has not failed: that poll has no end to tell of.
void Stitcher::EndAtClose(sdk::Stream stream, Request& request, std::uint32_t reason, std::uint64_t ktime_ns) {
  const bool orderly = reason == PROBE_CLOSE_LOCAL || reason == PROBE_CLOSE_PEER;
  switch (reason) {
    case PROBE_CLOSE_UNLOAD: return stream.Abort(request.exchange, PROBE_ABORTED_UNLOAD);
    case PROBE_CLOSE_EVICTED: return stream.Abort(request.exchange, PROBE_EVICTED_MEMORY);
    case PROBE_CLOSE_HANDED_OVER: return stream.Abort(request.exchange, PROBE_ABORTED_CLOSE);
    default: break;
  }
  if (request.doubtful) return stream.Abort(request.exchange, PROBE_ABORTED_GAP);
  if (orderly && request.head.key != kProduce) return stream.Abort(request.exchange, PROBE_ABORTED_CLOSE);
  EndWithoutResponse(stream, request, sdk::CloseFailure(reason), ktime_ns);
}

void Stitcher::OnClose(sdk::Stream stream, Connection& connection, std::uint32_t reason, std::uint64_t ktime_ns) {
  if (MayHaveAnswered(connection)) connection.Doubt();
  Release(stream, connection);
  while (connection.oldest != nullptr) {
    if (connection.oldest->exchange != 0) EndAtClose(stream, *connection.oldest, reason, ktime_ns);
    Remove(stream, connection, *connection.oldest);
  }
}

void Stitcher::Remove(sdk::Stream stream, Connection& connection, Request& request) {
  pins_.Unpin(request.arrival.generation);
  DropRequest(stream, connection, request);
}

}  // namespace probed::mod::kafka
