// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "clients/cli/verbs/shared.h"

#include <ostream>
#include <utility>

#include "clients/cli/lib/escape.h"
#include "clients/cli/lib/yaml_message.h"

namespace probed::cli {
namespace {

std::string Known(const std::string& name) { return name == "unspecified" ? "" : name; }

void ModulesTable(Session& session, const std::vector<v1::Module>& modules, bool wide) {
  std::vector<std::string> head{"NAME", "PHASE", "GEN", "VERSION", "CONDITIONS", "DESCRIPTION"};
  if (wide) head.insert(head.end(), {"STABILITY", "MODE", "CONFIG", "ETAG", "PATH"});
  Table table(head);
  for (const v1::Module& module : modules) {
    const v1::ModuleDescription& about = module.description();
    const bool broken = !about.problem().empty();
    std::vector<Cell> row{{module.name()},
                          PhaseCell(module.status().phase()),
                          {module.status().generation() == 0 ? "" : std::to_string(module.status().generation())},
                          {about.version()},
                          {ConditionTypes(module.status().conditions()), Paint::kWarn},
                          {broken ? about.problem() : about.summary(), broken ? Paint::kBad : Paint::kPlain}};
    if (wide) {
      const std::string mode = Known(ShortName(module.spec().mode()));
      for (const std::string& text :
           {about.stability(), mode, module.spec().config_json(), module.etag(), about.path()}) {
        row.push_back({text});
      }
    }
    table.Add(std::move(row));
  }
  if (table.empty())
    session.err() << "no modules; `probectl info` shows where the daemon looks for them\n";
  else
    table.Print(session.out(), session.terminal());
}

void SinksTable(Session& session, const std::vector<v1::Sink>& sinks, bool wide) {
  std::vector<std::string> head{"NAME", "TYPE", "HEALTH", "SENT", "QUEUED", "REJECTED", "DROPPED", "ENDPOINT"};
  if (wide) head.insert(head.end(), {"ETAG", "LAST ERROR"});
  Table table(head);
  for (const v1::Sink& sink : sinks) {
    const v1::SinkStatus& status = sink.status();
    const std::string& where = sink.spec().path().empty() ? sink.spec().endpoint() : sink.spec().path();
    std::vector<Cell> row{{sink.name()}, {ShortName(sink.spec().type())}, HealthCell(status.health())};
    for (const auto count :
         {status.sent_items(), status.queued_items(), status.rejected_items(), status.dropped_items()}) {
      row.push_back({std::to_string(count)});
    }
    row.push_back({where});
    if (wide) row.insert(row.end(), {{sink.etag()}, {status.last_error(), Paint::kWarn}});
    table.Add(std::move(row));
  }
  if (table.empty())
    session.err() << "no sinks; `probectl tail` shows what is traced, `probectl sinks put -f FILE` adds one\n";
  else
    table.Print(session.out(), session.terminal());
}

}  // namespace

View ModulesView(Session& session, const std::vector<v1::Module>& modules) {
  View view{Json::array(), {}, [&session, modules](bool wide) { ModulesTable(session, modules, wide); }};
  for (const v1::Module& module : modules) {
    view.json.push_back(ToJson(module));
    view.names.push_back(module.name());
  }
  return view;
}

View SinksView(Session& session, const std::vector<v1::Sink>& sinks) {
  View view{{{"sinks", Json::array()}}, {}, [&session, sinks](bool wide) { SinksTable(session, sinks, wide); }};
  for (const v1::Sink& sink : sinks) {
    view.json["sinks"].push_back(SinkToJson(sink));
    view.names.push_back(sink.name());
  }
  return view;
}

Cell PhaseCell(v1::ModulePhase phase) {
  const std::string name = Known(ShortName(phase));
  if (phase == v1::MODULE_PHASE_RUNNING) return {name, Paint::kGood};
  if (phase == v1::MODULE_PHASE_FAILED) return {name, Paint::kBad};
  if (phase == v1::MODULE_PHASE_UNLOADED) return {name, Paint::kDim};
  return {name, Paint::kWarn};
}

Cell HealthCell(v1::SinkHealth health) {
  const std::string name = Known(ShortName(health));
  if (health == v1::SINK_HEALTH_OK) return {name, Paint::kGood};
  if (health == v1::SINK_HEALTH_FAILING) return {name, Paint::kBad};
  if (health == v1::SINK_HEALTH_RETRYING) return {name, Paint::kWarn};
  return {name, Paint::kDim};
}

std::string ConditionTypes(const google::protobuf::RepeatedPtrField<v1::Condition>& conditions) {
  std::string out;
  for (const v1::Condition& condition : conditions) out += (out.empty() ? "" : ",") + condition.type();
  return out;
}

void PrintModule(Session& session, const v1::Module& module) {
  const Cell phase = PhaseCell(module.status().phase());
  session.out() << Escape(module.name()) << ' ' << Painted(session.terminal(), phase.paint, phase.text);
  if (module.status().generation() > 0) session.out() << " (generation " << module.status().generation() << ')';
  session.out() << '\n';
  for (const v1::Condition& condition : module.status().conditions()) {
    session.out() << "  " << Painted(session.terminal(), Paint::kWarn, Escape(condition.type())) << " ["
                  << Escape(condition.reason()) << "]: " << Escape(condition.message()) << '\n';
  }
}

void ShowChange(Session& session, const v1::Module& module, const v1::ChangeOutcome& outcome, const Json& extra) {
  session.Note(outcome);
  Json json{{"module", ToJson(module)}, {"outcome", ToJson(outcome)}};
  json.update(extra);
  session.Show({json, {module.name()}, [&](bool /*wide*/) {
                  if (outcome.validated_only()) {
                    session.out() << Escape(module.name()) << ": valid; nothing was changed\n";
                  } else {
                    PrintModule(session, module);
                  }
                  if (outcome.unchanged()) session.out() << "  nothing to do, it was so already\n";
                }});
}

ExitCode Repeat(Session& session, v1::ResourceKind kind, const std::function<ExitCode()>& list) {
  v1::WatchRequest request;
  if (kind != v1::RESOURCE_KIND_UNSPECIFIED) request.add_kinds(kind);
  ExitCode code = ExitCode::kDone;
  const std::function<bool(const v1::WatchResponse&)> take = [&](const v1::WatchResponse&) {
    BeginAgain(session);
    code = list();
    return code == ExitCode::kDone;
  };
  const grpc::Status status = session.TryStream(&v1::Control::Stub::Watch, request, take);
  const bool ended = status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED || session.interrupt().fired();
  if (code != ExitCode::kDone) return session.interrupt().fired() ? ExitCode::kDone : code;
  return status.ok() || ended ? ExitCode::kDone : session.Fail("watch", status);
}

void BeginAgain(Session& session) {
  const bool screen = session.terminal().width > 0;
  const bool table = session.options.format == Format::kTable || session.options.format == Format::kWide;
  if (screen && table) session.out() << "\033[H\033[2J";
}

}  // namespace probed::cli
