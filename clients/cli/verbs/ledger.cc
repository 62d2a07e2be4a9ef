// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
// probectl ledger: the books, read at a barrier. Ends with 7 when they do not close.
#include <map>
#include <ostream>

#include "clients/cli/lib/escape.h"
#include "clients/cli/verbs/verbs.h"

namespace probed::cli {
namespace {

std::string CountersText(const v1::LedgerLine& line, bool wide) {
  const std::map<std::string, std::uint64_t> sorted(line.counters().begin(), line.counters().end());
  std::string out;
  for (const auto& [name, value] : sorted) {
    if (value != 0 || wide) out += (out.empty() ? "" : " ") + name + "=" + std::to_string(value);
  }
  return out;
}

void Print(Session& session, const v1::GetLedgerResponse& ledger, bool wide) {
  Table table({"SCOPE", "CLOSES", "COUNTERS"});
  for (const v1::LedgerLine& line : ledger.lines()) {
    const bool closes = line.imbalance().empty();
    table.Add(
        {{line.scope()}, closes ? Cell{"yes", Paint::kGood} : Cell{"no", Paint::kBad}, {CountersText(line, wide)}});
  }
  // Counters are the point of this table: they are never cut.
  table.Print(session.out(), {0, session.terminal().color});
  for (const v1::LedgerLine& line : ledger.lines()) {
    if (!line.imbalance().empty()) {
      session.out() << Escape(line.scope()) << ": "
                    << Painted(session.terminal(), Paint::kBad, Escape(line.imbalance())) << '\n';
    }
  }
}

ExitCode ShowLedger(Session& session) {
  v1::GetLedgerResponse ledger;
  const ExitCode code = session.Call("read the ledger", &v1::Observe::Stub::GetLedger, v1::GetLedgerRequest(), &ledger);
  if (code != ExitCode::kDone) return code;
  View view{ToJson(ledger), {}, [&](bool wide) { Print(session, ledger, wide); }};
  for (const v1::LedgerLine& line : ledger.lines()) view.names.push_back(line.scope());
  session.Show(view);
  return ledger.closes() ? ExitCode::kDone : ExitCode::kDegraded;
}

}  // namespace

void AddLedger(Verbs& verbs) {
  CLI::App* command = verbs.app().add_subcommand("ledger", "What was taken and given, place by place");
  verbs.OnRun(command, [&verbs] { return ShowLedger(verbs.session()); });
}

}  // namespace probed::cli
