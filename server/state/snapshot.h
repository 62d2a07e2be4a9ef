// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// What readers see: immutable values, published by pointer swap after each change. Plain data.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "server/config/model.h"
#include "server/state/module_driver.h"
#include "server/state/ports.h"

namespace probed::state {

/// A module found in a directory, named by the desired state, or both.
struct ModuleView {
  std::string name;
  bool desired = false;
  std::string config_json;  // as the user wrote it; "{}" when not desired
  ModuleStanding standing;
  std::optional<ModuleDescription> description;  // absent: its file is gone
  std::string etag;
};

struct SinkView {
  config::Sink sink;
  SinkStatus status;
  std::string etag;
};

struct TargetsView {
  std::vector<config::Target> targets;
  std::string etag;
};

struct RoutesView {
  std::vector<config::Route> routes;
  std::string etag;
};

struct Snapshot {
  std::uint64_t version = 0;     // of the last watch event
  std::uint64_t generation = 0;  // of the desired state
  std::string hash;              // SHA-256 of the desired state
  std::uint64_t changed_at_utc_ns = 0;
  config::State state;
  std::vector<ModuleView> modules;  // by name
  std::vector<SinkView> sinks;      // by name
  TargetsView targets;
  RoutesView routes;
  std::vector<std::string> file_differences;
};

using SnapshotPtr = std::shared_ptr<const Snapshot>;

const ModuleView* FindModule(const Snapshot& snapshot, const std::string& name);
const SinkView* FindSink(const Snapshot& snapshot, const std::string& name);

/// Etags change whenever what the user wants does.
std::string ModuleEtag(bool desired, const std::string& config_json);
std::string SinkEtag(const config::Sink& sink);
std::string TargetsEtag(const std::vector<config::Target>& targets);
std::string RoutesEtag(const std::vector<config::Route>& routes);
std::string StateHash(const config::State& state);

/// Whether a watcher would want to hear of it. Numbers of a sink's status are none of it.
bool SameForWatch(const ModuleView& a, const ModuleView& b);
bool SameForWatch(const SinkView& a, const SinkView& b);

}  // namespace probed::state
