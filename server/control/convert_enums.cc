// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/control/convert_enums.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/generated_enum_reflection.h>

#include <array>
#include <string_view>
#include <utility>

namespace probed::control {
namespace {

template <typename Proto, typename Value, std::size_t n>
using Table = std::array<std::pair<Proto, Value>, n>;

constexpr Table<v1::SinkType, config::SinkType, 5> kSinkTypes = {{
    {v1::SINK_TYPE_OTLP_GRPC, config::SinkType::kOtlpGrpc},
    {v1::SINK_TYPE_OTLP_HTTP, config::SinkType::kOtlpHttp},
    {v1::SINK_TYPE_FILE, config::SinkType::kFile},
    {v1::SINK_TYPE_CONSOLE, config::SinkType::kConsole},
    {v1::SINK_TYPE_PROMETHEUS, config::SinkType::kPrometheus},
}};
constexpr Table<v1::Compression, config::Compression, 2> kCompressions = {{
    {v1::COMPRESSION_NONE, config::Compression::kNone},
    {v1::COMPRESSION_GZIP, config::Compression::kGzip},
}};
constexpr Table<v1::Temporality, config::Temporality, 2> kTemporalities = {{
    {v1::TEMPORALITY_CUMULATIVE, config::Temporality::kCumulative},
    {v1::TEMPORALITY_DELTA, config::Temporality::kDelta},
}};
constexpr Table<v1::Signal, config::Signal, 3> kSignals = {{
    {v1::SIGNAL_TRACES, config::Signal::kTraces},
    {v1::SIGNAL_METRICS, config::Signal::kMetrics},
    {v1::SIGNAL_LOGS, config::Signal::kLogs},
}};
constexpr Table<v1::SpanKind, std::string_view, 5> kSpanKinds = {{
    {v1::SPAN_KIND_INTERNAL, "internal"},
    {v1::SPAN_KIND_SERVER, "server"},
    {v1::SPAN_KIND_CLIENT, "client"},
    {v1::SPAN_KIND_PRODUCER, "producer"},
    {v1::SPAN_KIND_CONSUMER, "consumer"},
}};
constexpr Table<v1::SinkHealth, std::string_view, 4> kSinkHealths = {{
    {v1::SINK_HEALTH_IDLE, "idle"},
    {v1::SINK_HEALTH_OK, "ok"},
    {v1::SINK_HEALTH_RETRYING, "retrying"},
    {v1::SINK_HEALTH_FAILING, "failing"},
}};

/// The proto's value; UNSPECIFIED (0 in each enum) for what the table does not hold.
template <typename Proto, typename Value, std::size_t n>
Proto ToProtoBy(const Table<Proto, Value, n>& table, const Value& value) {
  for (const auto& [proto, candidate] : table) {
    if (candidate == value) return proto;
  }
  return static_cast<Proto>(0);
}

/// The names as the proto has them.
template <typename Proto, typename Value, std::size_t n>
std::string Names(const Table<Proto, Value, n>& table) {
  std::string out;
  for (const auto& [proto, value] : table) {
    out += (out.empty() ? "" : ", ") + google::protobuf::GetEnumDescriptor<Proto>()->FindValueByNumber(proto)->name();
  }
  return out;
}

template <typename Proto, typename Value, std::size_t n>
std::optional<Value> FromProtoBy(const Table<Proto, Value, n>& table, Proto proto, const std::string& path,
                                 Violations& violations) {
  for (const auto& [candidate, value] : table) {
    if (candidate == proto) return value;
  }
  const int number = static_cast<int>(proto);
  const std::string problem = number == 0 ? "is required" : std::to_string(number) + " is not known to this daemon";
  violations.push_back({path, problem + ": one of " + Names(table)});
  return std::nullopt;
}

}  // namespace

v1::SinkType ToProto(config::SinkType type) { return ToProtoBy(kSinkTypes, type); }
v1::Compression ToProto(config::Compression compression) { return ToProtoBy(kCompressions, compression); }
v1::Temporality ToProto(config::Temporality temporality) { return ToProtoBy(kTemporalities, temporality); }
v1::Signal ToProto(config::Signal signal) { return ToProtoBy(kSignals, signal); }
v1::SpanKind SpanKindToProto(const std::string& kind) { return ToProtoBy(kSpanKinds, std::string_view(kind)); }
v1::SinkHealth SinkHealthToProto(const std::string& state) { return ToProtoBy(kSinkHealths, std::string_view(state)); }

std::optional<config::SinkType> FromProto(v1::SinkType type, const std::string& path, Violations& violations) {
  return FromProtoBy(kSinkTypes, type, path, violations);
}

std::optional<config::Compression> FromProto(v1::Compression value, const std::string& path, Violations& violations) {
  if (value == v1::COMPRESSION_UNSPECIFIED) return config::Compression::kNone;
  return FromProtoBy(kCompressions, value, path, violations);
}

std::optional<config::Temporality> FromProto(v1::Temporality value, const std::string& path, Violations& violations) {
  if (value == v1::TEMPORALITY_UNSPECIFIED) return config::Temporality::kCumulative;
  return FromProtoBy(kTemporalities, value, path, violations);
}

std::optional<config::Signal> FromProto(v1::Signal signal, const std::string& path, Violations& violations) {
  return FromProtoBy(kSignals, signal, path, violations);
}

std::optional<std::string> SpanKindFromProto(v1::SpanKind kind, const std::string& path, Violations& violations) {
  const std::optional<std::string_view> word = FromProtoBy(kSpanKinds, kind, path, violations);
  if (!word) return std::nullopt;
  return std::string(*word);
}

}  // namespace probed::control
