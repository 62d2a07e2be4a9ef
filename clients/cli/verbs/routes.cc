// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
// probectl routes: which sink gets what.
#include "clients/cli/lib/yaml_message.h"
#include "clients/cli/verbs/table_verb.h"

namespace probed::cli {
namespace {

struct Routes {
  using Resource = v1::RouteTable;
  using GetRequest = v1::GetRoutesRequest;
  using GetResponse = v1::GetRoutesResponse;
  using PutRequest = v1::PutRoutesRequest;
  using PutResponse = v1::PutRoutesResponse;
  static constexpr const char* kName = "routes";
  static constexpr const char* kHelp = "Show or replace the routes; the first that matches decides";
  static constexpr const char* kEmpty = "everything goes to every sink";
  static constexpr auto kGet = &v1::Control::Stub::GetRoutes;
  static constexpr auto kPut = &v1::Control::Stub::PutRoutes;

  static const auto& Items(const Resource& table) { return table.routes(); }
  static v1::Route* Add(Resource& table) { return table.add_routes(); }
  static auto Parse(const std::string& text) { return ParseRoutes(text); }
  static void Print(Session& session, const Resource& table, bool wide);
};

void Routes::Print(Session& session, const Resource& table, bool /*wide*/) {
  Table out({"NAME", "MODULES", "SERVICES", "SIGNALS", "KINDS", "SINKS"});
  for (const v1::Route& route : table.routes()) {
    const auto signal = [](int value) { return ShortName(static_cast<v1::Signal>(value)); };
    const auto kind = [](int value) { return ShortName(static_cast<v1::SpanKind>(value)); };
    out.Add({{route.name()},
             {Join(route.modules())},
             {Join(route.services())},
             {Join(route.signals(), signal)},
             {Join(route.kinds(), kind)},
             route.drop() ? Cell{"(drop)", Paint::kWarn} : Cell{Join(route.sinks())}});
  }
  out.Print(session.out(), session.terminal());
}

}  // namespace

void AddRoutes(Verbs& verbs) { AddTableVerb<Routes>(verbs); }

}  // namespace probed::cli
