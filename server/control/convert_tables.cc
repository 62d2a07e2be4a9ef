// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Routes, targets, the state as a whole, and what streams carry.
#include <array>

#include "server/control/convert.h"
#include "server/control/errors.h"

namespace probed::control {
namespace {

/// By number of v1::SpanKind, from 1.
constexpr std::array<const char*, 5> kKinds = {"internal", "server", "client", "producer", "consumer"};

v1::Signal SignalToProto(config::Signal signal) {
  switch (signal) {
    case config::Signal::kTraces: return v1::SIGNAL_TRACES;
    case config::Signal::kMetrics: return v1::SIGNAL_METRICS;
    case config::Signal::kLogs: return v1::SIGNAL_LOGS;
  }
  return v1::SIGNAL_UNSPECIFIED;
}

std::optional<config::Signal> SignalFromProto(int signal) {
  if (signal == v1::SIGNAL_TRACES) return config::Signal::kTraces;
  if (signal == v1::SIGNAL_METRICS) return config::Signal::kMetrics;
  if (signal == v1::SIGNAL_LOGS) return config::Signal::kLogs;
  return std::nullopt;
}

std::vector<std::string> Texts(const google::protobuf::RepeatedPtrField<std::string>& texts) {
  return {texts.begin(), texts.end()};
}

template <typename Out>
void SetTexts(const std::vector<std::string>& texts, Out* out) {
  for (const std::string& text : texts) *out->Add() = Utf8(text);
}

Status Invalid(const char* reason, const char* what, std::vector<FieldViolation> fields) {
  const std::string message = std::string(what) + ": " + fields[0].path + ": " + fields[0].description;
  return MakeError(absl::StatusCode::kInvalidArgument, message,
                   {.reason = reason, .metadata = {}, .fields = std::move(fields), .log_tail = {}});
}

std::string At(const std::string& list, int index) { return list + "[" + std::to_string(index) + "]"; }

void ToProto(const config::Route& route, v1::Route& out) {
  out.set_name(route.name);
  SetTexts(route.modules, out.mutable_modules());
  SetTexts(route.services, out.mutable_services());
  for (const config::Signal signal : route.signals) out.add_signals(SignalToProto(signal));
  for (const std::string& kind : route.kinds) {
    for (std::size_t i = 0; i < kKinds.size(); ++i) {
      if (kind == kKinds[i]) out.add_kinds(static_cast<v1::SpanKind>(i + 1));
    }
  }
  SetTexts(route.sinks, out.mutable_sinks());
  out.set_drop(route.drop);
}

config::Route RouteFromProto(const v1::Route& in, const std::string& path, std::vector<FieldViolation>& found) {
  config::Route route;
  route.name = in.name();
  route.modules = Texts(in.modules());
  route.services = Texts(in.services());
  for (int i = 0; i < in.signals_size(); ++i) {
    const auto signal = SignalFromProto(in.signals(i));
    if (signal) route.signals.push_back(*signal);
    if (!signal) found.push_back({At(path + ".signals", i), "is no signal that this daemon knows"});
  }
  for (int i = 0; i < in.kinds_size(); ++i) {
    const int kind = in.kinds(i);
    const bool known = kind >= 1 && kind <= static_cast<int>(kKinds.size());
    if (known) route.kinds.emplace_back(kKinds[static_cast<std::size_t>(kind - 1)]);
    if (!known) found.push_back({At(path + ".kinds", i), "is no span kind that this daemon knows"});
  }
  route.sinks = Texts(in.sinks());
  route.drop = in.drop();
  return route;
}

void ToProto(const config::Target& target, v1::Target& out) {
  out.set_name(target.name);
  out.set_exclude(target.exclude);
  SetTexts(target.exe, out.mutable_exe());
  for (const std::uint16_t port : target.ports) out.add_ports(port);
  for (const std::uint32_t pid : target.pids) out.add_pids(pid);
  SetTexts(target.cgroups, out.mutable_cgroups());
  out.set_service_name(Utf8(target.service_name));
}

config::Target TargetFromProto(const v1::Target& in, const std::string& path, std::vector<FieldViolation>& found) {
  config::Target target;
  target.name = in.name();
  target.exclude = in.exclude();
  target.exe = Texts(in.exe());
  for (int i = 0; i < in.ports_size(); ++i) {
    if (in.ports(i) > UINT16_MAX) found.push_back({At(path + ".ports", i), "must be from 1 to 65535"});
    target.ports.push_back(static_cast<std::uint16_t>(in.ports(i) & UINT16_MAX));
  }
  target.pids.assign(in.pids().begin(), in.pids().end());
  target.cgroups = Texts(in.cgroups());
  target.service_name = in.service_name();
  return target;
}

struct EventWriter {
  v1::WatchResponse& out;

