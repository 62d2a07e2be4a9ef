// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "modules/kafka/decode/emit.h"

#include <array>
#include <charconv>

#include "modules/kafka/decode/api.h"

namespace probed::mod::kafka {
namespace {

std::string_view NumberText(std::int64_t number, sdk::Scratch& scratch) {
  std::array<char, 20> digits{};
  const auto* end = std::to_chars(digits.begin(), digits.end(), number).ptr;
  scratch.Start();
  scratch.Append({digits.data(), static_cast<std::size_t>(end - digits.data())});
  return scratch.Finish();
}

}  // namespace

Keys::Keys(sdk::Host host)
    : system(host.InternKey("messaging.system.name")),
      operation_name(host.InternKey("messaging.operation.name")),
      operation_type(host.InternKey("messaging.operation.type")),
      destination(host.InternKey("messaging.destination.name")),
      partition(host.InternKey("messaging.destination.partition.id")),
      group(host.InternKey("messaging.consumer.group.name")),
      client_id(host.InternKey("messaging.client.id")),
      message_count(host.InternKey("messaging.batch.message_count")),
      message_key(host.InternKey("kafka.message.key")),
      tombstone(host.InternKey("kafka.message.tombstone")),
      offset(host.InternKey("kafka.offset")),
      server_address(host.InternKey("server.address")),
      server_port(host.InternKey("server.port")),
      client_address(host.InternKey("client.address")),
      client_port(host.InternKey("client.port")),
      peer_address(host.InternKey("network.peer.address")),
      peer_port(host.InternKey("network.peer.port")),
      duration(host.InternInstrument("messaging.client.operation.duration")),
      sent(host.InternInstrument("messaging.client.sent.messages")),
      consumed(host.InternInstrument("messaging.client.consumed.messages")) {}

std::uint64_t Emitter::Begin(sdk::Stream stream, probe_span_kind kind, const Arrival& request, bool first) {
  probe_exchange_t exchange = sdk::ExchangeOf(kind, request);
  if (!first) exchange.wire_sequence = 0;  // it joins one span at each end
  return stream.Begin(exchange);
}

void Emitter::Emit(sdk::Stream stream, const Operation& operation) {
  const Request& request = operation.request;
  span_.Start(request.kind, operation.exchange);
  span_.Times(request.arrival.begin_ns, operation.end_ns);
  span_.String(keys_.system, "kafka");
  const std::string_view name = OperationName(request.head.key);
  const std::string_view type = OperationType(request.head.key);
  const std::string_view destination = NameOf(operation.topic);
  span_.String(keys_.operation_name, name);
  if (!type.empty()) span_.String(keys_.operation_type, type);
  if (!destination.empty()) span_.String(keys_.destination, destination);
  if (!request.group.empty()) span_.String(keys_.group, request.group);
  if (!request.head.client_id.empty()) span_.String(keys_.client_id, request.head.client_id);
  Addresses(stream, request);
  Name(name, destination);
  Messages(operation);
  if (!operation.error.empty()) span_.Error(operation.error);
  Measure(operation);
  span_.Emit(stream);
}

std::string_view Emitter::NameOf(const Topic* topic) const {
  if (topic == nullptr) return {};
  return topic->by_id ? names_.Find(topic->id) : topic->name;
}

/// Where there is no destination the server stands for it.
void Emitter::Name(std::string_view operation, std::string_view destination) {
  const std::string_view port = NumberText(server_.port(), span_.scratch());
  sdk::Scratch& scratch = span_.scratch();
  scratch.Start();
  scratch.Append(operation);
  if (!destination.empty() || !server_.address().empty()) scratch.Append(' ');
  scratch.Append(destination.empty() ? server_.address() : destination);
  if (destination.empty() && !server_.address().empty()) {
    scratch.Append(':');
    scratch.Append(port);
  }
  span_.Name(scratch.Finish());
}

void Emitter::Addresses(sdk::Stream stream, const Request& request) {
  server_ = {};
  const probe_open_t* open = stream.Open();
  if (open == nullptr) return;
  const bool is_server = request.kind == PROBE_SPAN_SERVER;
  server_.Set(is_server ? open->local : open->peer);
  if (!server_.address().empty()) {
    span_.String(keys_.server_address, server_.address());
    span_.Int(keys_.server_port, server_.port());
  }
  peer_.Set(open->peer);
  if (peer_.address().empty()) return;
  if (is_server) {
    span_.String(keys_.client_address, peer_.address());
    span_.Int(keys_.client_port, peer_.port());
  }
  span_.String(keys_.peer_address, peer_.address());
  span_.Int(keys_.peer_port, peer_.port());
}

void Emitter::Messages(const Operation& operation) {
  const Topic* topic = operation.topic;
  if (topic != nullptr && topic->partitions == 1 && topic->seen == 1)
    span_.String(keys_.partition, NumberText(topic->partition, span_.scratch()));
  if (!operation.has_batches) return;
  const Batches batches = topic == nullptr ? Batches{} : topic->batches;
  if (batches.counted) span_.Int(keys_.message_count, static_cast<std::int64_t>(batches.messages));
  span_.Links(operation.links.subspan(batches.first_link, batches.links));
  if (!batches.counted || batches.messages != 1) return;
  if (topic->offset >= 0) span_.Int(keys_.offset, topic->offset);
  if (!batches.has_offset) return;
  if (batches.has_key) span_.String(keys_.message_key, batches.key);
  if (batches.tombstone) span_.Bool(keys_.tombstone, true);
}

/// The instruments are those of clients.
void Emitter::Measure(const Operation& operation) {
  if (operation.request.kind == PROBE_SPAN_SERVER) return;
  span_.Measure(keys_.duration, span_.seconds());
  if (!operation.has_batches || operation.topic == nullptr) return;
  const Batches& batches = operation.topic->batches;
  if (!batches.counted || batches.messages == 0) return;
  const bool sends = operation.request.head.key == kProduce;
  span_.Measure(sends ? keys_.sent : keys_.consumed, static_cast<double>(batches.messages));
}

}  // namespace probed::mod::kafka
