// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Drives the lifecycle machines of all modules over ModuleSteps: performs what a machine asks for until its command
// ends. [control]
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "server/base/clock.h"
#include "server/state/lifecycle.h"
#include "server/state/ports.h"

namespace probed::state {

/// What became of one module, as far as the machine and the steps know.
struct ModuleStanding {
  Phase phase = Phase::kUnloaded;
  std::uint32_t generation = 0;
  std::uint64_t phase_since_utc_ns = 0;  // 0: never loaded
  std::vector<Condition> conditions;
};

class ModuleDriver {
 public:
  /// `on_phase` is called after each change of a phase. All references must outlive the driver.
  ModuleDriver(ModuleSteps& steps, const Clock& clock, std::function<void()> on_phase)
      : steps_(steps), clock_(clock), on_phase_(std::move(on_phase)) {}

  void MarkPending(const std::string& name);
  Status Load(const std::string& name, const std::string& config_json);
  Result<std::optional<Receipt>> Configure(const std::string& name, const std::string& config_json);
  /// OK also when something was left behind: that is in the list and in the conditions.
  Result<std::vector<std::string>> Unload(const std::string& name);
  /// Checks a configuration without using it.
  Status Check(const std::string& name, const std::string& config_json);

  bool Running(const std::string& name) const;
  /// Names of all modules that are in some phase but Unloaded, sorted.
  std::vector<std::string> ActiveNames() const;
  ModuleStanding Standing(const std::string& name);
  ModuleSteps& steps() { return steps_; }

 private:
  struct Entry {
    Lifecycle machine;
    std::uint64_t phase_since_utc_ns = 0;
    Phase shown = Phase::kUnloaded;
  };

  Status Drive(const std::string& name, Entry& entry, Action action);
  StepResult Perform(const std::string& name, const Action& action);
  void NotePhase(Entry& entry);

  ModuleSteps& steps_;
  const Clock& clock_;
  std::function<void()> on_phase_;
  std::map<std::string, Entry> entries_;
};

}  // namespace probed::state
