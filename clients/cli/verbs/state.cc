// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
// probectl state: the desired configuration as one document, and what became of it.
#include <memory>
#include <ostream>

#include "clients/cli/lib/escape.h"
#include "clients/cli/verbs/shared.h"
#include "clients/cli/verbs/verbs.h"

namespace probed::cli {
namespace {

/// The document as probed.yaml has it, with generation and hash beside it.
Json Document(const v1::GetStateResponse& response) {
  Json json = ToJson(response.state());
  json["modules"] = Json::array();
  for (const v1::ModuleSpec& spec : response.state().modules()) {
    Json module = ToJson(spec);
    module.erase("mode");
    json["modules"].push_back(module);
  }
  json["sinks"] = Json::array();
  for (const v1::Sink& sink : response.state().sinks()) json["sinks"].push_back(SinkToJson(sink));
  json["version"] = response.version();
  for (const std::string& text : response.file_differences()) json["file_differences"].push_back(text);
  return json;
}

void Print(Session& session, const v1::GetStateResponse& response, bool wide) {
  const v1::State& state = response.state();
  session.out() << "generation " << state.generation() << "  hash " << Escape(state.hash().substr(0, wide ? 64 : 12))
                << "  " << state.targets_size() << " targets, " << state.routes_size() << " routes\n";
  for (const std::string& text : response.file_differences()) {
    session.out() << Painted(session.terminal(), Paint::kWarn, "file won: ") << Escape(text) << '\n';
  }
  session.out() << '\n';
  ModulesView(session, {response.modules().begin(), response.modules().end()}).table(wide);
  session.out() << '\n';
  SinksView(session, {response.sinks().begin(), response.sinks().end()}).table(wide);
}

ExitCode ShowState(Session& session) {
  v1::GetStateResponse response;
  const ExitCode code = session.Call("get state", &v1::Control::Stub::GetState, v1::GetStateRequest(), &response);
  if (code != ExitCode::kDone) return code;
  session.Show({Document(response), {std::to_string(response.state().generation())}, [&](bool wide) {
                  Print(session, response, wide);
                }});
  return code;
}

}  // namespace

void AddState(Verbs& verbs) {
  const auto watch = std::make_shared<bool>(false);
  CLI::App* command = verbs.app().add_subcommand("state", "The desired state and what became of it");
  command->add_flag("--watch", *watch, "Again whenever something changes");
  verbs.OnRun(command, [&verbs, watch] {
    const auto once = [&verbs] { return ShowState(verbs.session()); };
    return *watch ? Repeat(verbs.session(), v1::RESOURCE_KIND_UNSPECIFIED, once) : once();
  });
}

}  // namespace probed::cli
