// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/state/snapshot.h"

#include <algorithm>
#include <tuple>

#include "server/config/yaml.h"
#include "server/state/hash.h"

namespace probed::state {
namespace {

bool Same(const Condition& a, const Condition& b) {
  return std::tie(a.type, a.reason, a.message) == std::tie(b.type, b.reason, b.message);
}

bool Same(const std::vector<Condition>& a, const std::vector<Condition>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const Condition& x, const Condition& y) { return Same(x, y); });
}

bool Same(const std::optional<ModuleDescription>& a, const std::optional<ModuleDescription>& b) {
  if (!a || !b) return a.has_value() == b.has_value();
  return std::tie(a->digest, a->path, a->problem) == std::tie(b->digest, b->path, b->problem);
}

}  // namespace

const ModuleView* FindModule(const Snapshot& snapshot, const std::string& name) {
  for (const ModuleView& module : snapshot.modules) {
    if (module.name == name) return &module;
  }
  return nullptr;
}

const SinkView* FindSink(const Snapshot& snapshot, const std::string& name) {
  for (const SinkView& sink : snapshot.sinks) {
    if (sink.sink.name == name) return &sink;
  }
  return nullptr;
}

std::string ModuleEtag(bool desired, const std::string& config_json) {
  return ShortHash(desired ? "active " + config_json : "disabled");
}

std::string SinkEtag(const config::Sink& sink) {
  config::State state;
  state.sinks = {sink};
  return ShortHash(config::ToYaml(state));
}

std::string TargetsEtag(const std::vector<config::Target>& targets) {
  config::State state;
  state.targets = targets;
  return ShortHash(config::ToYaml(state));
}

std::string RoutesEtag(const std::vector<config::Route>& routes) {
  config::State state;
  state.routes = routes;
  return ShortHash(config::ToYaml(state));
}

std::string StateHash(const config::State& state) { return Sha256(config::ToYaml(state)); }

bool SameForWatch(const ModuleView& a, const ModuleView& b) {
  return a.etag == b.etag && a.standing.phase == b.standing.phase && a.standing.generation == b.standing.generation &&
         Same(a.standing.conditions, b.standing.conditions) && Same(a.description, b.description);
}

bool SameForWatch(const SinkView& a, const SinkView& b) {
  return a.sink == b.sink && a.status.state == b.status.state && a.status.last_error == b.status.last_error;
}

}  // namespace probed::state
