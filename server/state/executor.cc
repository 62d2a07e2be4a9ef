// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/state/executor.h"

#include <spdlog/spdlog.h>

#include "server/base/error_details.h"

namespace probed::state {
namespace {

Status WithLeftovers(const Status& error, const std::vector<std::string>& problems) {
  if (problems.empty()) return error;
  std::string message(Message(error));
  for (const std::string& problem : problems) message += "; could not take back: " + problem;
  return MakeError(error.code(), message, GetErrorDetails(error));
}

}  // namespace

Status Executor::Run(const std::vector<Change>& plan) {
  Begin();
  for (const Change& change : plan) {
    const Status status = std::visit([this](const auto& c) { return Do(c); }, change);
    if (status.ok()) continue;
    spdlog::warn("cannot {}: {}", Describe(change), Message(status));
    return WithLeftovers(status, Undo());
  }
  return OkStatus();
}

Status Executor::RunOne(const Change& change) {
  Begin();
  return std::visit([this](const auto& c) { return Do(c); }, change);
}

std::vector<std::string> Executor::Undo() {
  std::vector<std::string> problems;
  while (!undo_.empty()) {
    const auto [what, undo] = std::move(undo_.back());
    undo_.pop_back();
    const Status status = undo();
    if (status.ok()) continue;
    spdlog::error("cannot take back: {}: {}", what, Message(status));
    problems.push_back(what + ": " + std::string(Message(status)));
  }
  return problems;
}

void Executor::Begin() {
  undo_.clear();
  receipt_.reset();
  left_behind_.clear();
}

void Executor::OnUndo(std::string what, std::function<Status()> undo) {
  undo_.emplace_back(std::move(what), std::move(undo));
}

Status Executor::Do(const PutSink& change) {
  RETURN_IF_ERROR(ports_.sinks.Put(change.sink));
  OnUndo(Describe(change), [this, change] {
    return change.before ? ports_.sinks.Put(*change.before) : ports_.sinks.Delete(change.sink.name);
  });
  return OkStatus();
}

Status Executor::Do(const SetTargets& change) {
  RETURN_IF_ERROR(ports_.targets.SetTargets(change.targets));
  OnUndo(Describe(change), [this, before = change.before] { return ports_.targets.SetTargets(before); });
  return OkStatus();
}

Status Executor::Do(const SetRoutes& change) {
  RETURN_IF_ERROR(ports_.routes.SetRoutes(change.routes));
  OnUndo(Describe(change), [this, before = change.before] { return ports_.routes.SetRoutes(before); });
  return OkStatus();
}

Status Executor::Do(const ConfigureModule& change) {
  ASSIGN_OR_RETURN(receipt_, driver_.Configure(change.module.name, change.module.config_json));
  OnUndo(Describe(change),
         [this, before = change.before] { return driver_.Configure(before.name, before.config_json).status(); });
  return OkStatus();
}

Status Executor::Do(const LoadModule& change) {
  RETURN_IF_ERROR(driver_.Load(change.module.name, change.module.config_json));
  OnUndo(Describe(change), [this, name = change.module.name] { return driver_.Unload(name).status(); });
  return OkStatus();
}

Status Executor::Do(const UnloadModule& change) {
  ASSIGN_OR_RETURN(const std::vector<std::string> left, driver_.Unload(change.before.name));
  left_behind_.insert(left_behind_.end(), left.begin(), left.end());
  OnUndo(Describe(change), [this, before = change.before] { return driver_.Load(before.name, before.config_json); });
  return OkStatus();
}

Status Executor::Do(const DeleteSink& change) {
  RETURN_IF_ERROR(ports_.sinks.Delete(change.before.name));
  OnUndo(Describe(change), [this, before = change.before] { return ports_.sinks.Put(before); });
  return OkStatus();
}

}  // namespace probed::state
