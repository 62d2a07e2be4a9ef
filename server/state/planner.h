// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// The difference of two desired states as ordered changes. Pure. The order keeps every step valid by itself: sinks
// exist before routes name them and go after; what is hardest to take back comes last.
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "server/config/model.h"

namespace probed::state {

struct PutSink {
  config::Sink sink;
  std::optional<config::Sink> before;
};
struct SetTargets {
  std::vector<config::Target> targets;
  std::vector<config::Target> before;
};
struct SetRoutes {
  std::vector<config::Route> routes;
  std::vector<config::Route> before;
};
struct ConfigureModule {
  config::Module module;
  config::Module before;
};
struct LoadModule {
  config::Module module;
};
struct UnloadModule {
  config::Module before;
};
struct DeleteSink {
  config::Sink before;
};

using Change = std::variant<PutSink, SetTargets, SetRoutes, ConfigureModule, LoadModule, UnloadModule, DeleteSink>;

/// What leads from `current` to `desired`, in the order above; empty when they are the same.
std::vector<Change> Plan(const config::State& current, const config::State& desired);

/// For logs and people: "load module http".
std::string Describe(const Change& change);

/// Equal as JSON values, whatever their spelling.
bool SameConfig(const std::string& a, const std::string& b);

}  // namespace probed::state
