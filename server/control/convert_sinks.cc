// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include <utility>

#include "server/control/convert.h"
#include "server/control/errors.h"

namespace probed::control {
namespace {

using std::chrono::milliseconds;
using Violations = std::vector<FieldViolation>;

constexpr std::int64_t kLongestSeconds = 1000LL * 365 * 24 * 3600;

template <typename A, typename B, std::size_t N>
std::optional<B> Find(const std::pair<A, B> (&table)[N], A key) {
  for (const auto& [from, to] : table) {
    if (from == key) return to;
  }
  return std::nullopt;
}

constexpr std::pair<v1::SinkType, config::SinkType> kTypes[] = {
    {v1::SINK_TYPE_OTLP_GRPC, config::SinkType::kOtlpGrpc},
    {v1::SINK_TYPE_OTLP_HTTP, config::SinkType::kOtlpHttp},
    {v1::SINK_TYPE_FILE, config::SinkType::kFile},
    {v1::SINK_TYPE_CONSOLE, config::SinkType::kConsole},
    {v1::SINK_TYPE_PROMETHEUS, config::SinkType::kPrometheus}};

v1::SinkType TypeToProto(config::SinkType type) {
  for (const auto& [to, from] : kTypes) {
    if (from == type) return to;
  }
  return v1::SINK_TYPE_UNSPECIFIED;
}

v1::SinkHealth HealthToProto(const std::string& state) {
  if (state == "ok") return v1::SINK_HEALTH_OK;
  if (state == "retrying") return v1::SINK_HEALTH_RETRYING;
  if (state == "failing") return v1::SINK_HEALTH_FAILING;
  if (state == "idle" || state.empty()) return v1::SINK_HEALTH_IDLE;
  return v1::SINK_HEALTH_UNSPECIFIED;
}

void SetDuration(milliseconds value, google::protobuf::Duration& out) {
  out.set_seconds(value.count() / 1000);
  out.set_nanos(static_cast<std::int32_t>(value.count() % 1000 * 1'000'000));
}

void ReadDuration(const google::protobuf::Duration& in, const char* path, milliseconds& out, Violations& violations) {
  if (in.seconds() < 0 || in.nanos() < 0 || in.seconds() > kLongestSeconds) {
    violations.push_back({path, "must be a duration that is not negative"});
    return;
  }
  out = milliseconds(in.seconds() * 1000 + in.nanos() / 1'000'000);
}

void ToProto(const config::Retry& retry, v1::RetrySpec& out) {
  out.set_enabled(retry.enabled);
  SetDuration(retry.initial_interval, *out.mutable_initial_interval());
  SetDuration(retry.max_interval, *out.mutable_max_interval());
  SetDuration(retry.max_elapsed, *out.mutable_max_elapsed());
  out.set_multiplier(retry.multiplier);
  out.set_randomization(retry.randomization);
}

void FromProto(const v1::RetrySpec& in, config::Retry& retry, Violations& found) {
  if (in.has_enabled()) retry.enabled = in.enabled();
  if (in.has_initial_interval()) {
    ReadDuration(in.initial_interval(), "sink.retry.initial_interval", retry.initial_interval, found);
  }
  if (in.has_max_interval()) ReadDuration(in.max_interval(), "sink.retry.max_interval", retry.max_interval, found);
  if (in.has_max_elapsed()) ReadDuration(in.max_elapsed(), "sink.retry.max_elapsed", retry.max_elapsed, found);
  if (in.has_multiplier()) retry.multiplier = in.multiplier();
  if (in.has_randomization()) retry.randomization = in.randomization();
}

void SpecToProto(const config::Sink& sink, v1::SinkSpec& out) {
  out.set_type(TypeToProto(sink.type));
  out.set_endpoint(sink.endpoint);
  out.set_path(sink.path);
  for (const auto& [name, value] : sink.headers) (*out.mutable_headers())[name] = Utf8(value);
  out.set_compression(sink.compression == config::Compression::kGzip ? v1::COMPRESSION_GZIP : v1::COMPRESSION_NONE);
  SetDuration(sink.timeout, *out.mutable_timeout());
  out.set_insecure(sink.insecure);
  out.set_ca_file(sink.ca_file);
  out.set_cert_file(sink.cert_file);
  out.set_key_file(sink.key_file);
  out.set_queue_batches(sink.queue_batches);
  ToProto(sink.retry, *out.mutable_retry());
  out.set_temporality(sink.temporality == config::Temporality::kDelta ? v1::TEMPORALITY_DELTA
                                                                      : v1::TEMPORALITY_CUMULATIVE);
  out.set_rotate_bytes(sink.rotate_bytes);
  out.set_rotate_keep(sink.rotate_keep);
}

void EnumsFromProto(const v1::SinkSpec& spec, config::Sink& sink, Violations& found) {
  const auto type = Find(kTypes, spec.type());
  if (!type) found.push_back({"sink.type", "is required: a kind of sink that this daemon knows"});
  sink.type = type.value_or(sink.type);
  if (!v1::Compression_IsValid(spec.compression())) found.push_back({"sink.compression", "is unknown to this daemon"});
  if (spec.compression() == v1::COMPRESSION_GZIP) sink.compression = config::Compression::kGzip;
  if (!v1::Temporality_IsValid(spec.temporality())) found.push_back({"sink.temporality", "is unknown to this daemon"});
  if (spec.temporality() == v1::TEMPORALITY_DELTA) sink.temporality = config::Temporality::kDelta;
}

void SpecFromProto(const v1::SinkSpec& spec, config::Sink& sink, Violations& found) {
  EnumsFromProto(spec, sink, found);
  sink.endpoint = spec.endpoint();
  sink.path = spec.path();
  for (const auto& [name, value] : spec.headers()) sink.headers[name] = value;
  if (spec.has_timeout()) ReadDuration(spec.timeout(), "sink.timeout", sink.timeout, found);
  if (spec.has_insecure()) sink.insecure = spec.insecure();
  sink.ca_file = spec.ca_file();
  sink.cert_file = spec.cert_file();
  sink.key_file = spec.key_file();
  if (spec.has_queue_batches()) sink.queue_batches = spec.queue_batches();
  if (spec.has_retry()) FromProto(spec.retry(), sink.retry, found);
  if (spec.has_rotate_bytes()) sink.rotate_bytes = spec.rotate_bytes();
  if (spec.has_rotate_keep()) sink.rotate_keep = spec.rotate_keep();
}

}  // namespace

void ToProto(const state::SinkView& sink, v1::Sink& out) {
  out.set_name(sink.sink.name);
  SpecToProto(sink.sink, *out.mutable_spec());
  v1::SinkStatus& status = *out.mutable_status();
  status.set_health(HealthToProto(sink.status.state));
  status.set_last_error(Utf8(sink.status.last_error));
  status.set_queued_items(sink.status.queued_items);
  status.set_sent_items(sink.status.sent_items);
  status.set_rejected_items(sink.status.rejected_items);
  status.set_dropped_items(sink.status.dropped_items);
  out.set_etag(sink.etag);
}

Result<config::Sink> FromProto(const v1::Sink& sink) {
  config::Sink out;
  Violations found;
  out.name = sink.name();
  SpecFromProto(sink.spec(), out, found);
  if (found.empty()) return out;
  const std::string message = "the sink is not valid: " + found[0].path + ": " + found[0].description;
  return MakeError(absl::StatusCode::kInvalidArgument, message,
                   {.reason = "SINK_INVALID", .metadata = {}, .fields = std::move(found), .log_tail = {}});
}

}  // namespace probed::control
