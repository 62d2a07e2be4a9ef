// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/state/module_driver.h"

namespace probed::state {

void ModuleDriver::MarkPending(const std::string& name) {
  Entry& entry = entries_[name];
  entry.machine.MarkPending();
  NotePhase(entry);
}

Status ModuleDriver::Load(const std::string& name, const std::string& config_json) {
  Entry& entry = entries_[name];
  return Drive(name, entry, entry.machine.Load(config_json));
}

Result<std::optional<Receipt>> ModuleDriver::Configure(const std::string& name, const std::string& config_json) {
  Entry& entry = entries_[name];
  RETURN_IF_ERROR(Drive(name, entry, entry.machine.Configure(config_json)));
  return entry.machine.receipt();
}

Result<std::vector<std::string>> ModuleDriver::Unload(const std::string& name) {
  Entry& entry = entries_[name];
  RETURN_IF_ERROR(Drive(name, entry, entry.machine.Unload()));
  return entry.machine.left_behind();
}

Status ModuleDriver::Check(const std::string& name, const std::string& config_json) {
  const Status status = steps_.Prepare(name, config_json);
  if (status.ok()) steps_.AbortPrepared(name);
  return status;
}

bool ModuleDriver::Running(const std::string& name) const {
  const auto entry = entries_.find(name);
  return entry != entries_.end() && entry->second.machine.phase() == Phase::kRunning;
}

std::vector<std::string> ModuleDriver::ActiveNames() const {
  std::vector<std::string> names;
  for (const auto& [name, entry] : entries_) {
    if (entry.machine.phase() != Phase::kUnloaded) names.push_back(name);
  }
  return names;
}

ModuleStanding ModuleDriver::Standing(const std::string& name) {
  const auto found = entries_.find(name);
  if (found == entries_.end()) return {};
  const Entry& entry = found->second;
  ModuleStanding standing{entry.machine.phase(), entry.machine.generation(), entry.phase_since_utc_ns,
                          entry.machine.conditions()};
  for (Condition& condition : standing.conditions) condition.since_utc_ns = entry.phase_since_utc_ns;
  if (standing.phase != Phase::kUnloaded) {
    for (Condition& condition : steps_.Conditions(name)) standing.conditions.push_back(std::move(condition));
  }
  return standing;
}

Status ModuleDriver::Drive(const std::string& name, Entry& entry, Action action) {
  while (action.kind == Action::Kind::kStep) {
    NotePhase(entry);
    action = entry.machine.OnResult(Perform(name, action));
  }
  NotePhase(entry);
  return action.kind == Action::Kind::kFailed ? action.error : OkStatus();
}

StepResult ModuleDriver::Perform(const std::string& name, const Action& action) {
  switch (action.step) {
    case Step::kOpen: return {steps_.Open(name), {}, {}};
    case Step::kLoadKernel: return {steps_.LoadKernel(name), {}, {}};
    case Step::kCreate: return {steps_.Create(name), {}, {}};
    case Step::kPrepare: return {steps_.Prepare(name, action.config_json), {}, {}};
    case Step::kStart: return {steps_.Start(name, action.generation), {}, {}};
    case Step::kAbortPrepared: steps_.AbortPrepared(name); return {};
    case Step::kQuiesce: return {steps_.Quiesce(name), {}, {}};
    case Step::kDrain: return {steps_.Drain(name), {}, {}};
    case Step::kDestroy: return {steps_.Destroy(name), {}, {}};
    case Step::kCommit: {
      auto receipt = steps_.Commit(name, action.generation);
      return receipt.ok() ? StepResult{OkStatus(), *receipt, {}} : StepResult{receipt.status(), {}, {}};
    }
    case Step::kClose: {
      auto report = steps_.Close(name);
      return report.ok() ? StepResult{OkStatus(), {}, *report} : StepResult{report.status(), {}, {}};
    }
  }
  return {};
}

void ModuleDriver::NotePhase(Entry& entry) {
  if (entry.machine.phase() == entry.shown) return;
  entry.shown = entry.machine.phase();
  entry.phase_since_utc_ns = clock_.UtcNs();
  on_phase_();
}

}  // namespace probed::state
