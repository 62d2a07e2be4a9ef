// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
// probectl unload: drains a module and takes it out.
#include <memory>
#include <ostream>

#include "clients/cli/lib/escape.h"
#include "clients/cli/verbs/shared.h"
#include "clients/cli/verbs/verbs.h"
#include "clients/cli/verbs/wait.h"

namespace probed::cli {
namespace {

struct Unload {
  std::string name;
  bool wait = false;
};

ExitCode Run(Session& session, const Unload& unload) {
  v1::UnloadModuleRequest request;
  *request.mutable_options() = session.ChangeOptions();
  request.set_name(unload.name);
  v1::UnloadModuleResponse response;
  const grpc::Status status = [&] {
    const Progress progress(session, unload.name);
    return session.TryCall(&v1::Control::Stub::UnloadModule, request, &response);
  }();
  if (!status.ok()) return session.Fail("unload module " + unload.name, status);
  v1::Module module = response.module();
  ExitCode code = ExitCode::kDone;
  if (unload.wait && !session.options.validate_only) {
    code = WaitFor(session, v1::MODULE_PHASE_UNLOADED, response.outcome().version(), module);
  }
  Json left = Json::array();
  for (const std::string& text : response.left_behind()) {
    left.push_back(text);
    session.err() << "warning: left behind: " << Escape(text) << '\n';
  }
  ShowChange(session, module, response.outcome(), {{"left_behind", left}});
  return code == ExitCode::kDone && !left.empty() ? ExitCode::kDegraded : code;
}

}  // namespace

void AddUnload(Verbs& verbs) {
  const auto unload = std::make_shared<Unload>();
  CLI::App* command = verbs.app().add_subcommand("unload", "Unload a module; exit status 7 if something of it stayed");
  command->add_option("name", unload->name, "Its name")->required();
  command->add_flag("--wait", unload->wait, "Until nothing of it is left");
  verbs.TakesNames(command, NameKind::kLoadedModule);
  verbs.OnRun(command, [&verbs, unload] { return Run(verbs.session(), *unload); });
}

}  // namespace probed::cli
