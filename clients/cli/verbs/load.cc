// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
// probectl load: brings a module up.
#include <memory>

#include "clients/cli/lib/settings.h"
#include "clients/cli/verbs/shared.h"
#include "clients/cli/verbs/verbs.h"
#include "clients/cli/verbs/wait.h"

namespace probed::cli {
namespace {

struct Load {
  std::string name;
  std::string file;
  std::vector<std::string> sets;
  bool wait = false;
};

/// The file's text as it is where nothing is set on top, so that its numbers stay as they were written.
absl::StatusOr<std::string> ConfigOf(const Load& load) {
  Json config = Json::object();
  if (!load.file.empty()) {
    const absl::StatusOr<std::string> text = ReadFile(load.file);
    if (!text.ok()) return text.status();
    if (load.sets.empty() && Json::accept(*text)) return *text;
    absl::StatusOr<Json> parsed = ParseObject(*text, load.file);
    if (!parsed.ok()) return parsed.status();
    config = *std::move(parsed);
  }
  for (const std::string& set : load.sets) {
    if (absl::Status status = ApplySet(config, set); !status.ok()) return status;
  }
  return DumpJson(config);
}

ExitCode Run(Session& session, const Load& load) {
  const std::string what = "load module " + load.name;
  const absl::StatusOr<std::string> config = ConfigOf(load);
  if (!config.ok()) return session.Fail(what, config.status());
  v1::LoadModuleRequest request;
  *request.mutable_options() = session.ChangeOptions();
  request.mutable_spec()->set_name(load.name);
  request.mutable_spec()->set_config_json(*config);
  v1::LoadModuleResponse response;
  const grpc::Status status = [&] {
    const Progress progress(session, load.name);
    return session.TryCall(&v1::Control::Stub::LoadModule, request, &response);
  }();
  if (!status.ok()) return session.Fail(what, status);
  v1::Module module = response.module();
  ExitCode code = ExitCode::kDone;
  if (load.wait && !session.options.validate_only) {
    code = WaitFor(session, v1::MODULE_PHASE_RUNNING, response.outcome().version(), module);
  }
  ShowChange(session, module, response.outcome());
  return code;
}

}  // namespace

void AddLoad(Verbs& verbs) {
  const auto load = std::make_shared<Load>();
  CLI::App* command = verbs.app().add_subcommand("load", "Load a module");
  command->add_option("name", load->name, "Its name; `probectl modules` lists them")->required();
  command->add_option("--config", load->file, "Its configuration, JSON or YAML; - is standard input");
  command->add_option("--set", load->sets, "key=value; dots nest, values are JSON or text")->allow_extra_args(false);
  command->add_flag("--wait", load->wait, "Until it runs; exit status 7 if it is degraded");
  verbs.TakesNames(command, NameKind::kModule);
  verbs.OnRun(command, [&verbs, load] { return Run(verbs.session(), *load); });
}

}  // namespace probed::cli
