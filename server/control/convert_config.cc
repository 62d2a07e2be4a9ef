// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/control/convert_config.h"

#include <limits>

#include "server/control/convert_enums.h"
#include "server/control/convert_sink.h"

namespace probed::control {
namespace {

using Texts = google::protobuf::RepeatedPtrField<std::string>;

void AddTexts(const std::vector<std::string>& from, Texts& to) {
  for (const std::string& text : from) *to.Add() = ValidUtf8(text);
}

std::vector<std::string> FromTexts(const Texts& from) { return {from.begin(), from.end()}; }

std::vector<std::uint16_t> FromPorts(const google::protobuf::RepeatedField<std::uint32_t>& ports,
                                     const std::string& path, Violations& violations) {
  std::vector<std::uint16_t> out;
  for (int i = 0; i < ports.size(); ++i) {
    if (ports[i] > std::numeric_limits<std::uint16_t>::max()) {
      violations.push_back({At(path, i), std::to_string(ports[i]) + " is no port: must be from 1 to 65535"});
    }
    out.push_back(static_cast<std::uint16_t>(ports[i]));
  }
  return out;
}

void CheckMode(v1::DesiredMode mode, const std::string& path, Violations& violations) {
  if (mode == v1::DESIRED_MODE_UNSPECIFIED || mode == v1::DESIRED_MODE_ACTIVE) return;
  violations.push_back({path, mode == v1::DESIRED_MODE_DISABLED ? "to take a module out, unload it"
                                                                : "only DESIRED_MODE_ACTIVE is accepted"});
}

template <typename Items>
auto FromProtos(const Items& items, const std::string& path, Violations& violations) {
  std::vector<decltype(FromProto(items[0], path, violations))> out;
  for (int i = 0; i < items.size(); ++i) out.push_back(FromProto(items[i], At(path, i), violations));
  return out;
}

/// "endpoint" → "sink.spec.endpoint", but "name" → "sink.name".
std::string SinkPath(const std::string& path, const std::string& field) {
  return field == "name" ? Below(path, field) : Below(Below(path, "spec"), field);
}

}  // namespace

v1::ModuleSpec ToProto(const config::Module& module) {
  v1::ModuleSpec out;
  out.set_name(ValidUtf8(module.name));
  out.set_config_json(ValidUtf8(module.config_json));
  out.set_mode(v1::DESIRED_MODE_ACTIVE);
  return out;
}

v1::Target ToProto(const config::Target& target) {
  v1::Target out;
  out.set_name(ValidUtf8(target.name));
  out.set_exclude(target.exclude);
  AddTexts(target.exe, *out.mutable_exe());
  for (const std::uint16_t port : target.ports) out.add_ports(port);
  for (const std::uint32_t pid : target.pids) out.add_pids(pid);
  AddTexts(target.cgroups, *out.mutable_cgroups());
  out.set_service_name(ValidUtf8(target.service_name));
  return out;
}

v1::Route ToProto(const config::Route& route) {
  v1::Route out;
  out.set_name(ValidUtf8(route.name));
  AddTexts(route.modules, *out.mutable_modules());
  AddTexts(route.services, *out.mutable_services());
  for (const config::Signal signal : route.signals) out.add_signals(ToProto(signal));
  for (const std::string& kind : route.kinds) out.add_kinds(SpanKindToProto(kind));
  AddTexts(route.sinks, *out.mutable_sinks());
  out.set_drop(route.drop);
  return out;
}

v1::Sink ToProto(const config::Sink& sink) {
  v1::Sink out;
  out.set_name(ValidUtf8(sink.name));
  *out.mutable_spec() = SinkSpecToProto(sink);
  return out;
}

config::Module FromProto(const v1::ModuleSpec& spec, const std::string& path, Violations& violations) {
  CheckMode(spec.mode(), Below(path, "mode"), violations);
  return {.name = spec.name(), .config_json = spec.config_json().empty() ? "{}" : spec.config_json()};
}

config::Target FromProto(const v1::Target& target, const std::string& path, Violations& violations) {
  return {.name = target.name(),
          .exclude = target.exclude(),
          .exe = FromTexts(target.exe()),
          .ports = FromPorts(target.ports(), Below(path, "ports"), violations),
          .pids = {target.pids().begin(), target.pids().end()},
          .cgroups = FromTexts(target.cgroups()),
          .service_name = target.service_name()};
}

config::Route FromProto(const v1::Route& route, const std::string& path, Violations& violations) {
  config::Route out{.name = route.name(),
                    .modules = FromTexts(route.modules()),
                    .services = FromTexts(route.services()),
                    .signals = {},
                    .kinds = {},
                    .sinks = FromTexts(route.sinks()),
                    .drop = route.drop()};
  for (int i = 0; i < route.signals_size(); ++i) {
    const auto signal = FromProto(route.signals(i), At(Below(path, "signals"), i), violations);
    if (signal) out.signals.push_back(*signal);
  }
  for (int i = 0; i < route.kinds_size(); ++i) {
    const auto kind = SpanKindFromProto(route.kinds(i), At(Below(path, "kinds"), i), violations);
    if (kind) out.kinds.push_back(*kind);
  }
  return out;
}

config::Sink FromProto(const v1::Sink& sink, const std::string& path, Violations& violations) {
  config::Sink out = SinkSpecFromProto(sink.spec(), Below(path, "spec"), violations);
  out.name = sink.name();
  return out;
}

v1::TargetTable ToProto(const std::vector<config::Target>& targets) {
  v1::TargetTable out;
  for (const config::Target& target : targets) *out.add_targets() = ToProto(target);
  return out;
}

v1::RouteTable ToProto(const std::vector<config::Route>& routes) {
  v1::RouteTable out;
  for (const config::Route& route : routes) *out.add_routes() = ToProto(route);
  return out;
}

std::vector<config::Target> FromProto(const v1::TargetTable& table, const std::string& path, Violations& violations) {
  return FromProtos(table.targets(), Below(path, "targets"), violations);
}

std::vector<config::Route> FromProto(const v1::RouteTable& table, const std::string& path, Violations& violations) {
  return FromProtos(table.routes(), Below(path, "routes"), violations);
}

v1::State ToProto(const config::State& state) {
  v1::State out;
  for (const config::Module& module : state.modules) *out.add_modules() = ToProto(module);
  for (const config::Target& target : state.targets) *out.add_targets() = ToProto(target);
  for (const config::Route& route : state.routes) *out.add_routes() = ToProto(route);
  for (const config::Sink& sink : state.sinks) *out.add_sinks() = ToProto(sink);
  return out;
}

Violations SinkPathsOfRequest(const std::string& path, Violations violations) {
  for (FieldViolation& violation : violations) violation.path = SinkPath(path, violation.path);
  return violations;
}

Violations ModulePathsOfRequest(const std::string& path, Violations violations) {
  for (FieldViolation& violation : violations) {
    const bool config = violation.path == "config" || violation.path.starts_with("config.");
    if (config) violation.path.replace(0, std::string_view("config").size(), "config_json");
  }
  return Under(path, std::move(violations));
}

}  // namespace probed::control
