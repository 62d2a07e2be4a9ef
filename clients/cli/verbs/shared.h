// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// What several verbs say about modules and sinks: how they look in a table, and when a change of one has settled.
#pragma once

#include <string>
#include <vector>

#include "clients/cli/lib/session.h"

namespace probed::cli {

View ModulesView(Session& session, const std::vector<v1::Module>& modules);
View SinksView(Session& session, const std::vector<v1::Sink>& sinks);

/// A phase in lower case with its colour.
Cell PhaseCell(v1::ModulePhase phase);
Cell HealthCell(v1::SinkHealth health);

/// Types of the conditions that hold: "Degraded,Throttled".
std::string ConditionTypes(const google::protobuf::RepeatedPtrField<v1::Condition>& conditions);

/// "http running (generation 3)" and one line per condition, for the end of a change.
void PrintModule(Session& session, const v1::Module& module);

/// Prints what a change of a module came to, in the format asked for.
void ShowChange(Session& session, const v1::Module& module, const v1::ChangeOutcome& outcome,
                const Json& extra = Json::object());

/// Runs `list` now and after every change of that kind (UNSPECIFIED: of any), until interrupted or the timeout ends.
ExitCode Repeat(Session& session, v1::ResourceKind kind, const std::function<ExitCode()>& list);

/// Clears the screen when it is one, before something is shown again.
void BeginAgain(Session& session);

}  // namespace probed::cli
