// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Carries out a plan, all or nothing: when a change fails, those done before it are taken back in reverse. [control]
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "server/base/status.h"
#include "server/state/module_driver.h"
#include "server/state/planner.h"
#include "server/state/ports.h"

namespace probed::state {

/// The seams through which changes become real.
struct Ports {
  ModuleSteps& modules;
  TargetPort& targets;
  RoutePort& routes;
  SinkPort& sinks;
};

class Executor {
 public:
  Executor(ModuleDriver& driver, Ports ports) : driver_(driver), ports_(ports) {}

  /// Does the whole plan or nothing. The error is that of the change that failed; what could not be taken back is in
  /// its message and in the log.
  Status Run(const std::vector<Change>& plan);
  /// Does one change and keeps it whatever comes (start of the daemon).
  Status RunOne(const Change& change);
  /// Takes back the last Run, because what had to follow it failed. Returns what could not be taken back.
  std::vector<std::string> Undo();

  const std::optional<Receipt>& receipt() const { return receipt_; }
  const std::vector<std::string>& left_behind() const { return left_behind_; }

 private:
  using UndoStep = std::pair<std::string, std::function<Status()>>;

  void Begin();
  Status Do(const PutSink& change);
  Status Do(const SetTargets& change);
  Status Do(const SetRoutes& change);
  Status Do(const ConfigureModule& change);
  Status Do(const LoadModule& change);
  Status Do(const UnloadModule& change);
  Status Do(const DeleteSink& change);
  void OnUndo(std::string what, std::function<Status()> undo);

  ModuleDriver& driver_;
  Ports ports_;
  std::vector<UndoStep> undo_;
  std::optional<Receipt> receipt_;
  std::vector<std::string> left_behind_;
};

}  // namespace probed::state
