// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
// probectl targets: which processes are looked at.
#include "clients/cli/verbs/table_verb.h"

namespace probed::cli {
namespace {

struct Targets {
  using Resource = v1::TargetTable;
  using GetRequest = v1::GetTargetsRequest;
  using GetResponse = v1::GetTargetsResponse;
  using PutRequest = v1::PutTargetsRequest;
  using PutResponse = v1::PutTargetsResponse;
  static constexpr const char* kName = "targets";
  static constexpr const char* kHelp = "Show or replace the rules that select processes";
  static constexpr const char* kEmpty = "every process is looked at";
  static constexpr auto kGet = &v1::Control::Stub::GetTargets;
  static constexpr auto kPut = &v1::Control::Stub::PutTargets;

  static const auto& Items(const Resource& table) { return table.targets(); }
  static v1::Target* Add(Resource& table) { return table.add_targets(); }
  static auto Parse(const std::string& text) { return ParseTargets(text); }
  static void Print(Session& session, const Resource& table, bool wide);
};

void Targets::Print(Session& session, const Resource& table, bool /*wide*/) {
  Table out({"NAME", "RULE", "EXE", "PORTS", "PIDS", "CGROUPS", "SERVICE"});
  for (const v1::Target& target : table.targets()) {
    const auto number = [](std::uint32_t value) { return std::to_string(value); };
    out.Add({{target.name()},
             target.exclude() ? Cell{"exclude", Paint::kWarn} : Cell{"include", Paint::kGood},
             {Join(target.exe())},
             {Join(target.ports(), number)},
             {Join(target.pids(), number)},
             {Join(target.cgroups())},
             {target.service_name()}});
  }
  out.Print(session.out(), session.terminal());
}

}  // namespace

void AddTargets(Verbs& verbs) { AddTableVerb<Targets>(verbs); }

}  // namespace probed::cli
