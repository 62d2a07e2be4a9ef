// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "modules/sql/decode/emit.h"

#include <array>
#include <charconv>
#include <string>

namespace probed::mod::sql {

namespace {

std::array<std::uint32_t, Parameters::kMost> ParameterKeys(sdk::Host host) {
  std::array<std::uint32_t, Parameters::kMost> keys{};
  for (std::size_t i = 0; i < keys.size(); ++i) keys[i] = host.InternKey("db.query.parameter." + std::to_string(i));
  return keys;
}

}  // namespace

Keys::Keys(sdk::Host host)
    : system(host.InternKey("db.system.name")),
      name_space(host.InternKey("db.namespace")),
      summary(host.InternKey("db.query.summary")),
      query(host.InternKey("db.query.text")),
      batch_size(host.InternKey("db.operation.batch.size")),
      parameters(ParameterKeys(host)),
      parameters_truncated(host.InternKey("probed.db.parameters_truncated")),
      status_code(host.InternKey("db.response.status_code")),
      returned_rows(host.InternKey("db.response.returned_rows")),
      server_address(host.InternKey("server.address")),
      server_port(host.InternKey("server.port")),
      statement_unknown(host.InternKey("probed.db.statement_unknown")),
      text_truncated(host.InternKey("probed.db.text_truncated")),
      sql_state(host.InternKey("probed.db.sqlstate")),
      duration(host.InternInstrument("db.client.operation.duration")),
      compressed(host.InternInstrument("probed.db.connections.compressed")) {}

std::uint64_t BeginExchange(sdk::Stream stream, probe_span_kind kind, const Arrival& arrival) {
  probe_exchange_t exchange{};
  exchange.struct_size = sizeof(exchange);
  exchange.kind = kind;
  exchange.start_ns = arrival.ktime_ns;
  exchange.cookie = arrival.cookie;
  exchange.offset = arrival.offset;
  exchange.end_offset = arrival.offset + 1;
  exchange.wire_sequence = arrival.wire_sequence;
  exchange.layer = arrival.layer;
  exchange.cause = arrival.cause;
  return stream.Begin(exchange);
}

void Emitter::Emit(sdk::Stream stream, probe_span_kind kind, const Config& config, const ConnectionView& connection,
                   const OperationView& operation) {
  span_.Start(kind, operation.exchange);
  span_.Times(operation.start_ns, operation.end_ns);
  if (connection.kept->set != 0)
    span_.UseConstant(*connection.kept);
  else
    DescribeConnection(stream, kind, connection);
  if (const Text* text = operation.text; text != nullptr) {
    if (!text->summary().empty()) span_.String(keys_.summary, text->summary());
    if (config.query_text && !text->query().empty()) span_.String(keys_.query, text->query());
    if (text->batch_size != 0) span_.Int(keys_.batch_size, text->batch_size);
    if (text->truncated) span_.Bool(keys_.text_truncated, true);
  }
  if (operation.parameters != nullptr) {
    operation.parameters->Each(
        [&](std::size_t i, std::string_view value) { span_.String(keys_.parameters[i], value); });
    if (operation.parameters->truncated) span_.Bool(keys_.parameters_truncated, true);
  }
  if (operation.unknown) span_.Bool(keys_.statement_unknown, true);
  if (!operation.code.empty()) span_.String(keys_.status_code, operation.code);
  if (!operation.state.empty()) span_.String(keys_.sql_state, operation.state);
  if (config.returned_rows && operation.rows >= 0) span_.Int(keys_.returned_rows, operation.rows);
  span_.Name(NameOf(connection, operation));
  if (!operation.error.empty()) span_.Error(operation.error);
  if (kind == PROBE_SPAN_CLIENT) span_.Measure(keys_.duration, span_.seconds());
  span_.Emit(stream);
}

void Emitter::CountCompressed(sdk::Stream stream, probe_span_kind kind, std::string_view system) {
  const probe_open_t* open = stream.Open();
  sdk::AddressText server{};  // no address as long as the connection is not known
  if (open != nullptr) server.Set(kind == PROBE_SPAN_CLIENT ? open->peer : open->local);
  std::array<probe_attribute_t, 3> attributes{};
  attributes[0].key = keys_.system;
  attributes[0].type = PROBE_ATTR_STRING;
  attributes[0].value.string = sdk::ToAbi(system);
  attributes[1].key = keys_.server_address;
  attributes[1].type = PROBE_ATTR_STRING;
  attributes[1].value.string = sdk::ToAbi(server.address());
  attributes[2].key = keys_.server_port;
  attributes[2].type = PROBE_ATTR_INT;
  attributes[2].value.integer = server.port();
  probe_metric_point_t point{};
  point.struct_size = sizeof(point);
  point.instrument = keys_.compressed;
  point.value = 1;
  point.tgid = open == nullptr ? 0 : open->tgid;
  point.attributes = attributes.data();
  point.attribute_count = server.address().empty() ? 1 : 3;  // of a unix socket there is no address
  host_.EmitMetric(point);
}

/// The same for all spans of a connection, once its addresses are known.
void Emitter::DescribeConnection(sdk::Stream stream, probe_span_kind kind, const ConnectionView& connection) {
  const probe_open_t* open = stream.Open();
  span_.String(keys_.system, connection.system);
  if (!connection.name_space.empty()) span_.String(keys_.name_space, connection.name_space);
  if (open == nullptr) return;
  connection.server->Set(kind == PROBE_SPAN_CLIENT ? open->peer : open->local);
  if (!connection.server->address().empty()) {
    span_.String(keys_.server_address, connection.server->address());
    if (connection.server->port() != connection.default_port) span_.Int(keys_.server_port, connection.server->port());
  }
  span_.KeepConstant(connection.description, connection.kept);
}

/// The summary; without one the namespace, the address, the system.
std::string_view Emitter::NameOf(const ConnectionView& connection, const OperationView& operation) {
  if (operation.text != nullptr && !operation.text->summary().empty()) return operation.text->summary();
  if (!connection.name_space.empty()) return connection.name_space;
  if (connection.server->address().empty()) return connection.system;
  std::array<char, 5> digits{};
  const auto end = std::to_chars(digits.begin(), digits.end(), connection.server->port()).ptr;
  sdk::Scratch& scratch = span_.scratch();
  scratch.Start();
  scratch.Append(connection.server->address());
  scratch.Append(':');
  scratch.Append({digits.data(), static_cast<std::size_t>(end - digits.begin())});
  return scratch.Finish();
}

}  // namespace probed::mod::sql
