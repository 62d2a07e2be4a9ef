// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/state/planner.h"

#include <nlohmann/json.hpp>

namespace probed::state {
namespace {

template <typename T>
const T* Find(const std::vector<T>& items, const std::string& name) {
  for (const T& item : items) {
    if (item.name == name) return &item;
  }
  return nullptr;
}

void PlanSinkPuts(const config::State& current, const config::State& desired, std::vector<Change>& plan) {
  for (const config::Sink& sink : desired.sinks) {
    const config::Sink* before = Find(current.sinks, sink.name);
    if (before == nullptr) plan.emplace_back(PutSink{sink, std::nullopt});
    if (before != nullptr && *before != sink) plan.emplace_back(PutSink{sink, *before});
  }
}

void PlanModules(const config::State& current, const config::State& desired, std::vector<Change>& plan) {
  std::vector<Change> loads;
  for (const config::Module& module : desired.modules) {
    const config::Module* before = Find(current.modules, module.name);
    if (before == nullptr) loads.emplace_back(LoadModule{module});
    if (before != nullptr && !SameConfig(before->config_json, module.config_json)) {
      plan.emplace_back(ConfigureModule{module, *before});
    }
  }
  for (Change& load : loads) plan.push_back(std::move(load));
  for (const config::Module& module : current.modules) {
    if (Find(desired.modules, module.name) == nullptr) plan.emplace_back(UnloadModule{module});
  }
}

struct Describer {
  std::string operator()(const PutSink& c) const { return (c.before ? "change sink " : "add sink ") + c.sink.name; }
  std::string operator()(const SetTargets&) const { return "set the targets"; }
  std::string operator()(const SetRoutes&) const { return "set the routes"; }
  std::string operator()(const ConfigureModule& c) const { return "configure module " + c.module.name; }
  std::string operator()(const LoadModule& c) const { return "load module " + c.module.name; }
  std::string operator()(const UnloadModule& c) const { return "unload module " + c.before.name; }
  std::string operator()(const DeleteSink& c) const { return "delete sink " + c.before.name; }
};

}  // namespace

bool SameConfig(const std::string& a, const std::string& b) {
  return a == b || nlohmann::json::parse(a, nullptr, false) == nlohmann::json::parse(b, nullptr, false);
}

std::vector<Change> Plan(const config::State& current, const config::State& desired) {
  std::vector<Change> plan;
  PlanSinkPuts(current, desired, plan);
  if (current.targets != desired.targets) plan.emplace_back(SetTargets{desired.targets, current.targets});
  if (current.routes != desired.routes) plan.emplace_back(SetRoutes{desired.routes, current.routes});
  PlanModules(current, desired, plan);
  for (const config::Sink& sink : current.sinks) {
    if (Find(desired.sinks, sink.name) == nullptr) plan.emplace_back(DeleteSink{sink});
  }
  return plan;
}

std::string Describe(const Change& change) { return std::visit(Describer{}, change); }

}  // namespace probed::state
