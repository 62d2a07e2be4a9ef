// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// The life of one module as a state machine without I/O: a command or the result of a step goes in, the next step (or
// the end) comes out. Whoever drives it performs the step over ModuleSteps and reports back.
//
//   Load       Open -> LoadKernel -> Create -> Prepare -> Start          failure: what was done is undone in reverse
//   Configure  Prepare -> Commit                                         failure: the old configuration runs on
//   Unload     Quiesce -> Drain -> Destroy -> Close                      failure: a condition, never a claim
//
// A step that fails has left nothing of itself behind. AbortPrepared is also asked for after a Start or Commit that
// failed; it does nothing when that step had already used up what was prepared.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/base/status.h"
#include "server/state/ports.h"

namespace probed::state {

enum class Phase { kPending, kVerifying, kLoading, kRunning, kDraining, kUnloaded, kFailed };

enum class Step {
  kOpen,
  kLoadKernel,
  kCreate,
  kPrepare,
  kStart,
  kCommit,
  kAbortPrepared,
  kQuiesce,
  kDrain,
  kDestroy,
  kClose
};

std::string_view PhaseName(Phase phase);
std::string_view StepName(Step step);

/// What the machine wants next. kDone and kFailed end the command; `error` says why it failed.
struct Action {
  enum class Kind { kStep, kDone, kFailed };
  Kind kind = Kind::kDone;
  Step step = Step::kOpen;
  std::string config_json;       // kPrepare
  std::uint32_t generation = 0;  // kStart, kCommit
  Status error;                  // kFailed
};

/// What a step came to. `receipt` belongs to kCommit, `unload` to kClose.
struct StepResult {
  Status status;
  std::optional<Receipt> receipt;
  std::optional<UnloadReport> unload;
};

class Lifecycle {
 public:
  /// Not loaded. Commands are accepted between commands only; one that the phase does not allow fails at once.
  Lifecycle() = default;

  /// Wanted, but its turn has not come (start of the daemon).
  void MarkPending();

  Action Load(std::string config_json);
  Action Configure(std::string config_json);
  Action Unload();
  Action OnResult(const StepResult& result);

  Phase phase() const { return phase_; }
  /// Of the configuration that runs; 0 when none does. Never reused by this machine.
  std::uint32_t generation() const { return phase_ == Phase::kRunning ? generation_ : 0; }
  /// Facts the machine itself knows: why it failed, what an unload left behind. `since` is left to the driver.
  const std::vector<Condition>& conditions() const { return conditions_; }
  const std::optional<Receipt>& receipt() const { return receipt_; }
  const std::vector<std::string>& left_behind() const { return left_behind_; }

 private:
  enum class Command { kNone, kLoad, kUndo, kConfigure, kAbort, kUnload };

  Action Begin(Command command, std::vector<Step> steps, Phase phase);
  Action Next();
  Action Run(Step step) const;
  Action Refuse(std::string_view reason, std::string_view message) const;
  Action Fail(Phase phase);
  Action OnLoadStep(Step step, const Status& status);
  Action OnConfigureStep(Step step, const StepResult& result);
  Action OnRemovalStep(Step step, const StepResult& result);
  Action Finish();
  void Remember(std::string_view type, std::string_view reason, std::string_view message);

  Phase phase_ = Phase::kUnloaded;
  Command command_ = Command::kNone;
  std::vector<Step> steps_;  // still to do, in order
  std::vector<Step> done_;   // of a load
  std::string config_json_;
  std::uint32_t generation_ = 0;
  bool stuck_ = false;  // its code may still run: nothing may be taken from under it, ever
  Status error_;
  std::vector<Condition> conditions_;
  std::optional<Receipt> receipt_;
  std::vector<std::string> left_behind_;
};

}  // namespace probed::state
