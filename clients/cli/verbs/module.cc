// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
// probectl module inspect: what a module's file says of itself, without a daemon and without running any of its code.
#include <memory>
#include <ostream>

#include "clients/cli/lib/escape.h"
#include "clients/cli/lib/module_file.h"
#include "clients/cli/verbs/verbs.h"

namespace probed::cli {
namespace {

/// Text of a manifest's value: strings as they are, lists of strings with commas, the rest as JSON.
std::string TextOf(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (!value.is_array()) return DumpJson(value);
  std::string out;
  for (const Json& item : value) out += (out.empty() ? "" : ", ") + (item.is_string() ? TextOf(item) : DumpJson(item));
  return out;
}

std::string KeysOf(const Json& schema) {
  std::string out;
  const auto properties = schema.is_object() ? schema.find("properties") : schema.end();
  if (properties == schema.end()) return out;
  for (const auto& [key, rule] : properties->items()) out += (out.empty() ? "" : ", ") + key;
  return out;
}

/// Long parts are told in few words; -o json has them whole.
bool IsLong(const std::string& key) {
  return key == "config_schema" || key == "signals" || key == "bpf_objects" || key == "programs" || key == "maps";
}

void Print(Session& session, const Json& manifest, const ModuleFile& file, bool wide) {
  const auto line = [&](const std::string& key, const std::string& value) {
    session.out() << Painted(session.terminal(), Paint::kHead, Escape(key)) << ": " << Escape(value) << '\n';
  };
  for (const auto& [key, value] : manifest.items()) {
    if (wide || !IsLong(key))
      line(key, TextOf(value));
    else if (key == "config_schema")
      line("configuration keys", KeysOf(value));
  }
  for (const ModuleFile::Section& section : file.bpf_sections) {
    line(section.name, std::to_string(section.size) + " bytes");
  }
}

ExitCode Inspect(Session& session, const std::string& path) {
  const std::string what = "inspect " + path;
  const absl::StatusOr<ModuleFile> file = ReadModuleFile(path);
  if (!file.ok()) return session.Fail(what, file.status());
  const Json manifest = Json::parse(file->manifest, nullptr, /*allow_exceptions=*/false);
  if (!manifest.is_object()) return session.Fail(what, absl::InvalidArgumentError("its manifest is no JSON object"));
  const Json name = manifest.value("name", Json(""));
  session.Show({manifest, {TextOf(name)}, [&](bool wide) { Print(session, manifest, *file, wide); }});
  return ExitCode::kDone;
}

}  // namespace

void AddModule(Verbs& verbs) {
  const auto path = std::make_shared<std::string>();
  CLI::App* command = verbs.app().add_subcommand("module", "Tools for a module's file");
  command->require_subcommand(1);
  CLI::App* inspect = command->add_subcommand("inspect", "What the file says of itself; needs no daemon");
  inspect->add_option("file", *path, "The .so")->required();
  verbs.TakesNames(inspect, NameKind::kFile);
  verbs.OnRun(inspect, [&verbs, path] { return Inspect(verbs.session(), *path); });
}

}  // namespace probed::cli
