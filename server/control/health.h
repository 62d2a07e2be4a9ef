// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// grpc.health.v1 per part: "" (the daemon), "module/<name>" while the module runs, "sink/<name>" unless it is failing.
// Follows the engine's change log. A part that is gone is not serving.
#pragma once

#include <cstdint>

#include "server/control/grpc_host.h"
#include "server/state/engine.h"

namespace probed::control {

class HealthFollower {
 public:
  HealthFollower(state::Engine& engine, GrpcHost& host);
  ~HealthFollower();
  HealthFollower(const HealthFollower&) = delete;
  HealthFollower& operator=(const HealthFollower&) = delete;

 private:
  void Follow();

  state::ChangeLog& log_;
  GrpcHost& host_;
  std::uint64_t cursor_;
  std::uint64_t listener_ = 0;
};

}  // namespace probed::control
