// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "clients/cli/verbs/verbs.h"

#include <algorithm>
#include <ostream>
#include <utility>

#include "clients/cli/lib/duration.h"
#include "clients/cli/lib/escape.h"
#include "clients/cli/lib/suggest.h"

namespace probed::cli {
namespace {

constexpr const char* kFooter =
    "Exit status: 0 done, 1 failed, 2 usage, 3 not found, 4 conflict, 5 denied, 6 daemon unreachable, 7 degraded.";

const std::map<std::string, Format> kFormats{{"table", Format::kTable},
                                             {"wide", Format::kWide},
                                             {"json", Format::kJson},
                                             {"yaml", Format::kYaml},
                                             {"name", Format::kName}};

void SetTimeout(Options& options, const std::string& text) {
  // A bare number means seconds, as with most tools.
  const bool digits = text.find_first_not_of("0123456789") == std::string::npos;
  const auto timeout = ParseDuration(digits ? text + "s" : text);
  if (!timeout || timeout->count() <= 0) throw CLI::ValidationError("--timeout", "no duration such as 500ms, 10s, 2m");
  options.timeout = timeout;
}

void SetFormat(Options& options, const std::string& text) {
  const auto found = kFormats.find(text);
  if (found == kFormats.end())
    throw CLI::ValidationError("--output", "\"" + Escape(text) + "\" is none of table, wide, json, yaml, name");
  options.format = found->second;
}

void AddGlobalOptions(CLI::App& app, Options& options) {
  app.add_option("--socket", options.socket, "The daemon's unix socket (default /run/probed/probed.sock)")
      ->envname("PROBED_SOCKET");
  app.add_option_function<std::string>(
         "--timeout", [&options](const std::string& text) { SetTimeout(options, text); },
         "How long to wait, or how long a stream lasts: 500ms, 10s, 2m")
      ->type_name("DURATION");
  app.add_option_function<std::string>(
         "-o,--output", [&options](const std::string& text) { SetFormat(options, text); },
         "table, wide, json, yaml or name")
      ->type_name("FORMAT");
  app.add_option("--request-id", options.request_id, "Id of a change; a retry with it changes nothing twice");
  app.add_option("--etag", options.etag, "Change only if the resource still has this etag");
  app.add_flag("--validate-only", options.validate_only, "Check everything, change nothing");
}

std::vector<std::string> VerbNames(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands(nullptr)) {
    if (!command->get_group().empty()) names.push_back(command->get_name());
  }
  return names;
}

/// A verb that is none gets a better answer than the parser's.
bool Hint(const CLI::App& app, const std::vector<std::string>& arguments, std::ostream& err) {
  if (arguments.empty() || arguments.front().starts_with("-")) return false;
  const std::vector<std::string> names = VerbNames(app);
  if (std::find(names.begin(), names.end(), arguments.front()) != names.end()) return false;
  err << "probectl: no such verb: " << Escape(arguments.front()) << DidYouMean(arguments.front(), names) << '\n';
  return true;
}

void AddAll(Verbs& verbs) {
  for (const auto add : {AddLoad, AddConfigure, AddUnload, AddModules, AddSinks, AddRoutes, AddTargets, AddState,
                         AddWatch, AddTail, AddLedger, AddInfo, AddDoctor, AddModule, AddCompletion}) {
    add(verbs);
  }
}

}  // namespace

void Verbs::OnRun(CLI::App* command, std::function<ExitCode()> action) {
  // A parent's callback runs after its child's.
  command->callback([this, command, action = std::move(action)] {
    if (command->get_subcommands().empty()) chosen_ = action;
  });
}

const NameKind* Verbs::KindOf(const CLI::App* command) const {
  const auto found = kinds_.find(command);
  return found == kinds_.end() ? nullptr : &found->second;
}

ExitCode RunProbectl(std::vector<std::string> arguments, Session& session) {
  CLI::App app("Drives probed, which turns unmodified processes into OpenTelemetry.", "probectl");
  app.footer(kFooter);
  app.require_subcommand(1);
  app.fallthrough();
  app.set_version_flag("--version", PROBED_VERSION);
  AddGlobalOptions(app, session.options);
  Verbs verbs(app, session);
  AddAll(verbs);
  try {
    // CLI11 wants them in reverse.
    app.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
  } catch (const CLI::ParseError& error) {
    const bool asked = error.get_exit_code() == static_cast<int>(CLI::ExitCodes::Success);
    if (asked || !Hint(app, arguments, session.err())) app.exit(error, session.out(), session.err());
    return asked ? ExitCode::kDone : ExitCode::kUsage;
  }
  return verbs.RunChosen();
}

}  // namespace probed::cli
