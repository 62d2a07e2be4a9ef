// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// `get` and `put -f` of a table that is read and replaced as a whole (routes, targets). What differs is a Rules type:
// messages, methods, how to parse and how to print.
#pragma once

#include <memory>
#include <ostream>
#include <string>

#include "clients/cli/lib/resource_file.h"
#include "clients/cli/lib/settings.h"
#include "clients/cli/verbs/verbs.h"

namespace probed::cli {

template <typename Rules>
View TableView(Session& session, const typename Rules::Resource& table) {
  View view{ToJson(table), {}, [&session, &table](bool wide) {
              if (Rules::Items(table).empty())
                session.err() << "no " << Rules::kName << "; " << Rules::kEmpty << '\n';
              else
                Rules::Print(session, table, wide);
            }};
  for (const auto& item : Rules::Items(table)) view.names.push_back(item.name());
  // An empty table is shown as such, so that what get prints is always something put takes.
  if (!view.json.contains(Rules::kName)) view.json[Rules::kName] = Json::array();
  return view;
}

template <typename Rules>
ExitCode GetTable(Session& session) {
  typename Rules::GetResponse response;
  const ExitCode code =
      session.Call(std::string("get ") + Rules::kName, Rules::kGet, typename Rules::GetRequest(), &response);
  if (code == ExitCode::kDone) session.Show(TableView<Rules>(session, response.table()));
  return code;
}

template <typename Rules>
ExitCode PutTable(Session& session, const std::string& file) {
  const std::string what = std::string("put ") + Rules::kName;
  const absl::StatusOr<std::string> text = ReadFile(file);
  if (!text.ok()) return session.Fail(what, text.status());
  auto parsed = Rules::Parse(*text);
  if (!parsed.ok()) return session.Fail(what + " of " + file, parsed.status());
  typename Rules::PutRequest request;
  *request.mutable_options() = session.ChangeOptions();
  if (session.options.etag.empty()) request.mutable_options()->set_etag(parsed->etag);
  for (auto& item : parsed->items) *Rules::Add(*request.mutable_table()) = std::move(item);
  typename Rules::PutResponse response;
  const ExitCode code = session.Call(what, Rules::kPut, request, &response);
  if (code != ExitCode::kDone) return code;
  session.Note(response.outcome());
  if (response.outcome().validated_only()) session.err() << "valid; nothing was changed\n";
  session.Show(TableView<Rules>(session, response.table()));
  return code;
}

/// Adds "<name> [get]" and "<name> put -f FILE".
template <typename Rules>
void AddTableVerb(Verbs& verbs) {
  const auto file = std::make_shared<std::string>();
  Session& session = verbs.session();
  CLI::App* command = verbs.app().add_subcommand(Rules::kName, Rules::kHelp);
  verbs.OnRun(command, [&session] { return GetTable<Rules>(session); });
  CLI::App* get = command->add_subcommand("get", "All of them; -o yaml gives what put takes");
  verbs.OnRun(get, [&session] { return GetTable<Rules>(session); });
  CLI::App* put = command->add_subcommand("put", "Replace all of them by those of a file");
  put->add_option("-f,--file", *file, "YAML or JSON as in probed.yaml; - is standard input")->required();
  verbs.OnRun(put, [&session, file] { return PutTable<Rules>(session, *file); });
}

/// "a,b,c"; `convert` makes text of an item.
template <typename List, typename Convert>
std::string Join(const List& list, Convert convert) {
  std::string out;
  for (const auto& item : list) out += (out.empty() ? "" : ",") + convert(item);
  return out;
}

inline std::string Join(const google::protobuf::RepeatedPtrField<std::string>& list) {
  return Join(list, [](const std::string& text) { return text; });
}

}  // namespace probed::cli
