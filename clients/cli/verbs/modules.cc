// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
// probectl modules: what modules there are and what became of them.
#include <memory>
#include <ostream>

#include "clients/cli/lib/escape.h"
#include "clients/cli/verbs/shared.h"
#include "clients/cli/verbs/verbs.h"

namespace probed::cli {
namespace {

struct Modules {
  bool loaded = false;
  bool watch = false;
  std::string name;
};

ExitCode List(Session& session, bool loaded) {
  v1::ListModulesRequest request;
  request.set_loaded_only(loaded);
  v1::ListModulesResponse response;
  const ExitCode code = session.Call("list modules", &v1::Control::Stub::ListModules, request, &response);
  if (code != ExitCode::kDone) return code;
  session.Show(ModulesView(session, {response.modules().begin(), response.modules().end()}));
  return code;
}

ExitCode Rescan(Session& session) {
  v1::RescanModulesResponse response;
  const ExitCode code =
      session.Call("rescan modules", &v1::Control::Stub::RescanModules, v1::RescanModulesRequest(), &response);
  if (code != ExitCode::kDone) return code;
  session.Show(ModulesView(session, {response.modules().begin(), response.modules().end()}));
  return code;
}

void PrintDetails(Session& session, const v1::Module& module) {
  PrintModule(session, module);
  const v1::ModuleDescription& about = module.description();
  const std::vector<std::pair<std::string, std::string>> lines{{"description", about.summary()},
                                                               {"version", about.version()},
                                                               {"stability", about.stability()},
                                                               {"path", about.path()},
                                                               {"sha256", about.digest()},
                                                               {"problem", about.problem()},
                                                               {"config", module.spec().config_json()},
                                                               {"etag", module.etag()}};
  for (const auto& [key, value] : lines) {
    if (!value.empty()) session.out() << "  " << key << ": " << Escape(value) << '\n';
  }
}

ExitCode GetModule(Session& session, const std::string& name) {
  v1::GetModuleRequest request;
  request.set_name(name);
  v1::GetModuleResponse response;
  const ExitCode code = session.Call("get module " + name, &v1::Control::Stub::GetModule, request, &response);
  if (code != ExitCode::kDone) return code;
  session.Show({ToJson(response.module()), {name}, [&](bool /*wide*/) { PrintDetails(session, response.module()); }});
  return code;
}

}  // namespace

void AddModules(Verbs& verbs) {
  const auto args = std::make_shared<Modules>();
  Session& session = verbs.session();
  CLI::App* command = verbs.app().add_subcommand("modules", "List modules, show one, or look for new ones");
  const auto list = [&session, args] {
    const auto once = [&session, args] { return List(session, args->loaded); };
    return args->watch ? Repeat(session, v1::RESOURCE_KIND_MODULE, once) : once();
  };
  CLI::App* listing = command->add_subcommand("list", "All of them");
  for (CLI::App* target : {command, listing}) {
    target->add_flag("--loaded", args->loaded, "Only those that are to run");
    target->add_flag("--watch", args->watch, "Again whenever one changes");
    verbs.OnRun(target, list);
  }
  CLI::App* get = command->add_subcommand("get", "One of them, in full");
  get->add_option("name", args->name, "Its name")->required();
  verbs.TakesNames(get, NameKind::kModule);
  verbs.OnRun(get, [&session, args] { return GetModule(session, args->name); });
  CLI::App* rescan = command->add_subcommand("rescan", "Look through the module directories now");
  verbs.OnRun(rescan, [&session] { return Rescan(session); });
}

}  // namespace probed::cli
