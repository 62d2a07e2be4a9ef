// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
// probectl doctor: is everything as it should be? The host is checked without the daemon; then the daemon is asked.
#include <memory>
#include <ostream>

#include "clients/cli/lib/errors.h"
#include "clients/cli/lib/host_checks.h"
#include "clients/cli/verbs/table_verb.h"
#include "clients/cli/verbs/verbs.h"

namespace probed::cli {
namespace {

struct Finding {
  std::vector<Check> checks;
  ExitCode code = ExitCode::kDone;

  void Add(Check check) { checks.push_back(std::move(check)); }
};

std::string VerdictName(Verdict verdict) {
  switch (verdict) {
    case Verdict::kGood: return "ok";
    case Verdict::kWarning: return "warn";
    case Verdict::kBad: return "bad";
    case Verdict::kUnknown: return "?";
  }
  return "";
}

Paint PaintOf(Verdict verdict) {
  switch (verdict) {
    case Verdict::kGood: return Paint::kGood;
    case Verdict::kWarning: return Paint::kWarn;
    case Verdict::kBad: return Paint::kBad;
    case Verdict::kUnknown: return Paint::kDim;
  }
  return Paint::kPlain;
}

/// What a module was never made for is no fault of it.
Verdict Judge(const v1::Condition& condition) {
  return condition.type() == "NotApplicable" ? Verdict::kWarning : Verdict::kBad;
}

void AddConditions(const std::string& owner, const google::protobuf::RepeatedPtrField<v1::Condition>& conditions,
                   Finding& finding) {
  for (const v1::Condition& condition : conditions) {
    finding.Add({owner, Judge(condition), condition.type() + " [" + condition.reason() + "]", condition.message()});
  }
}

void JudgeInfo(const v1::GetInfoResponse& info, Finding& finding) {
  finding.Add({"daemon", Verdict::kGood, "version " + info.version() + ", pid " + std::to_string(info.pid()), ""});
  const v1::Platform& host = info.platform();
  if (host.backend().empty()) {
    finding.Add({"backend", Verdict::kBad, "none works on this kernel", Join(host.missing_features())});
  } else {
    finding.Add({"backend", Verdict::kGood, host.backend(), ""});
  }
  for (const std::string& text : host.missing_features()) finding.Add({"kernel feature", Verdict::kWarning, text, ""});
  finding.Add({"daemon's capabilities", Verdict::kGood, Join(host.capabilities()), ""});
  AddConditions("daemon", info.conditions(), finding);
}

void JudgeModule(const v1::Module& module, Finding& finding) {
  const std::string owner = "module " + module.name();
  const std::string& problem = module.description().problem();
  if (!problem.empty()) finding.Add({owner, Verdict::kWarning, "cannot be loaded", problem});
  if (module.status().phase() == v1::MODULE_PHASE_FAILED) finding.Add({owner, Verdict::kBad, "failed", ""});
  if (module.status().phase() == v1::MODULE_PHASE_RUNNING && module.status().conditions().empty()) {
    finding.Add({owner, Verdict::kGood, "running", ""});
  }
  AddConditions(owner, module.status().conditions(), finding);
}

void JudgeSink(const v1::Sink& sink, Finding& finding) {
  const v1::SinkStatus& status = sink.status();
  const std::string owner = "sink " + sink.name();
  if (status.health() == v1::SINK_HEALTH_FAILING) finding.Add({owner, Verdict::kBad, "failing", status.last_error()});
  if (status.health() == v1::SINK_HEALTH_RETRYING) {
    finding.Add({owner, Verdict::kWarning, "retrying", status.last_error()});
  }
  if (status.health() == v1::SINK_HEALTH_OK) finding.Add({owner, Verdict::kGood, "ok", ""});
  AddConditions(owner, status.conditions(), finding);
}

void JudgeLedger(const v1::GetLedgerResponse& ledger, Finding& finding) {
  bool named = false;
  for (const v1::LedgerLine& line : ledger.lines()) {
    if (line.imbalance().empty()) continue;
    named = true;
    finding.Add({"ledger " + line.scope(), Verdict::kBad, "does not close", line.imbalance()});
  }
  if (named) return;
  finding.Add(
      {"ledger", ledger.closes() ? Verdict::kGood : Verdict::kBad, ledger.closes() ? "closes" : "does not close", ""});
}

/// Asks the daemon everything; the first call that fails ends it.
grpc::Status AskDaemon(Session& session, Finding& finding) {
  v1::GetInfoResponse info;
  grpc::Status status = session.TryCall(&v1::Control::Stub::GetInfo, v1::GetInfoRequest(), &info);
  if (!status.ok()) return status;
  JudgeInfo(info, finding);
  v1::ListModulesResponse modules;
  status = session.TryCall(&v1::Control::Stub::ListModules, v1::ListModulesRequest(), &modules);
  if (!status.ok()) return status;
  for (const v1::Module& module : modules.modules()) JudgeModule(module, finding);
  v1::ListSinksResponse sinks;
  status = session.TryCall(&v1::Control::Stub::ListSinks, v1::ListSinksRequest(), &sinks);
  if (!status.ok()) return status;
  for (const v1::Sink& sink : sinks.sinks()) JudgeSink(sink, finding);
  v1::GetLedgerResponse ledger;
  status = session.TryCall(&v1::Observe::Stub::GetLedger, v1::GetLedgerRequest(), &ledger);
  if (status.ok()) JudgeLedger(ledger, finding);
  return status;
}

void Conclude(const grpc::Status& daemon, Finding& finding) {
  bool bad = false;
  for (const Check& check : finding.checks) bad = bad || check.verdict == Verdict::kBad;
  finding.code = bad ? ExitCode::kDegraded : ExitCode::kDone;
  if (daemon.ok()) return;
  const bool answers = ExitCodeOf(daemon) != ExitCode::kUnreachable;
  const char* advice = answers ? "" : "systemctl start probed; another socket: --socket; host only: --offline";
  finding.Add({"daemon", Verdict::kBad, daemon.error_message(), advice});
  finding.code = ExitCodeOf(daemon);
}

View ViewOf(Session& session, const Finding& finding) {
  View view{Json::array(), {}, [&](bool /*wide*/) {
              Table table({"CHECK", "RESULT", "FINDING", "WHAT TO DO"});
              for (const Check& check : finding.checks) {
                table.Add({{check.name},
                           {VerdictName(check.verdict), PaintOf(check.verdict)},
                           {check.finding},
                           {check.verdict == Verdict::kGood ? "" : check.advice}});
              }
              table.Print(session.out(), session.terminal());
            }};
  for (const Check& check : finding.checks) {
    view.json.push_back({{"check", check.name},
                         {"result", check.verdict == Verdict::kUnknown ? "unknown" : VerdictName(check.verdict)},
                         {"finding", check.finding},
                         {"advice", check.advice}});
    if (check.verdict == Verdict::kBad) view.names.push_back(check.name);
  }
  return view;
}

ExitCode Run(Session& session, bool offline) {
  Finding finding{CheckHost(RealHost())};
  const grpc::Status daemon = offline ? grpc::Status::OK : AskDaemon(session, finding);
  Conclude(daemon, finding);
  session.Show(ViewOf(session, finding));
  return finding.code;
}

}  // namespace

void AddDoctor(Verbs& verbs) {
  const auto offline = std::make_shared<bool>(false);
  CLI::App* command = verbs.app().add_subcommand(
      "doctor", "Check the host, the daemon and the ledger; exit status 7 when something is wrong, 6 without a daemon");
  command->add_flag("--offline", *offline, "The host only");
  verbs.OnRun(command, [&verbs, offline] { return Run(verbs.session(), *offline); });
}

}  // namespace probed::cli
