// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// The verbs of probectl. Each file adds one to the command line and does it; none knows another.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "clients/cli/lib/exit_code.h"
#include "clients/cli/lib/session.h"

namespace probed::cli {

/// Kinds of names that completion asks the daemon for.
enum class NameKind { kModule, kLoadedModule, kSink, kFile };

/// What the command line is made of. Lives until the chosen action has run.
class Verbs {
 public:
  Verbs(CLI::App& app, Session& session) : app_(app), session_(session) {}

  CLI::App& app() { return app_; }
  Session& session() { return session_; }

  /// `action` is what the command does, unless one of its subcommands was given.
  void OnRun(CLI::App* command, std::function<ExitCode()> action);
  /// Its arguments are names of that kind.
  void TakesNames(const CLI::App* command, NameKind kind) { kinds_[command] = kind; }

  const NameKind* KindOf(const CLI::App* command) const;
  ExitCode RunChosen() { return chosen_ ? chosen_() : ExitCode::kUsage; }

 private:
  CLI::App& app_;
  Session& session_;
  std::function<ExitCode()> chosen_;
  std::map<const CLI::App*, NameKind> kinds_;
};

void AddModules(Verbs& verbs);
void AddLoad(Verbs& verbs);
void AddConfigure(Verbs& verbs);
void AddUnload(Verbs& verbs);
void AddSinks(Verbs& verbs);
void AddRoutes(Verbs& verbs);
void AddTargets(Verbs& verbs);
void AddState(Verbs& verbs);
void AddWatch(Verbs& verbs);
void AddTail(Verbs& verbs);
void AddLedger(Verbs& verbs);
void AddInfo(Verbs& verbs);
void AddDoctor(Verbs& verbs);
void AddModule(Verbs& verbs);
void AddCompletion(Verbs& verbs);

/// Words that may follow `words`; the last of them is the one being typed, maybe empty. Quiet, also without a daemon.
std::vector<std::string> Complete(Verbs& verbs, const std::vector<std::string>& words);

/// The whole of probectl. `arguments` without the program's name.
ExitCode RunProbectl(std::vector<std::string> arguments, Session& session);

}  // namespace probed::cli
