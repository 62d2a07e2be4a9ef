// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// What linking and measuring cost per span, in instructions. Not run by ctest; the cost of one round is the difference
// of two runs:
//
//   valgrind --tool=callgrind --callgrind-out-file=/dev/null pipeline_cost link 1000
//   valgrind --tool=callgrind --callgrind-out-file=/dev/null pipeline_cost link 101000
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "server/pipeline/link_table.h"
#include "server/pipeline/metrics_aggregator.h"

namespace probed::pipeline {
namespace {

constexpr std::uint64_t kStepNs = 50'000;  // 20 000 per second

/// A keep-alive request on one of 64 connections, and the request to an upstream that it causes: two exchanges.
void Link(std::uint64_t rounds) {
  LinkTable table;
  IdGenerator ids({1, 2, 3, 4});
  SpanContext context;
  for (std::uint64_t i = 0; i < rounds; ++i) {
    ExchangeInfo server;
    server.kind = PROBE_SPAN_SERVER;
    server.cookie = 1 + i % 64;
    server.offset = server.segment_offset = i / 64 * 100;
    server.end_offset = server.offset + 70;
    server.start_ns = 1'000'000'000 + i * kStepNs;
    server.pair = {server.cookie, server.cookie * 3, false};
    server.wire_sequence = static_cast<std::uint32_t>(1 + i);
    const ExchangeId parent = table.Begin(server, ids);
    ExchangeInfo client = server;
    client.kind = PROBE_SPAN_CLIENT;
    client.cookie += 1000;
    client.pair = {server.cookie * 5, server.cookie * 7, false};
    client.cause.cookie = server.cookie;
    client.cause.offset = server.offset;
    client.start_ns += 1000;
    const ExchangeId child = table.Begin(client, ids);
    table.End(child, client.start_ns + 1000, client.start_ns, ids, context);
    table.End(parent, client.start_ns + 2000, client.start_ns, ids, context);
  }
  std::printf("%llu linked of %llu\n", static_cast<unsigned long long>(table.counters().linked_cause),
              static_cast<unsigned long long>(rounds));
}

probe_attribute_t Text(std::uint32_t key, std::string_view text) {
  probe_attribute_t attribute{};
  attribute.key = key;
  attribute.type = PROBE_ATTR_STRING;
  attribute.value.string = {text.data(), text.size()};
  return attribute;
}

/// One measurement of a known series: fifteen attributes, of which the instrument keeps five.
void Measure(std::uint64_t rounds, std::size_t measurements) {
  MetricsAggregator metrics({}, 0);
  InstrumentSpec spec;
  spec.name = "http.server.request.duration";
  spec.kind = InstrumentKind::kHistogram;
  spec.bounds = {0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10};
  spec.attributes = {{1, "http.request.method"},      {3, "url.scheme"}, {5, "http.response.status_code"},
                     {7, "network.protocol.version"}, {9, "http.route"}, {99, "error.type"}};
  std::vector<probe_measurement_t> measured;
  for (std::size_t i = 0; i < measurements; ++i) {
    measured.push_back({*metrics.Declare(spec), 0, 0.02});
    spec.name += ".more";
  }
  std::vector<probe_attribute_t> attributes;
  for (std::uint32_t key = 1; key <= 15; ++key) attributes.push_back(Text(key, "value of some"));
  attributes[0] = Text(1, "GET");
  attributes[2] = Text(3, "http");
  attributes[4].type = PROBE_ATTR_INT;
  attributes[4].value.integer = 200;
  attributes[6] = Text(7, "1.1");
  const auto resource = std::make_shared<const exporter::Resource>(exporter::Resource{1, {}, {}});
  for (std::uint64_t i = 0; i < rounds; ++i) metrics.Record(0, resource, {measured, attributes});
  std::printf("%zu series\n", measured.size());
}

}  // namespace
}  // namespace probed::pipeline

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const std::string_view what = argv[1];
  const std::uint64_t rounds = std::strtoull(argv[2], nullptr, 10);
  if (what == "link") probed::pipeline::Link(rounds);
  if (what == "measure") probed::pipeline::Measure(rounds, 1);
  if (what == "measure3") probed::pipeline::Measure(rounds, 3);
  return 0;
}
