// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
// probectl watch: changes of resources as they happen, one line each.
#include <google/protobuf/util/time_util.h>

#include <memory>
#include <optional>
#include <ostream>

#include "clients/cli/lib/escape.h"
#include "clients/cli/lib/yaml_message.h"
#include "clients/cli/verbs/shared.h"
#include "clients/cli/verbs/verbs.h"

namespace probed::cli {
namespace {

struct Watch {
  std::optional<std::uint64_t> since;
  std::vector<std::string> kinds;
  std::uint64_t count = 0;  // 0: no end
};

std::string Describe(const v1::Module& module) {
  const std::string generation = std::to_string(module.status().generation());
  const std::string conditions = ConditionTypes(module.status().conditions());
  return "module " + module.name() + " " + PhaseCell(module.status().phase()).text + " generation " + generation +
         (conditions.empty() ? "" : " " + conditions);
}

std::string Describe(const v1::WatchResponse& event) {
  switch (event.event_case()) {
    case v1::WatchResponse::kStarted: return "watching";
    case v1::WatchResponse::kLoss: return std::to_string(event.loss().lost()) + " events lost, the reader was too slow";
    case v1::WatchResponse::kModule: return Describe(event.module());
    case v1::WatchResponse::kSink:
      return "sink " + event.sink().name() + " " + HealthCell(event.sink().status().health()).text;
    case v1::WatchResponse::kRoutes: return "routes " + std::to_string(event.routes().routes_size());
    case v1::WatchResponse::kTargets: return "targets " + std::to_string(event.targets().targets_size());
    case v1::WatchResponse::kRemoved:
      return ShortName(event.removed().kind()) + " " + event.removed().name() + " removed";
    case v1::WatchResponse::EVENT_NOT_SET: break;
  }
  return "something this probectl does not know";
}

void Print(Session& session, const v1::WatchResponse& event) {
  if (session.options.format == Format::kJson) {
    session.out() << DumpJson(ToJson(event)) << std::endl;
  } else if (session.options.format == Format::kYaml) {
    session.out() << "---\n" << DumpYaml(ToJson(event)) << std::endl;
  } else {
    session.out() << google::protobuf::util::TimeUtil::ToString(event.time()) << ' ' << event.version() << ' '
                  << Escape(Describe(event)) << std::endl;
  }
}

v1::WatchRequest RequestOf(const Watch& watch) {
  v1::WatchRequest request;
  if (watch.since) request.set_since_version(*watch.since);
  for (const std::string& kind : watch.kinds) {
    if (kind == "modules") request.add_kinds(v1::RESOURCE_KIND_MODULE);
    if (kind == "sinks") request.add_kinds(v1::RESOURCE_KIND_SINK);
    if (kind == "routes") request.add_kinds(v1::RESOURCE_KIND_ROUTES);
    if (kind == "targets") request.add_kinds(v1::RESOURCE_KIND_TARGETS);
  }
  return request;
}

ExitCode Run(Session& session, const Watch& watch) {
  std::uint64_t seen = 0;
  const std::function<bool(const v1::WatchResponse&)> take = [&](const v1::WatchResponse& event) {
    Print(session, event);
    seen += event.has_started() ? 0 : 1;
    return session.out().good() && (watch.count == 0 || seen < watch.count);
  };
  const grpc::Status status = session.TryStream(&v1::Control::Stub::Watch, RequestOf(watch), take);
  const bool ran_out = status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED && watch.count == 0;
  if (status.ok() || ran_out || session.interrupt().fired()) return ExitCode::kDone;
  return session.Fail("watch", status);
}

}  // namespace

void AddWatch(Verbs& verbs) {
  const auto watch = std::make_shared<Watch>();
  CLI::App* command =
      verbs.app().add_subcommand("watch", "Changes of modules, sinks, routes and targets as they happen");
  command->add_option("--since", watch->since, "Continue after this version");
  command->add_option("--kind", watch->kinds, "modules, sinks, routes or targets; may be repeated")
      ->check(CLI::IsMember({"modules", "sinks", "routes", "targets"}));
  command->add_option("-n,--count", watch->count, "End after that many events");
  verbs.OnRun(command, [&verbs, watch] { return Run(verbs.session(), *watch); });
}

}  // namespace probed::cli
