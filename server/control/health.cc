// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/control/health.h"

namespace probed::control {
namespace {

constexpr std::size_t kPortion = 64;

struct Setter {
  GrpcHost& host;

  void operator()(const state::ModuleView& module) const {
    host.SetHealth("module/" + module.name, module.standing.phase == state::Phase::kRunning);
  }
  void operator()(const state::SinkView& sink) const {
    host.SetHealth("sink/" + sink.sink.name, sink.status.state != "failing");
  }
  void operator()(const state::RoutesView&) const {}
  void operator()(const state::TargetsView&) const {}
  void operator()(const state::RemovedResource& removed) const {
    if (removed.kind == state::ResourceKind::kModule) host.SetHealth("module/" + removed.name, false);
    if (removed.kind == state::ResourceKind::kSink) host.SetHealth("sink/" + removed.name, false);
  }
};

}  // namespace

HealthFollower::HealthFollower(state::Engine& engine, GrpcHost& host) : log_(engine.change_log()), host_(host) {
  const state::SnapshotPtr now = engine.snapshot();
  cursor_ = now->version;
  const Setter set{host_};
  host_.SetHealth("", true);
  for (const state::ModuleView& module : now->modules) set(module);
  for (const state::SinkView& sink : now->sinks) set(sink);
  listener_ = log_.Listen([this] { Follow(); });
}

HealthFollower::~HealthFollower() { log_.Unlisten(listener_); }

void HealthFollower::Follow() {
  while (true) {
    const state::ChangeLog::Reading reading = log_.After(cursor_, kPortion);
    cursor_ += reading.lost;
    if (reading.events.empty()) return;
    for (const auto& event : reading.events) {
      std::visit(Setter{host_}, event->what);
      cursor_ = event->version;
    }
  }
}

}  // namespace probed::control
