// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/state/lifecycle.h"

#include <algorithm>

#include "server/base/error_details.h"

namespace probed::state {
namespace {

bool Contains(const std::vector<Step>& steps, Step step) {
  return std::find(steps.begin(), steps.end(), step) != steps.end();
}

/// What takes back the steps of a load that were done, last first.
std::vector<Step> UndoOf(const std::vector<Step>& done) {
  std::vector<Step> undo;
  if (Contains(done, Step::kPrepare)) undo.push_back(Step::kAbortPrepared);
  if (Contains(done, Step::kLoadKernel)) undo.push_back(Step::kDestroy);
  if (Contains(done, Step::kOpen)) undo.push_back(Step::kClose);
  return undo;
}

std::string Joined(const std::vector<std::string>& items) {
  std::string out;
  for (const std::string& item : items) out += (out.empty() ? "" : "; ") + item;
  return out;
}

std::string ReasonOf(const Status& status, std::string_view otherwise) {
  const std::string reason = GetErrorDetails(status).reason;
  return reason.empty() ? std::string(otherwise) : reason;
}

}  // namespace

std::string_view PhaseName(Phase phase) {
  switch (phase) {
    case Phase::kPending: return "Pending";
    case Phase::kVerifying: return "Verifying";
    case Phase::kLoading: return "Loading";
    case Phase::kRunning: return "Running";
    case Phase::kDraining: return "Draining";
    case Phase::kUnloaded: return "Unloaded";
    case Phase::kFailed: return "Failed";
  }
  return "";
}

std::string_view StepName(Step step) {
  switch (step) {
    case Step::kOpen: return "open";
    case Step::kLoadKernel: return "load into the kernel";
    case Step::kCreate: return "create";
    case Step::kPrepare: return "prepare the configuration";
    case Step::kStart: return "start";
    case Step::kCommit: return "commit";
    case Step::kAbortPrepared: return "abort the prepared configuration";
    case Step::kQuiesce: return "quiesce";
    case Step::kDrain: return "drain";
    case Step::kDestroy: return "destroy";
    case Step::kClose: return "close";
  }
  return "";
}

void Lifecycle::MarkPending() {
  if (phase_ == Phase::kUnloaded) phase_ = Phase::kPending;
}

Action Lifecycle::Load(std::string config_json) {
  if (stuck_) return Refuse("MODULE_STUCK", "an earlier unload found its code still running; restart the daemon");
  if (phase_ == Phase::kRunning || command_ != Command::kNone) {
    return Refuse("MODULE_ALREADY_LOADED", "it is loaded already");
  }
  config_json_ = std::move(config_json);
  done_.clear();
  return Begin(Command::kLoad, {Step::kOpen, Step::kLoadKernel, Step::kCreate, Step::kPrepare, Step::kStart},
               Phase::kVerifying);
}

Action Lifecycle::Configure(std::string config_json) {
  if (phase_ != Phase::kRunning || command_ != Command::kNone) return Refuse("MODULE_NOT_LOADED", "it is not running");
  config_json_ = std::move(config_json);
  return Begin(Command::kConfigure, {Step::kPrepare, Step::kCommit}, Phase::kRunning);
}

Action Lifecycle::Unload() {
  if (phase_ != Phase::kRunning || command_ != Command::kNone) return Refuse("MODULE_NOT_LOADED", "it is not running");
  return Begin(Command::kUnload, {Step::kQuiesce, Step::kDrain, Step::kDestroy, Step::kClose}, Phase::kDraining);
}

Action Lifecycle::OnResult(const StepResult& result) {
  const Step step = steps_.front();
  steps_.erase(steps_.begin());
  switch (command_) {
    case Command::kLoad: return OnLoadStep(step, result.status);
    case Command::kConfigure:
    case Command::kAbort: return OnConfigureStep(step, result);
    case Command::kUndo:
    case Command::kUnload: return OnRemovalStep(step, result);
    case Command::kNone: break;
  }
  return Refuse("MODULE_INTERNAL", "a result came without a command");
}

Action Lifecycle::Begin(Command command, std::vector<Step> steps, Phase phase) {
  command_ = command;
  steps_ = std::move(steps);
  phase_ = phase;
  error_ = OkStatus();
  conditions_.clear();
  receipt_.reset();
  left_behind_.clear();
  return Next();
}

Action Lifecycle::Next() { return steps_.empty() ? Finish() : Run(steps_.front()); }

Action Lifecycle::Run(Step step) const {
  Action action{.kind = Action::Kind::kStep, .step = step, .config_json = {}, .generation = 0, .error = {}};
  if (step == Step::kPrepare) action.config_json = config_json_;
  if (step == Step::kStart || step == Step::kCommit) action.generation = generation_ + 1;
  return action;
}

Action Lifecycle::Refuse(std::string_view reason, std::string_view message) const {
  Status error = MakeError(absl::StatusCode::kFailedPrecondition, message,
                           {.reason = std::string(reason), .metadata = {}, .fields = {}, .log_tail = {}});
  return {.kind = Action::Kind::kFailed, .step = {}, .config_json = {}, .generation = 0, .error = std::move(error)};
}

Action Lifecycle::OnLoadStep(Step step, const Status& status) {
  if (status.ok()) {
    done_.push_back(step);
    if (step == Step::kOpen) phase_ = Phase::kLoading;
    return Next();
  }
  error_ = status;
  Remember("Failed", ReasonOf(status, "LOAD_FAILED"),
           "cannot " + std::string(StepName(step)) + ": " + std::string(Message(status)));
  command_ = Command::kUndo;
  steps_ = UndoOf(done_);
  return Next();
}

Action Lifecycle::OnConfigureStep(Step step, const StepResult& result) {
  if (command_ == Command::kAbort) return Finish();
  if (result.status.ok()) {
    if (step == Step::kCommit) receipt_ = result.receipt;
    return Next();
  }
  error_ = result.status;
  command_ = Command::kAbort;
  steps_ = step == Step::kCommit ? std::vector<Step>{Step::kAbortPrepared} : std::vector<Step>{};
  return Next();
}

/// Steps that take something away go on after a failure, unless code of the module may still be running: then nothing
/// more may be taken from under it.
Action Lifecycle::OnRemovalStep(Step step, const StepResult& result) {
  if (result.unload) {
    left_behind_.insert(left_behind_.end(), result.unload->left_behind.begin(), result.unload->left_behind.end());
  }
  if (!result.status.ok()) {
    const std::string what = "cannot " + std::string(StepName(step)) + ": " + std::string(Message(result.status));
    left_behind_.push_back(what);
    stuck_ = step == Step::kDestroy || (step == Step::kDrain && absl::IsDeadlineExceeded(result.status));
    if (stuck_) {
      Remember("Quarantined", "MODULE_STUCK", what + "; its code and memory stay until the daemon is restarted");
      steps_.clear();
    }
  }
  return Next();
}

Action Lifecycle::Fail(Phase phase) {
  phase_ = phase;
  return {.kind = Action::Kind::kFailed, .step = {}, .config_json = {}, .generation = 0, .error = error_};
}

Action Lifecycle::Finish() {
  const Command command = std::exchange(command_, Command::kNone);
  if (!left_behind_.empty()) Remember("UnloadIncomplete", "LEFT_BEHIND", Joined(left_behind_));
  if (command == Command::kUndo) return Fail(Phase::kFailed);
  if (command == Command::kAbort) return Fail(Phase::kRunning);
  if (command == Command::kUnload) {
    phase_ = stuck_ ? Phase::kFailed : Phase::kUnloaded;
  } else {
    ++generation_;
    phase_ = Phase::kRunning;
  }
  return {};
}

void Lifecycle::Remember(std::string_view type, std::string_view reason, std::string_view message) {
  conditions_.push_back({std::string(type), std::string(reason), std::string(message), 0});
}

}  // namespace probed::state
