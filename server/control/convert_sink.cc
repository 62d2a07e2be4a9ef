// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/control/convert_sink.h"

#include "server/control/convert_enums.h"

namespace probed::control {
namespace {

v1::RetrySpec RetryToProto(const config::Retry& retry) {
  v1::RetrySpec out;
  out.set_enabled(retry.enabled);
  *out.mutable_initial_interval() = ToProto(retry.initial_interval);
  *out.mutable_max_interval() = ToProto(retry.max_interval);
  *out.mutable_max_elapsed() = ToProto(retry.max_elapsed);
  out.set_multiplier(retry.multiplier);
  out.set_randomization(retry.randomization);
  return out;
}

config::Retry RetryFromProto(const v1::RetrySpec& spec, const std::string& path, Violations& violations) {
  config::Retry out;
  const auto duration = [&](bool set, const google::protobuf::Duration& from, const char* field,
                            std::chrono::milliseconds& to) {
    if (set) to = FromProto(from, Below(path, field), violations);
  };
  if (spec.has_enabled()) out.enabled = spec.enabled();
  duration(spec.has_initial_interval(), spec.initial_interval(), "initial_interval", out.initial_interval);
  duration(spec.has_max_interval(), spec.max_interval(), "max_interval", out.max_interval);
  duration(spec.has_max_elapsed(), spec.max_elapsed(), "max_elapsed", out.max_elapsed);
  if (spec.has_multiplier()) out.multiplier = spec.multiplier();
  if (spec.has_randomization()) out.randomization = spec.randomization();
  return out;
}

void TransportToProto(const config::Sink& sink, v1::SinkSpec& out) {
  for (const auto& [name, value] : sink.headers) (*out.mutable_headers())[ValidUtf8(name)] = ValidUtf8(value);
  out.set_compression(ToProto(sink.compression));
  out.set_insecure(sink.insecure);
  out.set_ca_file(ValidUtf8(sink.ca_file));
  out.set_cert_file(ValidUtf8(sink.cert_file));
  out.set_key_file(ValidUtf8(sink.key_file));
}

bool IsOtlp(config::SinkType type) {
  return type == config::SinkType::kOtlpGrpc || type == config::SinkType::kOtlpHttp;
}

void EnumsFromProto(const v1::SinkSpec& spec, const std::string& path, Violations& violations, config::Sink& out) {
  out.type = FromProto(spec.type(), Below(path, "type"), violations).value_or(out.type);
  out.compression = FromProto(spec.compression(), Below(path, "compression"), violations).value_or(out.compression);
  out.temporality = FromProto(spec.temporality(), Below(path, "temporality"), violations).value_or(out.temporality);
}

void OptionalsFromProto(const v1::SinkSpec& spec, config::Sink& out) {
  if (spec.has_insecure()) out.insecure = spec.insecure();
  if (spec.has_queue_batches()) out.queue_batches = spec.queue_batches();
  if (spec.has_rotate_bytes()) out.rotate_bytes = spec.rotate_bytes();
  if (spec.has_rotate_keep()) out.rotate_keep = spec.rotate_keep();
}

}  // namespace

v1::SinkSpec SinkSpecToProto(const config::Sink& sink) {
  v1::SinkSpec out;
  out.set_type(ToProto(sink.type));
  out.set_endpoint(ValidUtf8(sink.endpoint));
  out.set_path(ValidUtf8(sink.path));
  if (IsOtlp(sink.type)) TransportToProto(sink, out);
  *out.mutable_timeout() = ToProto(sink.timeout);
  out.set_queue_batches(sink.queue_batches);
  *out.mutable_retry() = RetryToProto(sink.retry);
  out.set_temporality(ToProto(sink.temporality));
  if (sink.type == config::SinkType::kFile) {
    out.set_rotate_bytes(sink.rotate_bytes);
    out.set_rotate_keep(sink.rotate_keep);
  }
  return out;
}

config::Sink SinkSpecFromProto(const v1::SinkSpec& spec, const std::string& path, Violations& violations) {
  config::Sink out;
  EnumsFromProto(spec, path, violations, out);
  OptionalsFromProto(spec, out);
  out.endpoint = spec.endpoint();
  out.path = spec.path();
  out.headers = {spec.headers().begin(), spec.headers().end()};
  if (spec.has_timeout()) out.timeout = FromProto(spec.timeout(), Below(path, "timeout"), violations);
  out.ca_file = spec.ca_file();
  out.cert_file = spec.cert_file();
  out.key_file = spec.key_file();
  if (spec.has_retry()) out.retry = RetryFromProto(spec.retry(), Below(path, "retry"), violations);
  return out;
}

}  // namespace probed::control
