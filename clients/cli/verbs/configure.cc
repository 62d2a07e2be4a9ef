// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
// probectl configure: changes the configuration of a module while its events flow, and shows the receipt.
#include <memory>
#include <ostream>

#include "clients/cli/lib/settings.h"
#include "clients/cli/verbs/shared.h"
#include "clients/cli/verbs/verbs.h"

namespace probed::cli {
namespace {

// Between reading a configuration and writing it back somebody else may have changed it; then once more from the top.
constexpr int kAttempts = 5;

struct Configure {
  std::string name;
  std::string file;
  std::vector<std::string> sets;
  std::vector<std::string> unsets;
};

absl::Status Edit(const Configure& change, Json& config) {
  for (const std::string& key : change.unsets) {
    if (absl::Status status = ApplyUnset(config, key); !status.ok()) return status;
  }
  for (const std::string& set : change.sets) {
    if (absl::Status status = ApplySet(config, set); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> FromFileText(const Configure& change) {
  const absl::StatusOr<std::string> text = ReadFile(change.file);
  if (!text.ok()) return text.status();
  if (change.sets.empty() && change.unsets.empty() && Json::accept(*text)) return *text;
  absl::StatusOr<Json> config = ParseObject(*text, change.file);
  if (!config.ok()) return config.status();
  if (absl::Status status = Edit(change, *config); !status.ok()) return status;
  return DumpJson(*config);
}

/// The whole new configuration into `request`: from the file, or the present one with changes; that has an etag.
ExitCode Fill(Session& session, const Configure& change, v1::ConfigureModuleRequest& request) {
  const std::string what = "configure module " + change.name;
  if (!change.file.empty()) {
    const absl::StatusOr<std::string> config = FromFileText(change);
    if (!config.ok()) return session.Fail(what, config.status());
    request.set_config_json(*config);
    return ExitCode::kDone;
  }
  v1::GetModuleRequest get;
  get.set_name(change.name);
  v1::GetModuleResponse present;
  const ExitCode code = session.Call(what, &v1::Control::Stub::GetModule, get, &present);
  if (code != ExitCode::kDone) return code;
  absl::StatusOr<Json> config = ParseObject(present.module().spec().config_json(), "the present configuration");
  if (!config.ok()) return session.Fail(what, config.status());
  if (absl::Status status = Edit(change, *config); !status.ok()) return session.Fail(what, status);
  request.set_config_json(DumpJson(*config));
  if (session.options.etag.empty()) request.mutable_options()->set_etag(present.module().etag());
  return ExitCode::kDone;
}

void PrintReceipt(std::ostream& out, const v1::Receipt& receipt) {
  out << "  generation " << receipt.old_generation() << " -> " << receipt.new_generation() << ": lost "
      << receipt.lost() << ", doubled " << receipt.doubled() << " (submitted " << receipt.submitted_old() << " + "
      << receipt.submitted_new() << ", consumed " << receipt.consumed_old() << " + " << receipt.consumed_new() << ")\n";
}

ExitCode Show(Session& session, const v1::ConfigureModuleResponse& response) {
  ShowChange(session, response.module(), response.outcome());
  const bool table = session.options.format == Format::kTable || session.options.format == Format::kWide;
  if (table && response.outcome().has_receipt()) PrintReceipt(session.out(), response.outcome().receipt());
  return ExitCode::kDone;
}

bool WorthRepeating(const Session& session, const Configure& change, const grpc::Status& status) {
  const bool from_present = change.file.empty() && session.options.etag.empty() && session.options.request_id.empty();
  return from_present && status.error_code() == grpc::StatusCode::ABORTED;
}

ExitCode Run(Session& session, const Configure& change) {
  grpc::Status status;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    v1::ConfigureModuleRequest request;
    *request.mutable_options() = session.ChangeOptions();
    request.set_name(change.name);
    const ExitCode code = Fill(session, change, request);
    if (code != ExitCode::kDone) return code;
    v1::ConfigureModuleResponse response;
    status = session.TryCall(&v1::Control::Stub::ConfigureModule, request, &response);
    if (status.ok()) return Show(session, response);
    if (!WorthRepeating(session, change, status)) break;
  }
  return session.Fail("configure module " + change.name, status);
}

}  // namespace

void AddConfigure(Verbs& verbs) {
  const auto change = std::make_shared<Configure>();
  CLI::App* command = verbs.app().add_subcommand("configure", "Change the configuration of a loaded module");
  command->add_option("name", change->name, "Its name")->required();
  command->add_option("--config", change->file, "The whole new configuration, JSON or YAML; - is standard input");
  command->add_option("--set", change->sets, "key=value on top of the present one; dots nest, values are JSON or text")
      ->allow_extra_args(false);
  command->add_option("--unset", change->unsets, "key that goes back to its default")->allow_extra_args(false);
  verbs.TakesNames(command, NameKind::kLoadedModule);
  verbs.OnRun(command, [&verbs, change] {
    if (change->file.empty() && change->sets.empty() && change->unsets.empty()) {
      return verbs.session().Fail("configure module " + change->name,
                                  absl::InvalidArgumentError("nothing to change; give --set, --unset or --config"));
    }
    return Run(verbs.session(), *change);
  });
}

}  // namespace probed::cli