  void operator()(const state::ModuleView& module) const {
    control::ToProto(module, Manifest::kWithout, *out.mutable_module());
  }
  void operator()(const state::SinkView& sink) const { control::ToProto(sink, *out.mutable_sink()); }
  void operator()(const state::RoutesView& routes) const { control::ToProto(routes, *out.mutable_routes()); }
  void operator()(const state::TargetsView& targets) const { control::ToProto(targets, *out.mutable_targets()); }
  void operator()(const state::RemovedResource& removed) const {
    out.mutable_removed()->set_kind(control::ToProto(removed.kind));
    out.mutable_removed()->set_name(removed.name);
  }
};

}  // namespace

void ToProto(const state::RoutesView& routes, v1::RouteTable& out) {
  for (const config::Route& route : routes.routes) ToProto(route, *out.add_routes());
  out.set_etag(routes.etag);
}

void ToProto(const state::TargetsView& targets, v1::TargetTable& out) {
  for (const config::Target& target : targets.targets) ToProto(target, *out.add_targets());
  out.set_etag(targets.etag);
}

Result<std::vector<config::Route>> FromProto(const v1::RouteTable& table) {
  std::vector<config::Route> routes;
  routes.reserve(static_cast<std::size_t>(table.routes_size()));
  std::vector<FieldViolation> found;
  for (int i = 0; i < table.routes_size(); ++i) {
    routes.push_back(RouteFromProto(table.routes(i), At("routes", i), found));
  }
  if (!found.empty()) return Invalid("ROUTES_INVALID", "the routes are not valid", std::move(found));
  return routes;
}

Result<std::vector<config::Target>> FromProto(const v1::TargetTable& table) {
  std::vector<config::Target> targets;
  targets.reserve(static_cast<std::size_t>(table.targets_size()));
  std::vector<FieldViolation> found;
  for (int i = 0; i < table.targets_size(); ++i) {
    targets.push_back(TargetFromProto(table.targets(i), At("targets", i), found));
  }
  if (!found.empty()) return Invalid("TARGETS_INVALID", "the targets are not valid", std::move(found));
  return targets;
}

void ToProto(const state::Snapshot& snapshot, v1::GetStateResponse& out) {
  v1::State& state = *out.mutable_state();
  state.set_generation(snapshot.generation);
  state.set_hash(snapshot.hash);
  state.set_etag(snapshot.hash);
  if (snapshot.changed_at_utc_ns != 0) SetTime(snapshot.changed_at_utc_ns, *state.mutable_changed_at());
  for (const config::Module& module : snapshot.state.modules) {
    v1::ModuleSpec& spec = *state.add_modules();
    spec.set_name(module.name);
    spec.set_config_json(Utf8(module.config_json));
    spec.set_mode(v1::DESIRED_MODE_ACTIVE);
  }
  for (const config::Target& target : snapshot.state.targets) ToProto(target, *state.add_targets());
  for (const config::Route& route : snapshot.state.routes) ToProto(route, *state.add_routes());
  for (const state::SinkView& sink : snapshot.sinks) {
    ToProto(sink, *out.add_sinks());
    *state.add_sinks() = out.sinks(out.sinks_size() - 1);
    state.mutable_sinks(state.sinks_size() - 1)->clear_status();
  }
  for (const state::ModuleView& module : snapshot.modules) {
    if (module.desired) ToProto(module, Manifest::kWithout, *out.add_modules());
  }
  for (const std::string& difference : snapshot.file_differences) out.add_file_differences(Utf8(difference));
  out.set_version(snapshot.version);
}

v1::ResourceKind ToProto(state::ResourceKind kind) {
  switch (kind) {
    case state::ResourceKind::kModule: return v1::RESOURCE_KIND_MODULE;
    case state::ResourceKind::kSink: return v1::RESOURCE_KIND_SINK;
    case state::ResourceKind::kRoutes: return v1::RESOURCE_KIND_ROUTES;
    case state::ResourceKind::kTargets: return v1::RESOURCE_KIND_TARGETS;
  }
  return v1::RESOURCE_KIND_UNSPECIFIED;
}

void ToProto(const state::WatchEvent& event, v1::WatchResponse& out) {
  out.set_version(event.version);
  SetTime(event.utc_ns, *out.mutable_time());
  std::visit(EventWriter{out}, event.what);
}

void ToProto(const state::TailItem& item, v1::TailItem& out) {
  out.set_signal(SignalToProto(item.signal));
  out.set_module(Utf8(item.module));
  out.set_service(Utf8(item.service));
  out.set_json(Utf8(item.json));
}

void ToProto(const state::LedgerLine& line, v1::LedgerLine& out) {
  out.set_scope(line.scope);
  for (const auto& [name, value] : line.counters) (*out.mutable_counters())[name] = value;
  out.set_imbalance(Utf8(line.imbalance));
}

Result<state::TailFilter> FromProto(const v1::TailRequest& request) {
  state::TailFilter filter;
  filter.modules = Texts(request.modules());
  filter.services = Texts(request.services());
  if (request.signals().empty()) return filter;
  filter.traces = false;
  for (int i = 0; i < request.signals_size(); ++i) {
    const auto signal = SignalFromProto(request.signals(i));
    if (!signal) {
      return Invalid("FILTER_INVALID", "the filter is not valid",
                     {{At("signals", i), "is no signal that this daemon knows"}});
    }
    filter.traces |= *signal == config::Signal::kTraces;
    filter.metrics |= *signal == config::Signal::kMetrics;
    filter.logs |= *signal == config::Signal::kLogs;
  }
  return filter;
}

}  // namespace probed::control
