// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// What encoding costs, in instructions:
//
//   export GLIBC_TUNABLES=glibc.cpu.x86_rep_movsb_threshold=1073741824
//   valgrind --tool=callgrind --toggle-collect='*EncodeByHand*' encoder_cost hand
//   valgrind --tool=callgrind --toggle-collect='*EncodeByArena*' encoder_cost arena
//
// (Callgrind counts each byte that one `rep movsb` moves as an instruction; the tunable makes memcpy use vectors.)
// Both encode the same 512 spans of 12 attributes 20 times and say how many bytes came out. Instructions collected
// divided by 10240 is the price of a span. The arena gets everything it can use: a block of its own, no growth.
#include <google/protobuf/arena.h>

#include <cstdio>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "opentelemetry/proto/collector/trace/v1/trace_service.pb.h"
#include "server/export/resource.h"
#include "server/export/semconv.h"
#include "server/export/tests/test_span.h"

namespace probed::exporter {
namespace {

namespace otlp = opentelemetry::proto;
constexpr std::size_t kSpans = 512;
constexpr int kRounds = 20;

struct Input {
  KeyTable keys;
  std::vector<std::string> key_texts{""};
  Resource resource = MakeResource(1, {{"service.name", std::string("users")}, {"process.pid", std::int64_t{4711}}});
  Scope scope = MakeScope(1, "probed.http", "0.1.0");
  std::vector<TestSpan> spans;

  std::uint32_t Key(const char* text) {
    const std::uint32_t id = keys.Intern(text);
    if (id == key_texts.size()) key_texts.emplace_back(text);
    return id;
  }
};

void Fill(Input& input, std::mt19937_64& random) {
  TestSpan& span = input.spans.emplace_back(static_cast<std::uint8_t>(random()));
  SpanRecord& record = span.record();
  record.name = "GET /api/v1/users/*";
  record.flags = 0x301;
  record.start_utc_ns = 1'700'000'000'000'000'000 + random() % 1'000'000'000;
  record.end_utc_ns = record.start_utc_ns + random() % 5'000'000;
  record.parent_span_id[0] = 1;
  span.Text(input.Key("http.request.method"), "GET");
  span.Text(input.Key("url.path"), "/api/v1/users/" + std::to_string(random() % 100000) + "?page=3");
  span.Text(input.Key("url.scheme"), "http");
  span.Int(input.Key("http.response.status_code"), random() % 20 != 0 ? 200 : 404);
  span.Text(input.Key("http.route"), "/api/v1/users/*");
  span.Text(input.Key("server.address"), "users.shop.svc.cluster.local");
  span.Int(input.Key("server.port"), 8080);
  span.Text(input.Key("client.address"), "10.0.0.17");
  span.Int(input.Key("client.port"), static_cast<std::int64_t>(30000 + random() % 30000));
  span.Int(input.Key("http.request.body.size"), static_cast<std::int64_t>(random() % 300));
  span.Int(input.Key("http.response.body.size"), static_cast<std::int64_t>(random() % 4000));
  span.Text(input.Key("user_agent.original"), "Mozilla/5.0 (X11; Linux x86_64) curl/8.1");
}

void CopyAttributes(const Input& input, const SpanRecord& record, otlp::trace::v1::Span* span) {
  for (const probe_attribute_t& attribute : record.attributes) {
    auto* pair = span->add_attributes();
    pair->set_key(input.key_texts[attribute.key]);
    if (attribute.type == PROBE_ATTR_INT) {
      pair->mutable_value()->set_int_value(attribute.value.integer);
    } else {
      pair->mutable_value()->set_string_value(attribute.value.string.ptr, attribute.value.string.len);
    }
  }
}

void CopySpan(const Input& input, const SpanRecord& record, otlp::trace::v1::Span* span) {
  span->set_trace_id(record.trace_id, sizeof record.trace_id);
  span->set_span_id(record.span_id, sizeof record.span_id);
  span->set_parent_span_id(record.parent_span_id, sizeof record.parent_span_id);
  span->set_name(record.name.data(), record.name.size());
  span->set_kind(otlp::trace::v1::Span::SPAN_KIND_SERVER);
  span->set_start_time_unix_nano(record.start_utc_ns);
  span->set_end_time_unix_nano(record.end_utc_ns);
  span->set_flags(record.flags);
  CopyAttributes(input, record, span);
}

}  // namespace

// External, so that a profiler finds them by name.
std::size_t EncodeByHand(Input& input, BatchBuilder& builder);
std::size_t EncodeByArena(Input& input, char* block, std::size_t block_size, std::string& out);

[[gnu::noinline]] std::size_t EncodeByHand(Input& input, BatchBuilder& builder) {
  for (TestSpan& span : input.spans) builder.Append(input.resource, input.scope, span.record());
  return builder.Seal()->bytes.size();
}

[[gnu::noinline]] std::size_t EncodeByArena(Input& input, char* block, std::size_t block_size, std::string& out) {
  google::protobuf::ArenaOptions options;
  options.initial_block = block;
  options.initial_block_size = block_size;
  google::protobuf::Arena arena(options);
  auto* request = google::protobuf::Arena::CreateMessage<otlp::collector::trace::v1::ExportTraceServiceRequest>(&arena);
  auto* resource_spans = request->add_resource_spans();
  resource_spans->mutable_resource()->ParseFromString(input.resource.encoded);
  resource_spans->set_schema_url(std::string(kSchemaUrl));
  auto* scope_spans = resource_spans->add_scope_spans();
  scope_spans->mutable_scope()->ParseFromString(input.scope.encoded);
  scope_spans->set_schema_url(std::string(kSchemaUrl));
  for (TestSpan& span : input.spans) CopySpan(input, span.record(), scope_spans->add_spans());
  out.clear();
  request->AppendToString(&out);
  return out.size();
}

namespace {

int Run(bool by_hand) {
  Input input;
  std::mt19937_64 random(42);
  input.spans.reserve(kSpans);
  for (std::size_t i = 0; i < kSpans; ++i) Fill(input, random);
  BatchBuilder builder(input.keys);
  std::vector<char> block(8U << 20U);
  std::string out;
  std::size_t bytes = 0;
  for (int round = 0; round < kRounds; ++round) {
    bytes += by_hand ? EncodeByHand(input, builder) : EncodeByArena(input, block.data(), block.size(), out);
  }
  std::printf("%zu spans, %.1f bytes each\n", kSpans * kRounds, static_cast<double>(bytes) / (kSpans * kRounds));
  return 0;
}

}  // namespace
}  // namespace probed::exporter

int main(int argc, char** argv) {
  const std::string_view way = argc == 2 ? argv[1] : "";
  if (way != "hand" && way != "arena") {
    std::fputs("usage: encoder_cost hand|arena\n", stderr);
    return 2;
  }
  return probed::exporter::Run(way == "hand");
}
