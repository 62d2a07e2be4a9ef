// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Waiting for a module: shows the phases it goes through while a call is under way, and waits until it has settled.
#pragma once

#include <memory>
#include <string>
#include <thread>

#include "clients/cli/lib/session.h"

namespace probed::cli {

/// Prints the phases of one module on `err` while it lives. Does nothing where no human watches.
class Progress {
 public:
  Progress(Session& session, const std::string& module);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

 private:
  void Follow(const std::string& module);

  Session& session_;
  grpc::ClientContext context_;
  std::thread thread_;
};

/// Waits until `module` is in `wanted` phase, from the version of its change on. Failed: 1. Running with conditions
/// such as Degraded: 7. `module` becomes what it is then.
ExitCode WaitFor(Session& session, v1::ModulePhase wanted, std::uint64_t version, v1::Module& module);

}  // namespace probed::cli
